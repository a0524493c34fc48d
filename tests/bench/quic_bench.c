/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a QUIC flow's first datagram costs the gate: to read the name in it, and to see that there
 * is none to be read. */
#include "../unit/tls/quic_vectors.h"
#include "core/macros.h"
#include "tls/hello.h"
#include "tls/quic.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define ROUNDS 50000

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void measure(struct quic_reader *quic, const char *what, const uint8_t *datagram,
                    size_t length)
{
    static struct quic_hello hello;
    struct hello parsed;
    size_t names = 0;
    double start = seconds();
    for (size_t i = 0; i < ROUNDS; i++) {
        memset(&hello, 0, sizeof(hello));
        if (quic_read(quic, &hello, datagram, length) == QUIC_COMPLETE &&
            hello_parse_message(&parsed, hello.stream.bytes,
                                crypto_stream_message(&hello.stream)) == HELLO_COMPLETE)
            names++;
    }
    printf("%-16s %6.2f us a datagram, %zu of %d names\n", what, (seconds() - start) / ROUNDS * 1e6,
           names, ROUNDS);
}

int main(void)
{
    uint8_t changed[sizeof(client_initial_v1)];
    struct quic_reader *quic = quic_reader_new();
    CHECK(quic != NULL);
    measure(quic, "version 1", client_initial_v1, sizeof(client_initial_v1));
    measure(quic, "version 2", client_initial_v2, sizeof(client_initial_v2));
    memcpy(changed, client_initial_v1, sizeof(changed));
    changed[sizeof(changed) - 1] ^= 1;
    measure(quic, "not authentic", changed, sizeof(changed));
    changed[4] = 9;
    measure(quic, "unknown version", changed, sizeof(changed));
    quic_reader_free(quic);
    return 0;
}
