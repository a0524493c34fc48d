/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * hot_paths decide|relay|handshake TIMES   walks one hot path so many times, for callgrind to count
 * what that takes: instructions.py runs it, and says what is counted. One thread, sockets of its
 * own, and no time in it, so that it is the same each time.
 *
 *   decide      a destination's decision, with a hundred patterns
 *   relay       1 MB of an HTTP response, from a TLS origin to a TLS device, with its reader
 *   handshake   both handshakes of an interception, from the ClientHello, the certificate cached */
#include "conn/relay.h"
#include "core/loop.h"
#include "policy/policy.h"
#include "tap/tap.h"
#include "tls/context.h"
#include "tls/hello.h"
#include "tls/leaf_cache.h"
#include "tls/offer.h"

#include <openssl/x509v3.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <valgrind/callgrind.h>

#define PATTERNS 100
#define MEGABYTE ((size_t)1 << 20)
#define TURNS 20 /* more than any handshake takes */

/* ---- decide ---- */

static struct policy_view *make_view(void)
{
    static char text[PATTERNS * 96];
    struct report report = {0};
    size_t length = (size_t)snprintf(text, sizeof(text), "[ignore]\n");
    for (int i = 0; i < PATTERNS; i++)
        length += (size_t)snprintf(text + length, sizeof(text) - length,
                                   i % 2 == 0 ? "pattern = ^192\\.0\\.2\\.%d:443$\n"
                                              : "pattern = ^(.+\\.)?host%d\\.example\\.com:443$\n",
                                   i);
    struct config *config = config_parse(text, length, "bench.conf", NULL, 0, &report);
    struct policy *policy = policy_new(config, 1, false, &report);
    CHECK(policy != NULL);
    struct policy_view *view = policy_view_new(policy, NULL);
    CHECK(view != NULL);
    policy_unref(policy);
    report_fini(&report);
    return view;
}

static void decide(unsigned times)
{
    struct policy_view *view = make_view();
    struct flow flow = {.protocol = IPPROTO_TCP, .origin = {.family = AF_INET, .port = 443}};
    unsigned ignored = 0;
    CALLGRIND_START_INSTRUMENTATION;
    for (unsigned i = 0; i < times; i++) {
        flow.origin.ip.v4.s_addr = htonl(0xc0000200 + i % 200);
        ignored += policy_decide(view, &flow).verdict == VERDICT_PASS;
    }
    CALLGRIND_STOP_INSTRUMENTATION;
    CHECK(ignored == times / 200 * (PATTERNS / 2));
    policy_view_free(view);
}

/* ---- certificates ---- */

struct identity {
    X509 *certificate;
    EVP_PKEY *key;
};

