/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/decode.h"

#include <brotli/decode.h>
#include <zlib.h>
#include <zstd.h>

/* The largest window that is decoded: 2 to the power of this. */
#define ZSTD_WINDOW 23

/* ---- zlib ---- */

/* `window` as inflateInit2() has it. */
static enum decode_result run_zlib(int window, const uint8_t *bytes, size_t count, uint8_t *out,
                                   size_t size, size_t *length)
{
    z_stream stream = {.next_in = (Bytef *)bytes,
                       .avail_in = (uInt)count,
                       .next_out = out,
                       .avail_out = (uInt)size};
    if (inflateInit2(&stream, window) != Z_OK)
        return DECODE_FAILED;
    int result = inflate(&stream, Z_SYNC_FLUSH);
    bool cut = stream.avail_out == 0 && result != Z_STREAM_END;
    *length = stream.total_out;
    inflateEnd(&stream);
    if (cut)
        return DECODE_CUT;
    return *length > 0 || result == Z_STREAM_END ? DECODE_DONE : DECODE_FAILED;
}

static enum decode_result run_gzip(const uint8_t *bytes, size_t count, uint8_t *out, size_t size,
                                   size_t *length)
{
    return run_zlib(15 + 16, bytes, count, out, size, length);
}

/* RFC 9110, section 8.4.1.2: with zlib's wrapper; some send it without. */
static enum decode_result run_deflate(const uint8_t *bytes, size_t count, uint8_t *out, size_t size,
                                      size_t *length)
{
    enum decode_result result = run_zlib(15, bytes, count, out, size, length);
    return result != DECODE_FAILED ? result : run_zlib(-15, bytes, count, out, size, length);
}

/* ---- brotli ---- */

struct purse {
    size_t left;
};

struct coin {
    _Alignas(max_align_t) size_t size;
};

static void *take(void *context, size_t size)
{
    struct purse *purse = context;
    struct coin *coin = size <= purse->left ? malloc(sizeof(*coin) + size) : NULL;
    if (coin == NULL)
        return NULL;
    coin->size = size;
    purse->left -= size;
    return coin + 1;
}

static void give_back(void *context, void *memory)
{
    struct purse *purse = context;
    if (memory == NULL)
        return;
    struct coin *coin = (struct coin *)memory - 1;
    purse->left += coin->size;
    free(coin);
}

static enum decode_result run_brotli(const uint8_t *bytes, size_t count, uint8_t *out, size_t size,
                                     size_t *length)
{
    struct purse purse = {.left = DECODE_MEMORY};
    size_t left = size;
    BrotliDecoderState *state = BrotliDecoderCreateInstance(take, give_back, &purse);
    if (state == NULL)
        return DECODE_FAILED;
    BrotliDecoderResult result =
        BrotliDecoderDecompressStream(state, &count, &bytes, &left, &out, NULL);
    BrotliDecoderDestroyInstance(state);
    *length = size - left;
    if (result == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT)
        return DECODE_CUT;
    return *length > 0 || result == BROTLI_DECODER_RESULT_SUCCESS ? DECODE_DONE : DECODE_FAILED;
}

/* ---- Zstandard ---- */

static enum decode_result run_zstd(const uint8_t *bytes, size_t count, uint8_t *out, size_t size,
                                   size_t *length)
{
    ZSTD_inBuffer input = {.src = bytes, .size = count};
    ZSTD_outBuffer output = {.dst = out, .size = size};
    ZSTD_DCtx *context = ZSTD_createDCtx();
    if (context == NULL)
        return DECODE_FAILED;
    ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, ZSTD_WINDOW);
    size_t result = 1;
    while (input.pos < input.size && output.pos < output.size && !ZSTD_isError(result))
        result = ZSTD_decompressStream(context, &output, &input);
    ZSTD_freeDCtx(context);
    *length = output.pos;
    if (!ZSTD_isError(result) && output.pos == size && (result != 0 || input.pos < input.size))
        return DECODE_CUT;
    return *length > 0 || result == 0 ? DECODE_DONE : DECODE_FAILED;
}

/* ---- by name ---- */

typedef enum decode_result (*decoder)(const uint8_t *bytes, size_t count, uint8_t *out, size_t size,
                                      size_t *length);

static decoder find_decoder(struct text name)
{
    static const struct {
        const char *name;
        decoder run;
    } decoders[] = {{"gzip", run_gzip},
                    {"x-gzip", run_gzip},
                    {"deflate", run_deflate},
                    {"br", run_brotli},
                    {"zstd", run_zstd}};
    for (size_t i = 0; i < ARRAY_SIZE(decoders); i++)
        if (text_is_nocase(name, decoders[i].name))
            return decoders[i].run;
    return NULL;
}

static struct text trim(struct text text)
{
    while (text.length > 0 && (*text.at == ' ' || *text.at == '\t'))
        text = text_from(text.at + 1, text.length - 1);
    while (text.length > 0 && (text.at[text.length - 1] == ' ' || text.at[text.length - 1] == '\t'))
        text.length--;
    return text;
}

enum decode_result decode_body(struct text encoding, const uint8_t *bytes, size_t count,
                               uint8_t *out, size_t size, size_t *length)
{
    decoder run = find_decoder(trim(encoding));
    *length = 0;
    if (run == NULL || size == 0)
        return DECODE_FAILED;
    return run(bytes, count, out, size, length);
}
