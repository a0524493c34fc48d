/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The frames of packets that were opened, those of each packet behind their length of two bytes:
 * what is in them is a stranger's, encrypted or not. */
#include "fuzz.h"
#include "tls/crypto_stream.h"
#include "tls/hello.h"

#include <string.h>

#define PACKETS_LIMIT 16

static bool read_copy(struct crypto_stream *stream, struct reader frames)
{
    uint8_t *copy = calloc(frames.left > 0 ? frames.left : 1, 1);
    must_hold(copy != NULL);
    if (frames.left > 0)
        memcpy(copy, frames.at, frames.left);
    bool good = crypto_stream_read(stream, copy, frames.left);
    free(copy);
    return good;
}

static size_t split(const uint8_t *bytes, size_t length, struct reader packets[PACKETS_LIMIT])
{
    struct reader reader = reader_of(bytes, length);
    size_t count = 0;
    while (count < PACKETS_LIMIT && reader.left >= 2) {
        size_t size = read_u16(&reader);
        packets[count++] = read_part(&reader, size < reader.left ? size : reader.left);
    }
    return count;
}

static void check_stream(const struct crypto_stream *stream)
{
    struct hello hello;
    size_t length = crypto_stream_message(stream);
    must_hold(stream->whole <= CRYPTO_STREAM_LIMIT && length <= stream->whole);
    for (size_t i = 0; i < stream->whole; i++)
        must_hold(stream->there[i / 8] >> i % 8 & 1);
    if (length > 0)
        (void)hello_parse_message(&hello, stream->bytes, length);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static struct crypto_stream forward, backward;
    struct reader packets[PACKETS_LIMIT];
    size_t count = split(bytes, length, packets);
    bool good = true, also_good = true;
    memset(&forward, 0, sizeof forward);
    memset(&backward, 0, sizeof backward);
    for (size_t i = 0; i < count && good; i++) {
        good = read_copy(&forward, packets[i]);
        if (good)
            check_stream(&forward);
    }
    for (size_t i = count; i-- > 0 && also_good;)
        also_good = read_copy(&backward, packets[i]);
    /* Packets come in any order, and it is the same in each. */
    must_hold(good == also_good);
    if (good)
        must_hold(memcmp(&forward, &backward, sizeof forward) == 0);
    return 0;
}
