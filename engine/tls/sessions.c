/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/sessions.h"

#include "core/macros.h"

#include <pthread.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

/* uthash's macros shadow and convert as they please. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include <uthash.h>

/* A device opens several connections to a server at a time; each takes one. */
#define SESSIONS_A_KEY 8
/* The longest that RFC 8446, section 4.6.1, allows; in seconds. */
#define LONGEST_LIFE ((long)7 * 86400)

struct kept {
    unsigned char key[DIGEST_SIZE];
    SSL_SESSION *sessions[SESSIONS_A_KEY]; /* the newest first; NULL behind the last */
    UT_hash_handle hh;
    TAILQ_ENTRY(kept) by_use; /* least recently used first */
};

struct sessions {
    struct kept *kept;
    TAILQ_HEAD(kept_queue, kept) by_use;
    size_t count, limit; /* of sessions */
};

static int place_index_value;

static void make_place_index(void)
{
    place_index_value = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

static int place_index(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_place_index);
    return place_index_value;
}

/* ---- keeping ---- */

struct sessions *sessions_new(size_t limit)
{
    struct sessions *sessions = calloc(1, sizeof(*sessions));
    if (sessions == NULL)
        return NULL;
    sessions->limit = limit;
    TAILQ_INIT(&sessions->by_use);
    return sessions;
}

static void drop(struct sessions *sessions, struct kept *kept)
{
    HASH_DEL(sessions->kept, kept);
    TAILQ_REMOVE(&sessions->by_use, kept, by_use);
    for (size_t i = 0; i < SESSIONS_A_KEY && kept->sessions[i] != NULL; i++) {
        SSL_SESSION_free(kept->sessions[i]);
        sessions->count--;
    }
    free(kept);
}

void sessions_free(struct sessions *sessions)
{
    if (sessions == NULL)
        return;
    while (!TAILQ_EMPTY(&sessions->by_use))
        drop(sessions, TAILQ_FIRST(&sessions->by_use));
    free(sessions);
}

static struct kept *find(const struct sessions *sessions, const unsigned char *key)
{
    struct kept *kept;
    HASH_FIND(hh, sessions->kept, key, DIGEST_SIZE, kept);
    return kept;
}

static struct kept *add(struct sessions *sessions, const unsigned char *key)
{
    struct kept *kept = calloc(1, sizeof(*kept));
    if (kept == NULL)
        return NULL;
    memcpy(kept->key, key, DIGEST_SIZE);
    HASH_ADD(hh, sessions->kept, key, DIGEST_SIZE, kept);
    TAILQ_INSERT_TAIL(&sessions->by_use, kept, by_use);
    return kept;
}

/* Takes over the reference, if it says true. */
static bool put(const struct session_place *place, SSL_SESSION *session)
{
    struct sessions *sessions = place->sessions;
    struct kept *kept = find(sessions, place->key);
    if (kept == NULL)
        kept = add(sessions, place->key);
    if (kept == NULL || kept->sessions[0] == session)
        return false;
    SSL_SESSION *oldest = kept->sessions[SESSIONS_A_KEY - 1];
    sessions->count += oldest == NULL;
    SSL_SESSION_free(oldest);
    memmove(kept->sessions + 1, kept->sessions, (SESSIONS_A_KEY - 1) * sizeof(session));
    kept->sessions[0] = session;
    TAILQ_REMOVE(&sessions->by_use, kept, by_use);
    TAILQ_INSERT_TAIL(&sessions->by_use, kept, by_use);
    if (sessions->count > sessions->limit && TAILQ_FIRST(&sessions->by_use) != kept)
        drop(sessions, TAILQ_FIRST(&sessions->by_use));
    return true;
}

static bool is_fresh(const SSL_SESSION *session)
{
    long life = SSL_SESSION_get_timeout(session), age = time(NULL) - SSL_SESSION_get_time(session);
    long hint = (long)SSL_SESSION_get_ticket_lifetime_hint(session);
    if (hint > 0 && hint < life)
        life = hint;
    if (life > LONGEST_LIFE)
        life = LONGEST_LIFE;
    return age >= 0 && age < life && SSL_SESSION_is_resumable(session) == 1;
}

/* The caller has the reference. NULL if there is none that is any good. */
static SSL_SESSION *take(struct sessions *sessions, const unsigned char *key)
{
    struct kept *kept = find(sessions, key);
    SSL_SESSION *session;
    while (kept != NULL && (session = kept->sessions[0]) != NULL) {
        memmove(kept->sessions, kept->sessions + 1, (SESSIONS_A_KEY - 1) * sizeof(session));
        kept->sessions[SESSIONS_A_KEY - 1] = NULL;
        sessions->count--;
        if (kept->sessions[0] == NULL) {
            drop(sessions, kept);
            kept = NULL;
        }
        if (is_fresh(session))
            return session;
        SSL_SESSION_free(session);
    }
    return NULL;
}

size_t sessions_count(const struct sessions *sessions)
{
    return sessions->count;
}
#pragma GCC diagnostic pop

/* ---- connections ---- */

/* A new_session callback: 1 keeps the reference. In TLS 1.3 tickets come any time later. */
static int note_session(SSL *ssl, SSL_SESSION *session)
{
    const struct session_place *place = SSL_get_ex_data(ssl, place_index());
    return place != NULL && put(place, session) ? 1 : 0;
}

void sessions_context(SSL_CTX *context)
{
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, note_session);
}

static void digest_ciphers(struct digest *digest, const SSL *ssl)
{
    STACK_OF(SSL_CIPHER) *ciphers = SSL_get_ciphers(ssl);
    int count = sk_SSL_CIPHER_num(ciphers);
    digest_number(digest, (uint64_t)(int64_t)count);
    for (int i = 0; i < count; i++)
        digest_number(digest, SSL_CIPHER_get_id(sk_SSL_CIPHER_value(ciphers, i)));
}

static bool make_key(unsigned char key[static DIGEST_SIZE], SSL *ssl,
                     const struct session_target *target)
{
    static const struct address ours;
    struct digest digest;
    struct address source = target->source != NULL ? *target->source : ours;
    source.port = 0;
    digest_init(&digest);
    digest_address(&digest, target->origin);
    digest_address(&digest, &source);
    digest_bytes(&digest, target->alpn, target->alpn_length);
    digest_number(&digest, (uint64_t)(int64_t)target->client_mode);
    digest_text(&digest, SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
    digest_number(&digest, (uint64_t)SSL_get_min_proto_version(ssl));
    digest_number(&digest, (uint64_t)SSL_get_max_proto_version(ssl));
    digest_number(&digest, (uint64_t)SSL_get_security_level(ssl));
    digest_number(&digest, SSL_get_options(ssl));
    digest_ciphers(&digest, ssl);
    digest_certificate(&digest, SSL_get_certificate(ssl));
    return digest_final(&digest, key);
}

bool sessions_offer(struct sessions *sessions, struct session_place *place, SSL *ssl,
                    const struct session_target *target)
{
    place->sessions = sessions;
    if (!make_key(place->key, ssl, target) || SSL_set_ex_data(ssl, place_index(), place) != 1)
        return false;
    SSL_SESSION *session = take(sessions, place->key);
    bool offered = session == NULL || SSL_set_session(ssl, session) == 1;
    SSL_SESSION_free(session);
    return offered;
}

void sessions_resumed(const struct session_place *place, SSL *ssl)
{
    if (SSL_version(ssl) >= TLS1_3_VERSION)
        return; /* each ticket once: another one comes */
    SSL_SESSION *session = SSL_get1_session(ssl);
    if (!put(place, session))
        SSL_SESSION_free(session);
}
