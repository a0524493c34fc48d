/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * wolfssl_client CA ADDRESS PORT NAME   asks for /hello over TLS by wolfSSL, as small devices do,
 * and prints the answer. Exit status: 0, or 2 if the server was not accepted. */
#include <wolfssl/options.h>

#include <wolfssl/ssl.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static int connected(const char *address, const char *port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((in_port_t)atoi(port))};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || inet_pton(AF_INET, address, &to.sin_addr) != 1 ||
        connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0) {
        perror("connect");
        exit(1);
    }
    return fd;
}

int main(int count, char **arguments)
{
    char buffer[4096];
    const char request[] = "GET /hello HTTP/1.0\r\n\r\n";
    if (count != 5 || wolfSSL_Init() != WOLFSSL_SUCCESS)
        return 1;
    WOLFSSL_CTX *context = wolfSSL_CTX_new(wolfSSLv23_client_method());
    if (context == NULL ||
        wolfSSL_CTX_load_verify_locations(context, arguments[1], NULL) != WOLFSSL_SUCCESS)
        return 1;
    wolfSSL_CTX_set_verify(context, WOLFSSL_VERIFY_PEER, NULL); /* not Debian's default */
    WOLFSSL *ssl = wolfSSL_new(context);
    const char *name = arguments[4];
    if (ssl == NULL ||
        wolfSSL_UseSNI(ssl, WOLFSSL_SNI_HOST_NAME, name, (unsigned short)strlen(name)) !=
            WOLFSSL_SUCCESS ||
        wolfSSL_check_domain_name(ssl, name) != WOLFSSL_SUCCESS ||
        wolfSSL_set_fd(ssl, connected(arguments[2], arguments[3])) != WOLFSSL_SUCCESS)
        return 1;
    if (wolfSSL_connect(ssl) != WOLFSSL_SUCCESS) {
        fprintf(stderr, "handshake: %d\n", wolfSSL_get_error(ssl, 0));
        return 2;
    }
    if (wolfSSL_write(ssl, request, sizeof(request) - 1) <= 0)
        return 1;
    for (int length; (length = wolfSSL_read(ssl, buffer, sizeof(buffer))) > 0;)
        fwrite(buffer, 1, (size_t)length, stdout);
    wolfSSL_shutdown(ssl);
    return 0;
}
