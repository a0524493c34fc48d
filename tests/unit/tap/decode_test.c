/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/decode.h"

#include <brotli/encode.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>
#include <zstd.h>

#include <cmocka.h>

#define PLAIN_SIZE 300000

static uint8_t plain[PLAIN_SIZE], out[PLAIN_SIZE + 1];
static size_t length;

/* Text that can be compressed, but not to nothing. */
static int make_plain(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(plain); i++)
        plain[i] = (uint8_t)('a' + (i * i / 7 + i / 100) % 26);
    return 0;
}

static size_t with_zlib(int window, const void *bytes, size_t count, uint8_t *encoded, size_t size)
{
    z_stream stream = {.next_in = (Bytef *)bytes,
                       .avail_in = (uInt)count,
                       .next_out = encoded,
                       .avail_out = (uInt)size};
    assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    deflateEnd(&stream);
    return stream.total_out;
}

static size_t with_brotli(const void *bytes, size_t count, uint8_t *encoded, size_t size)
{
    assert_true(BrotliEncoderCompress(11, 24, BROTLI_MODE_GENERIC, count, bytes, &size, encoded));
    return size;
}

static size_t encode(const char *encoding, const void *bytes, size_t count, uint8_t *encoded,
                     size_t size)
{
    if (strcmp(encoding, "gzip") == 0)
        return with_zlib(31, bytes, count, encoded, size);
    if (strcmp(encoding, "deflate") == 0)
        return with_zlib(15, bytes, count, encoded, size);
    if (strcmp(encoding, "Deflate") == 0) /* as some servers have it: without a wrapper */
        return with_zlib(-15, bytes, count, encoded, size);
    if (strcmp(encoding, "br") == 0)
        return with_brotli(bytes, count, encoded, size);
    return ZSTD_compress(encoded, size, bytes, count, 19);
}

static enum decode_result decode(const char *encoding, const uint8_t *bytes, size_t count,
                                 size_t size)
{
    /* In memory of just its size, so that a sanitizer sees a read past the end. */
    uint8_t *copy = malloc(count);
    assert_true(copy != NULL || count == 0);
    if (count > 0)
        memcpy(copy, bytes, count);
    enum decode_result result =
        decode_body(text_from(encoding, strlen(encoding)), copy, count, out, size, &length);
    free(copy);
    return result;
}

static const char *const encodings[] = {"gzip", "deflate", "Deflate", "br", "zstd"};

static void a_body_is_decoded(void **state)
{
    static uint8_t encoded[PLAIN_SIZE];
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(encodings); i++) {
        size_t count = encode(encodings[i], plain, sizeof(plain), encoded, sizeof(encoded));
        assert_int_equal(decode(encodings[i], encoded, count, sizeof(out)), DECODE_DONE);
        assert_int_equal(length, sizeof(plain));
        assert_memory_equal(out, plain, sizeof(plain));
        /* Just as much room as it needs. */
        assert_int_equal(decode(encodings[i], encoded, count, sizeof(plain)), DECODE_DONE);
    }
    size_t count = encode("gzip", "", 0, encoded, sizeof(encoded));
    assert_int_equal(decode(" X-GZIP\t", encoded, count, sizeof(out)), DECODE_DONE);
    assert_int_equal(length, 0);
}

static void the_start_of_a_body_is_decoded(void **state)
{
    static uint8_t encoded[PLAIN_SIZE];
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(encodings); i++) {
        size_t count = encode(encodings[i], plain, sizeof(plain), encoded, sizeof(encoded));
        (void)decode(encodings[i], encoded, count / 2, sizeof(out));
        assert_memory_equal(out, plain, length);
        assert_int_equal(decode(encodings[i], encoded, count, 1000), DECODE_CUT);
        assert_int_equal(length, 1000);
        assert_memory_equal(out, plain, 1000);
    }
}

static void a_bomb_is_no_more_than_there_is_room_for(void **state)
{
    static uint8_t zeros[16 << 20], encoded[1 << 20];
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(encodings); i++) {
        size_t count = encode(encodings[i], zeros, sizeof(zeros), encoded, sizeof(encoded));
        assert_true(count < 70000);
        assert_int_equal(decode(encodings[i], encoded, count, 65536), DECODE_CUT);
        assert_int_equal(length, 65536);
    }
}

static void what_is_no_such_encoding_is_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(encodings); i++)
        assert_int_equal(decode(encodings[i], (const uint8_t *)"\x99 nonsense", 10, 1000),
                         DECODE_FAILED);
    assert_int_equal(decode("compress", plain, 100, 1000), DECODE_FAILED);
    assert_int_equal(decode("gzip, br", plain, 100, 1000), DECODE_FAILED);
    assert_int_equal(decode("", plain, 100, 1000), DECODE_FAILED);
    assert_int_equal(decode("gzip", plain, 100, 0), DECODE_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_is_decoded),
        cmocka_unit_test(the_start_of_a_body_is_decoded),
        cmocka_unit_test(a_bomb_is_no_more_than_there_is_room_for),
        cmocka_unit_test(what_is_no_such_encoding_is_told),
    };
    return cmocka_run_group_tests_name("tap/decode", tests, make_plain, NULL);
}