static void add_extension(X509 *certificate, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    CHECK(extension != NULL && X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

static struct identity make_identity(const char *name, const struct identity *issuer)
{
    struct identity made = {X509_new(), EVP_EC_gen("P-256")};
    X509 *certificate = made.certificate;
    CHECK(certificate != NULL && made.key != NULL);
    CHECK(X509_set_version(certificate, X509_VERSION_3) == 1);
    CHECK(ASN1_INTEGER_set(X509_get_serialNumber(certificate), 7) == 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -86400);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    CHECK(X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                                     (const unsigned char *)name, -1, -1, 0) == 1);
    add_extension(certificate, NID_basic_constraints,
                  issuer == NULL ? "critical,CA:TRUE" : "CA:FALSE");
    if (issuer == NULL)
        issuer = &made;
    else
        add_extension(certificate, NID_subject_alt_name, "DNS:a.test");
    CHECK(X509_set_issuer_name(certificate, X509_get_subject_name(issuer->certificate)) == 1);
    CHECK(X509_set_pubkey(certificate, made.key) == 1);
    CHECK(X509_sign(certificate, issuer->key, EVP_sha256()) > 0);
    return made;
}

static void free_identity(struct identity *identity)
{
    X509_free(identity->certificate);
    EVP_PKEY_free(identity->key);
}

/* ---- what a connection needs, and who is at its ends ---- */

struct stage {
    struct identity root, server, own_ca;
    X509_STORE *trust;
    struct ticket_secret secret;
    struct tls_context context;
    SSL_CTX *device, *origin; /* the others' */
    struct leaf_cache *leaves;
    struct address device_address, origin_address;
    uint8_t peeked[HELLO_WIRE_LIMIT], message[HELLO_LIMIT];
};

/* The forged one is what the origin has: what is counted ends where forging would begin. */
static void keep_leaf(struct stage *stage)
{
    const struct leaf_request request = {.origin = stage->server.certificate};
    struct leaf_cache_key key;
    struct leaf *leaf = calloc(1, sizeof(*leaf));
    CHECK(leaf != NULL && leaf_cache_key(&request, &key));
    *leaf = (struct leaf){.certificate = stage->server.certificate,
                          .key = stage->server.key,
                          .expires = time(NULL) + 86400};
    X509_up_ref(leaf->certificate);
    EVP_PKEY_up_ref(leaf->key);
    leaf_ref(leaf);
    leaf_cache_keep(stage->leaves, &key, leaf);
    leaf_unref(leaf);
}

static void init_stage(struct stage *stage)
{
    stage->root = make_identity("Root", NULL);
    stage->server = make_identity("a.test", &stage->root);
    stage->own_ca = make_identity("Own CA", NULL);
    stage->trust = X509_STORE_new();
    CHECK(stage->trust != NULL && X509_STORE_add_cert(stage->trust, stage->root.certificate) == 1);
    CHECK(ticket_secret_make(&stage->secret));
    const struct tls_settings settings = {.trust = stage->trust,
                                          .authority = stage->own_ca.certificate,
                                          .ticket_secret = &stage->secret};
    CHECK(tls_context_init(&stage->context, &settings));
    stage->device = SSL_CTX_new(TLS_client_method());
    stage->origin = SSL_CTX_new(TLS_server_method());
    CHECK(stage->device != NULL && stage->origin != NULL &&
          SSL_CTX_use_certificate(stage->origin, stage->server.certificate) == 1 &&
          SSL_CTX_use_PrivateKey(stage->origin, stage->server.key) == 1);
    stage->leaves = leaf_cache_new(10);
    CHECK(stage->leaves != NULL && address_parse(&stage->device_address, "10.0.0.7:50012") &&
          address_parse(&stage->origin_address, "192.0.2.1:443"));
    keep_leaf(stage);
}

static void fini_stage(struct stage *stage)
{
    leaf_cache_free(stage->leaves);
    SSL_CTX_free(stage->device);
    SSL_CTX_free(stage->origin);
    tls_context_fini(&stage->context);
    ticket_secret_wipe(&stage->secret);
    X509_STORE_free(stage->trust);
    free_identity(&stage->own_ca);
    free_identity(&stage->server);
    free_identity(&stage->root);
}

/* One of our sides, and who is behind it. */
struct side {
    struct endpoint endpoint;
    SSL *peer;
    int peer_fd;
};

struct connection {
    struct side device, origin;
    struct arena arena;
    struct verify verify;
    struct session_place place;
    struct leaf *leaf;
};

static void init_side(struct side *side, SSL_CTX *peer, bool peer_is_client)
{
    int ends[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    endpoint_init(&side->endpoint, ends[0]);
    side->peer_fd = ends[1];
    side->peer = SSL_new(peer);
    CHECK(side->peer != NULL && SSL_set_fd(side->peer, ends[1]) == 1);
    if (peer_is_client)
        SSL_set_connect_state(side->peer);
    else
        SSL_set_accept_state(side->peer);
}

static void fini_side(struct side *side)
{
    endpoint_close(&side->endpoint, false);
    SSL_free(side->peer);
    close(side->peer_fd);
}

/* ---- handshake: the steps of opening.c and intercepting.c ---- */

static void look_at_hello(struct stage *stage, struct connection *connection, struct offer *offer)
{
    static struct hello hello;
    ssize_t length =
        recv(connection->device.endpoint.fd, stage->peeked, sizeof(stage->peeked), MSG_PEEK);
    CHECK(length > 0 &&
          hello_parse(&hello, stage->peeked, (size_t)length, stage->message) == HELLO_COMPLETE);
    CHECK(strcmp(hello.name, "a.test") == 0 &&
          offer_make(offer, &hello, TLS1_2_VERSION, stage->context.origin, &connection->arena));
}

static void shake_hands(struct side *side)
{
    bool ours = false, theirs = false;
    for (int i = 0; i < TURNS && !(ours && theirs); i++) {
        ours = ours || endpoint_handshake(&side->endpoint) == IO_OK;
        theirs = theirs || SSL_do_handshake(side->peer) == 1;
    }
    CHECK(ours && theirs);
}

static void connect_origin(struct stage *stage, struct connection *connection,
                           const struct offer *offer)
{
    const struct session_target target = {.origin = &stage->origin_address};
    struct endpoint *origin = &connection->origin.endpoint;
    CHECK(endpoint_start_tls(origin, stage->context.origin) && offer_apply(offer, origin->ssl) &&
          SSL_set_tlsext_host_name(origin->ssl, "a.test") == 1 &&
          verify_prepare(origin->ssl, &connection->verify, "a.test", &stage->origin_address) &&
          sessions_offer(stage->context.sessions, &connection->place, origin->ssl, &target));
    shake_hands(&connection->origin);
    verify_staple(origin->ssl);
    CHECK(connection->verify.count == 0);
}

static void connect_device(struct stage *stage, struct connection *connection)
{
    struct endpoint *device = &connection->device.endpoint;
    struct leaf_cache_key key;
    const struct leaf_request request = {
        .origin = SSL_get0_peer_certificate(connection->origin.endpoint.ssl)};
    const struct ticket_scope scope = {.device = &stage->device_address,
                                       .origin = &stage->origin_address,
                                       .name = "a.test",
                                       .leaf = "",
                                       .revision = 1};
    CHECK(leaf_cache_key(&request, &key));
    struct leaf *leaf = connection->leaf = leaf_cache_find(stage->leaves, &key);
    CHECK(leaf != NULL && endpoint_start_tls(device, stage->context.device) &&
          tickets_bind(device->ssl, &scope) && tls_set_min_version(device->ssl, TLS1_2_VERSION) &&
          SSL_use_certificate(device->ssl, leaf->certificate) == 1 &&
          SSL_use_PrivateKey(device->ssl, leaf->key) == 1);
    shake_hands(&connection->device);
}

/* The device has said its ClientHello already. */
static void open_connection(struct stage *stage, struct connection *connection)
{
    *connection = (struct connection){0};
    init_side(&connection->device, stage->device, true);
    init_side(&connection->origin, stage->origin, false);
    CHECK(SSL_set_tlsext_host_name(connection->device.peer, "a.test") == 1);
    CHECK(SSL_do_handshake(connection->device.peer) != 1);
}

static void intercept(struct stage *stage, struct connection *connection)
{
    struct offer offer;
    look_at_hello(stage, connection, &offer);
    connect_origin(stage, connection, &offer);
    connect_device(stage, connection);
}

static void end_connection(struct connection *connection)
{
    fini_side(&connection->device);
    fini_side(&connection->origin);
    leaf_unref(connection->leaf);
    arena_fini(&connection->arena);
}

static void handshake(unsigned times)
{
    static struct stage stage;
    struct connection connection;
    init_stage(&stage);
    for (unsigned i = 0; i < times; i++) {
        open_connection(&stage, &connection);
        CALLGRIND_START_INSTRUMENTATION;
        intercept(&stage, &connection);
        CALLGRIND_STOP_INSTRUMENTATION;
        end_connection(&connection);
    }
    fini_stage(&stage);
}

/* ---- relay ---- */

static void hear(void *context, const struct message *message)
{
    (void)message;
    ++*(unsigned *)context;
}

static void show(void *context, bool up, const unsigned char *bytes, size_t length)
{
    tap_read(context, up, bytes, length, 0);
}

/* From one peer to the other, a record at a time. */
static void pass(struct relay *relay, struct side *from, struct side *to, size_t length)
{
    static char bytes[RELAY_BUFFER_SIZE];
    for (size_t sent = 0; sent < length;) {
        size_t size = length - sent < sizeof(bytes) ? length - sent : sizeof(bytes), count, got = 0;
        CHECK(SSL_write_ex(from->peer, bytes, size, &count) == 1);
        while (got < count) {
            bool up = relay->up.from == &from->endpoint;
            size_t some;
            CHECK(relay_run(relay, up, !up) <= RELAY_AGAIN);
            if (SSL_read_ex(to->peer, bytes, sizeof(bytes), &some) == 1)
                got += some;
        }
        sent += count;
    }
}

static void say(struct side *side, const char *text)
{
    CHECK(SSL_write(side->peer, text, (int)strlen(text)) == (int)strlen(text));
}

static void exchange(struct relay *relay, struct connection *connection)
{
    static char bytes[1024];
    say(&connection->device, "GET /blob HTTP/1.1\r\nHost: a.test\r\n\r\n");
    CHECK(relay_run(relay, true, true) <= RELAY_AGAIN);
    CHECK(SSL_read(connection->origin.peer, bytes, sizeof(bytes)) > 0);
    say(&connection->origin, "HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n");
    CHECK(relay_run(relay, true, true) <= RELAY_AGAIN);
    CHECK(SSL_read(connection->device.peer, bytes, sizeof(bytes)) > 0);
    pass(relay, &connection->origin, &connection->device, MEGABYTE);
}

static void relay(unsigned times)
{
    static struct stage stage;
    static struct relay_space space;
    struct connection connection;
    struct slab buffers;
    struct relay relay;
    struct tap tap = {0};
    unsigned heard = 0;
    const struct tap_options options = {0};
    init_stage(&stage);
    open_connection(&stage, &connection);
    intercept(&stage, &connection);
    slab_init(&buffers, RELAY_BUFFER_SIZE, 4);
    relay_init(&relay, &connection.device.endpoint, &connection.origin.endpoint, &buffers, &space);
    tap_init(&tap, &options, &connection.arena, text_from(NULL, 0), 443);
    tap_listen(&tap, hear, &heard);
    relay.tap = (struct relay_tap){.read = show, .context = &tap};
    CALLGRIND_START_INSTRUMENTATION;
    for (unsigned i = 0; i < times; i++)
        exchange(&relay, &connection);
    CALLGRIND_STOP_INSTRUMENTATION;
    CHECK(heard >= times);
    tap_fini(&tap, 0);
    relay_fini(&relay);
    slab_fini(&buffers);
    end_connection(&connection);
    fini_stage(&stage);
}

int main(int count, char **arguments)
{
    static const struct {
        const char *name;
        void (*walk)(unsigned times);
    } paths[] = {{"decide", decide}, {"relay", relay}, {"handshake", handshake}};
    for (size_t i = 0; count == 3 && i < ARRAY_SIZE(paths); i++) {
        if (strcmp(arguments[1], paths[i].name) == 0) {
            paths[i].walk((unsigned)atoi(arguments[2]));
            return 0;
        }
    }
    fprintf(stderr, "usage: hot_paths decide|relay|handshake TIMES\n");
    return 2;
}
