/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The first datagrams of a flow, each behind its length of two bytes; the last one may be cut. */
#include "fuzz.h"
#include "tls/hello.h"
#include "tls/quic.h"

#include <string.h>

#define DATAGRAMS_LIMIT 8

static struct quic_reader *quic;

/* In memory of just its size. */
static enum quic_result read_copy(struct quic_hello *hello, struct reader datagram)
{
    uint8_t *copy = calloc(datagram.left > 0 ? datagram.left : 1, 1);
    must_hold(copy != NULL);
    if (datagram.left > 0)
        memcpy(copy, datagram.at, datagram.left);
    enum quic_result result = quic_read(quic, hello, copy, datagram.left);
    if (result == QUIC_COMPLETE && crypto_stream_message(&hello->stream) == 0)
        abort();
    if (datagram.left < QUIC_DATAGRAM_MINIMUM)
        must_hold(quic_version(copy, datagram.left) == 0);
    free(copy);
    return result;
}

static void check_hello(const struct quic_hello *hello)
{
    struct hello parsed;
    size_t length = crypto_stream_message(&hello->stream);
    must_hold(length > 0 && length <= CRYPTO_STREAM_LIMIT && length <= hello->stream.whole);
    if (hello_parse_message(&parsed, hello->stream.bytes, length) == HELLO_COMPLETE)
        must_hold(memchr(parsed.name, '\0', sizeof parsed.name) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static struct quic_hello hello, again;
    struct reader reader = reader_of(bytes, length);
    if (quic == NULL)
        quic = quic_reader_new();
    must_hold(quic != NULL);
    memset(&hello, 0, sizeof hello);
    memset(&again, 0, sizeof again);
    for (size_t i = 0; i < DATAGRAMS_LIMIT && reader.left >= 2; i++) {
        size_t size = read_u16(&reader);
        struct reader datagram = read_part(&reader, size < reader.left ? size : reader.left);
        enum quic_result result = read_copy(&hello, datagram);
        must_hold(result == read_copy(&again, datagram));
        must_hold(memcmp(&hello.stream, &again.stream, sizeof hello.stream) == 0);
        must_hold(hello.begun || result == QUIC_NONE);
        if (result == QUIC_COMPLETE)
            check_hello(&hello);
    }
    return 0;
}
