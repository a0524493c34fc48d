/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/revocation.h"

#include "core/log.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <stdio.h>

/* ---- lists ---- */

static size_t add_all(X509_STORE *store, BIO *file)
{
    size_t count = 0;
    X509_CRL *list;
    while ((list = PEM_read_bio_X509_CRL(file, NULL, NULL, NULL)) != NULL) {
        count += X509_STORE_add_crl(store, list) == 1;
        X509_CRL_free(list);
    }
    if (count == 0 && BIO_reset(file) == 0 && (list = d2i_X509_CRL_bio(file, NULL)) != NULL) {
        count += X509_STORE_add_crl(store, list) == 1;
        X509_CRL_free(list);
    }
    ERR_clear_error();
    return count;
}

static void load_file(X509_STORE *store, const char *directory, const char *name)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof(path), "%s/%s", directory, name) >= (int)sizeof(path))
        return;
    BIO *file = BIO_new_file(path, "rb");
    if (file == NULL || add_all(store, file) == 0)
        log_warning("%s: no revocation list can be read from it", path);
    BIO_free(file);
    ERR_clear_error();
}

bool revocation_load_lists(X509_STORE *store, const char *directory)
{
    DIR *files = opendir(directory);
    const struct dirent *file;
    if (files == NULL)
        return false;
    while ((file = readdir(files)) != NULL)
        if (file->d_name[0] != '.')
            load_file(store, directory, file->d_name);
    closedir(files);
    return X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL) == 1;
}

/* ---- staples ---- */

static OCSP_BASICRESP *stapled_response(SSL *ssl)
{
    const unsigned char *der;
    long length = SSL_get_tlsext_status_ocsp_resp(ssl, &der);
    OCSP_RESPONSE *response = length > 0 ? d2i_OCSP_RESPONSE(NULL, &der, length) : NULL;
    OCSP_BASICRESP *basic = NULL;
    if (response != NULL && OCSP_response_status(response) == OCSP_RESPONSE_STATUS_SUCCESSFUL)
        basic = OCSP_response_get1_basic(response);
    OCSP_RESPONSE_free(response);
    return basic;
}

/* Responders choose the digest that names the certificate. */
static bool is_about(const OCSP_CERTID *id, X509 *certificate, X509 *issuer)
{
    ASN1_OBJECT *algorithm;
    if (OCSP_id_get0_info(NULL, &algorithm, NULL, NULL, (OCSP_CERTID *)id) != 1)
        return false;
    const EVP_MD *digest = EVP_get_digestbyobj(algorithm);
    OCSP_CERTID *own = digest != NULL ? OCSP_cert_to_id(digest, certificate, issuer) : NULL;
    bool same = own != NULL && OCSP_id_cmp(own, id) == 0;
    OCSP_CERTID_free(own);
    return same;
}

static bool says_revoked(OCSP_BASICRESP *basic, X509 *certificate, X509 *issuer)
{
    for (int i = 0; i < OCSP_resp_count(basic); i++) {
        OCSP_SINGLERESP *single = OCSP_resp_get0(basic, i);
        if (is_about(OCSP_SINGLERESP_get0_id(single), certificate, issuer) &&
            OCSP_single_get0_status(single, NULL, NULL, NULL, NULL) == V_OCSP_CERTSTATUS_REVOKED)
            return true;
    }
    return false;
}

/* How old the response is does not matter: a certificate that was revoked stays so. */
bool revocation_is_stapled(SSL *ssl, X509_STORE *trust)
{
    STACK_OF(X509) *chain = SSL_get0_verified_chain(ssl);
    OCSP_BASICRESP *basic = sk_X509_num(chain) > 1 ? stapled_response(ssl) : NULL;
    bool revoked = basic != NULL && OCSP_basic_verify(basic, chain, trust, 0) == 1 &&
                   says_revoked(basic, sk_X509_value(chain, 0), sk_X509_value(chain, 1));
    OCSP_BASICRESP_free(basic);
    ERR_clear_error();
    return revoked;
}
