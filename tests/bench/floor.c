/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * floor [HANDSHAKES [MEGABYTES]]   what OpenSSL alone spends where a proxy does its TLS: a client's
 * and a server's half of a handshake, in one process and without a network; and what it takes to
 * open and to seal a GB. Printed as one line of JSON, in seconds of processor time. TLS 1.3, P-256,
 * X25519, AES-256-GCM. */
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define RECORD 16384

static void check(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "floor: %s\n", what);
        exit(1);
    }
}

static double processor_time(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static SSL_CTX *server_context(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    check(context != NULL && key != NULL && certificate != NULL, "no memory");
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    check(X509_set_version(certificate, X509_VERSION_3) == 1 &&
              X509_set_pubkey(certificate, key) == 1 &&
              X509_sign(certificate, key, EVP_sha256()) > 0 &&
              SSL_CTX_use_certificate(context, certificate) == 1 &&
              SSL_CTX_use_PrivateKey(context, key) == 1,
          "the certificate");
    X509_free(certificate);
    EVP_PKEY_free(key);
    return context;
}

struct pair {
    SSL *client, *server;
};

static struct pair connect_pair(SSL_CTX *client, SSL_CTX *server, SSL_SESSION *session)
{
    struct pair pair = {SSL_new(client), SSL_new(server)};
    BIO *one = NULL, *other = NULL;
    check(pair.client != NULL && pair.server != NULL &&
              BIO_new_bio_pair(&one, 4 * RECORD, &other, 4 * RECORD) == 1,
          "no memory");
    SSL_set_bio(pair.client, one, one);
    SSL_set_bio(pair.server, other, other);
    SSL_set_connect_state(pair.client);
    SSL_set_accept_state(pair.server);
    if (session != NULL)
        SSL_set_session(pair.client, session);
    for (int turn = 0; turn < 10; turn++) {
        SSL_do_handshake(pair.client);
        SSL_do_handshake(pair.server);
    }
    check(SSL_is_init_finished(pair.client) && SSL_is_init_finished(pair.server), "the handshake");
    return pair;
}

/* A byte, so that the tickets behind the handshake are read, too. */
static void exchange(const struct pair *pair)
{
    char byte = 'x';
    check(SSL_write(pair->server, &byte, 1) == 1 && SSL_read(pair->client, &byte, 1) == 1,
          "a byte");
}

static void end_pair(struct pair *pair)
{
    SSL_shutdown(pair->client);
    SSL_shutdown(pair->server);
    SSL_free(pair->client);
    SSL_free(pair->server);
}

static double handshakes(SSL_CTX *client, SSL_CTX *server, int count, bool resume)
{
    SSL_SESSION *session = NULL;
    int resumed = 0;
    double begun = processor_time();
    for (int i = 0; i < count; i++) {
        struct pair pair = connect_pair(client, server, session);
        resumed += SSL_session_reused(pair.client);
        exchange(&pair);
        SSL_SESSION_free(session);
        session = resume ? SSL_get1_session(pair.client) : NULL;
        end_pair(&pair);
    }
    double spent = processor_time() - begun;
    SSL_SESSION_free(session);
    check(resumed == (resume ? count - 1 : 0), "resumption");
    return spent / count;
}

static double bulk(SSL_CTX *client, SSL_CTX *server, int megabytes)
{
    static char record[RECORD];
    struct pair pair = connect_pair(client, server, NULL);
    exchange(&pair);
    double begun = processor_time();
    for (int i = 0; i < megabytes * 64; i++)
        check(SSL_write(pair.client, record, RECORD) == RECORD &&
                  SSL_read(pair.server, record, RECORD) == RECORD,
              "a record");
    double spent = processor_time() - begun;
    end_pair(&pair);
    return spent / megabytes * 1024;
}

int main(int count, char **arguments)
{
    int times = count > 1 ? atoi(arguments[1]) : 1000,
        megabytes = count > 2 ? atoi(arguments[2]) : 256;
    SSL_CTX *client = SSL_CTX_new(TLS_client_method()), *server = server_context();
    check(client != NULL && SSL_CTX_set_min_proto_version(client, TLS1_3_VERSION) == 1, "TLS 1.3");
    printf("{\"full\": %.9f, ", handshakes(client, server, times, false));
    printf("\"resumed\": %.9f, ", handshakes(client, server, times, true));
    printf("\"gigabyte\": %.6f}\n", bulk(client, server, megabytes));
    SSL_CTX_free(client);
    SSL_CTX_free(server);
    return 0;
}
