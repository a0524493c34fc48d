/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * mbedtls_client CA ADDRESS PORT NAME   asks for /hello over TLS by mbedTLS, as small devices do,
 * and prints the answer. Exit status: 0, or 2 if the server was not accepted. */
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(int result, const char *what)
{
    if (result == 0)
        return;
    fprintf(stderr, "%s: -0x%04x\n", what, (unsigned)-result);
    exit(strcmp(what, "handshake") == 0 ? 2 : 1);
}

int main(int count, char **arguments)
{
    mbedtls_net_context net;
    mbedtls_ssl_context ssl;
    mbedtls_ssl_config config;
    mbedtls_x509_crt ca;
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context random;
    unsigned char buffer[4096];
    if (count != 5)
        return 1;
    mbedtls_net_init(&net);
    mbedtls_ssl_init(&ssl);
    mbedtls_ssl_config_init(&config);
    mbedtls_x509_crt_init(&ca);
    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&random);
    must(mbedtls_ctr_drbg_seed(&random, mbedtls_entropy_func, &entropy, NULL, 0), "random");
    must(mbedtls_x509_crt_parse_file(&ca, arguments[1]), "CA");
    must(mbedtls_net_connect(&net, arguments[2], arguments[3], MBEDTLS_NET_PROTO_TCP), "connect");
    must(mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                     MBEDTLS_SSL_PRESET_DEFAULT),
         "defaults");
    mbedtls_ssl_conf_authmode(&config, MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_ca_chain(&config, &ca, NULL);
    mbedtls_ssl_conf_rng(&config, mbedtls_ctr_drbg_random, &random);
    must(mbedtls_ssl_setup(&ssl, &config), "setup");
    must(mbedtls_ssl_set_hostname(&ssl, arguments[4]), "name");
    mbedtls_ssl_set_bio(&ssl, &net, mbedtls_net_send, mbedtls_net_recv, NULL);
    must(mbedtls_ssl_handshake(&ssl), "handshake");
    const char request[] = "GET /hello HTTP/1.0\r\n\r\n";
    if (mbedtls_ssl_write(&ssl, (const unsigned char *)request, sizeof(request) - 1) < 0)
        return 1;
    for (int length; (length = mbedtls_ssl_read(&ssl, buffer, sizeof(buffer))) > 0;)
        fwrite(buffer, 1, (size_t)length, stdout);
    mbedtls_ssl_close_notify(&ssl);
    return 0;
}
