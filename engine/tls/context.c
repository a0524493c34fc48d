/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/context.h"

#include "core/log.h"
#include "tls/endpoint.h"
#include "tls/library.h"

#include <openssl/err.h>

/* Sessions with origins that are kept; each takes some 5 KB. */
#define SESSIONS_LIMIT 1024
/* What a device may send early and we skip: it has a ticket of the origin's, and does not know yet
 * that we are none of its (RFC 8446, section 4.2.10). */
#define EARLY_DATA_SKIPPED ((uint32_t)1 << 20)
/* Some builds of OpenSSL have more in DEFAULT than others. */
#define CIPHERS "DEFAULT:!aNULL:!eNULL:!RC4:!3DES:!EXPORT:!LOW:!MD5:@SECLEVEL=1"

/* RFC 7301: the origin's choice is the only answer that the device can get. */
static int answer_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_length,
                       const unsigned char *offered, unsigned offered_length, void *argument)
{
    (void)offered, (void)offered_length, (void)argument;
    const struct endpoint *endpoint = endpoint_of(ssl);
    if (endpoint->alpn == NULL)
        return SSL_TLSEXT_ERR_NOACK;
    *out = endpoint->alpn;
    *out_length = endpoint->alpn_length;
    return SSL_TLSEXT_ERR_OK;
}

static bool set_common(SSL_CTX *context, const struct tls_settings *settings)
{
    SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    if (settings->keylog != NULL) {
        SSL_CTX_set_app_data(context, settings->keylog_context);
        SSL_CTX_set_keylog_callback(context, settings->keylog);
    }
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(context, 0) == 1 &&
           SSL_CTX_set_cipher_list(context, CIPHERS) == 1;
}

static bool init_tickets(struct tls_context *context, const struct tls_settings *settings)
{
    if (settings->ticket_secret != NULL)
        return tickets_init(&context->tickets, context->device, settings->ticket_secret);
    SSL_CTX_set_options(context->device, SSL_OP_NO_TICKET);
    return SSL_CTX_set_num_tickets(context->device, 0) == 1;
}

/* Early data is never taken: who sends it again could be anybody (RFC 8446, section 8). */
static bool init_device(struct tls_context *context, const struct tls_settings *settings)
{
    SSL_CTX_set_alpn_select_cb(context->device, answer_alpn, NULL);
    SSL_CTX_set_dh_auto(context->device, 1);
    return set_common(context->device, settings) && init_tickets(context, settings) &&
           SSL_CTX_set_max_early_data(context->device, 0) == 1 &&
           SSL_CTX_set_recv_max_early_data(context->device, EARLY_DATA_SKIPPED) == 1;
}

static bool init_origin(struct tls_context *context, const struct tls_settings *settings)
{
    context->rules =
        (struct verify_rules){.trust = settings->trust,
                              .authority = settings->authority,
                              .staples = settings->staples,
                              .verified = settings->staples ? NULL : &context->verified};
    if (settings->intermediates != NULL &&
        (context->rules.intermediates = X509_chain_up_ref(settings->intermediates)) == NULL)
        return false;
    context->sessions = sessions_new(SESSIONS_LIMIT);
    if (context->sessions == NULL || !set_common(context->origin, settings))
        return false;
    verify_context(context->origin, &context->rules);
    /* A handshake that resumes brings no staple. */
    if (!settings->staples)
        sessions_context(context->origin);
    return true;
}

bool tls_context_init(struct tls_context *context, const struct tls_settings *settings)
{
    *context = (struct tls_context){
        .device = SSL_CTX_new_ex(library_context(), NULL, TLS_server_method()),
        .origin = SSL_CTX_new_ex(library_context(), NULL, TLS_client_method()),
    };
    if (context->device != NULL && context->origin != NULL && init_device(context, settings) &&
        init_origin(context, settings))
        return true;
    log_error("OpenSSL cannot be set up: %s", ERR_reason_error_string(ERR_peek_error()));
    ERR_clear_error();
    tls_context_fini(context);
    return false;
}

void tls_context_fini(struct tls_context *context)
{
    SSL_CTX_free(context->device);
    SSL_CTX_free(context->origin);
    tickets_fini(&context->tickets);
    sessions_free(context->sessions);
    sk_X509_pop_free(context->rules.intermediates, X509_free);
    *context = (struct tls_context){0};
}

bool tls_set_min_version(SSL *ssl, int version)
{
    SSL_set_security_level(ssl, version < TLS1_2_VERSION ? 0 : 1);
    return SSL_set_min_proto_version(ssl, version) == 1;
}

void tls_allow_legacy_server(SSL *ssl)
{
    SSL_set_security_level(ssl, 0);
    SSL_set_options(ssl, SSL_OP_LEGACY_SERVER_CONNECT);
}

void *tls_keylog_context(const SSL *ssl)
{
    return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}
