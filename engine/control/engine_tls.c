/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/engine_tls.h"

#include "core/log.h"
#include "tls/authority.h"
#include "tls/revocation.h"
#include "tls/verify.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* What all of them are made with. */
struct sources {
    X509_STORE *trust;
    STACK_OF(X509) * intermediates; /* or NULL */
    struct ticket_secret ticket_secret;
};

static void close_sources(struct sources *sources)
{
    X509_STORE_free(sources->trust);
    sk_X509_pop_free(sources->intermediates, X509_free);
    ticket_secret_wipe(&sources->ticket_secret);
}

static bool load_certificates(struct sources *sources, const struct tls_config *config)
{
    sources->trust = verify_load_trust(config->trust);
    if (sources->trust == NULL) {
        log_error("[tls] trust = %s: no certificates can be read from it", config->trust);
        return false;
    }
    if (config->intermediates != NULL) {
        sources->intermediates = verify_load_intermediates(config->intermediates);
        if (sources->intermediates == NULL) {
            log_error("[tls] intermediates = %s: no certificates can be read from it",
                      config->intermediates);
            return false;
        }
    }
    if (config->revocation != REVOCATION_CRL ||
        revocation_load_lists(sources->trust, config->crl_directory))
        return true;
    log_error("[tls] crl-directory = %s: %m", config->crl_directory);
    return false;
}

static bool open_sources(struct sources *sources, const struct tls_config *config)
{
    *sources = (struct sources){0};
    bool made = ticket_secret_make(&sources->ticket_secret);
    if (!made)
        log_error("there is no randomness to be had for the keys of session tickets");
    if (made && load_certificates(sources, config))
        return true;
    close_sources(sources);
    return false;
}

static void keylog(const SSL *ssl, const char *line)
{
    struct recorder_feed *feed = tls_keylog_context(ssl);
    char text[512];
    int length = snprintf(text, sizeof(text), "%s\n", line);
    if (length > 0 && (size_t)length < sizeof(text))
        recorder_put(feed, OUTPUT_KEYLOG, text, (size_t)length);
}

struct engine_tls *engine_tls_new(const struct tls_config *config, X509 *authority,
                                  struct recorder_feed *const *feeds, size_t count)
{
    struct sources sources;
    if (!open_sources(&sources, config))
        return NULL;
    struct engine_tls *tls = calloc(1, sizeof(*tls) + count * sizeof(tls->workers[0]));
    CHECK(tls != NULL);
    tls->count = count;
    struct tls_settings settings = {
        .trust = sources.trust,
        .intermediates = sources.intermediates,
        .staples = config->revocation == REVOCATION_STAPLE,
        .ticket_secret = &sources.ticket_secret,
        .authority = authority,
        .keylog = config->keylog != NULL ? keylog : NULL,
    };
    bool done = true;
    for (size_t i = 0; i < count && done; i++) {
        settings.keylog_context = feeds[i];
        tls->workers[i] = pool_tls_new(&settings);
        done = tls->workers[i] != NULL;
    }
    close_sources(&sources);
    if (done)
        return tls;
    engine_tls_free(tls);
    return NULL;
}

void engine_tls_free(struct engine_tls *tls)
{
    for (size_t i = 0; tls != NULL && i < tls->count; i++)
        pool_tls_unref(tls->workers[i]);
    free(tls);
}

static bool check_authority(const char *path)
{
    struct authority *authority;
    if (access(path, R_OK) != 0)
        return true;
    authority = authority_open(path, NULL, NULL);
    authority_free(authority);
    return authority != NULL;
}

bool engine_tls_check(const struct tls_config *config)
{
    struct sources sources = {0};
    bool good = load_certificates(&sources, config);
    close_sources(&sources);
    return check_authority(config->ca) && good;
}
