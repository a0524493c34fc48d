/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/permessage.h"

/* What goes beyond the start of a message is inflated into this, and forgotten. */
#define WASTE_SIZE 4096

/* ---- what was agreed on ---- */

/* The next piece of `text` up to the separator, without blanks around it; `text` is what follows.
 */
static struct text next_piece(struct text *text, char separator)
{
    const char *end = text->length > 0 ? memchr(text->at, separator, text->length) : NULL;
    struct text piece = text_from(text->at, end != NULL ? (size_t)(end - text->at) : text->length);
    size_t used = piece.length + (end != NULL ? 1 : 0);
    *text = text_from(text->at + used, text->length - used);
    while (piece.length > 0 && (*piece.at == ' ' || *piece.at == '\t'))
        piece = text_from(piece.at + 1, piece.length - 1);
    while (piece.length > 0 &&
           (piece.at[piece.length - 1] == ' ' || piece.at[piece.length - 1] == '\t'))
        piece.length--;
    return piece;
}

struct permessage_terms permessage_read(struct text extensions)
{
    struct permessage_terms terms = {0};
    while (extensions.length > 0 && !terms.agreed) {
        struct text extension = next_piece(&extensions, ',');
        terms.agreed = text_is_nocase(next_piece(&extension, ';'), "permessage-deflate");
        while (terms.agreed && extension.length > 0) {
            struct text parameter = next_piece(&extension, ';');
            if (text_is_nocase(parameter, "server_no_context_takeover"))
                terms.forgets[0] = true;
            else if (text_is_nocase(parameter, "client_no_context_takeover"))
                terms.forgets[1] = true;
        }
    }
    return terms;
}

/* ---- inflating ---- */

static void *take(void *tap, unsigned count, unsigned size)
{
    return tap_alloc(tap, (size_t)count * size);
}

static void give_back(void *tap, void *memory)
{
    tap_free(tap, memory);
}

void permessage_fini(struct permessage *inflater)
{
    if (inflater->begun)
        inflateEnd(&inflater->stream);
    inflater->begun = false;
}

/* The next message may refer to what was in this one, so there is no next one. */
static void give_up(struct permessage *inflater)
{
    inflater->failed = true;
    permessage_fini(inflater);
}

/* The window is the largest that could have been agreed on: it can read what has a smaller one. */
void permessage_start(struct permessage *inflater, struct tap *tap, bool forgets)
{
    inflater->length = 0;
    if (inflater->failed)
        return;
    if (!inflater->begun) {
        inflater->stream = (z_stream){.zalloc = take, .zfree = give_back, .opaque = tap};
        inflater->begun = inflateInit2(&inflater->stream, -15) == Z_OK;
        inflater->failed = !inflater->begun;
    } else if (forgets) {
        (void)inflateReset(&inflater->stream);
    }
}

void permessage_inflate(struct permessage *inflater, const uint8_t *bytes, size_t count,
                        uint8_t *out, size_t size, size_t *kept)
{
    uint8_t waste[WASTE_SIZE];
    z_stream *stream = &inflater->stream;
    if (inflater->failed || !inflater->begun)
        return;
    stream->next_in = (Bytef *)bytes;
    stream->avail_in = (uInt)count;
    do {
        bool keeps = *kept < size;
        size_t room = keeps ? size - *kept : sizeof(waste);
        stream->next_out = keeps ? out + *kept : waste;
        stream->avail_out = (uInt)room;
        int result = inflate(stream, Z_SYNC_FLUSH);
        size_t made = room - stream->avail_out;
        inflater->length += made;
        *kept += keeps ? made : 0;
        if (result == Z_STREAM_END) /* RFC 7692, section 7.2.3.5: a message's last block */
            (void)inflateReset(stream);
        else if (result != Z_OK && result != Z_BUF_ERROR)
            give_up(inflater);
        if (inflater->length > PERMESSAGE_LIMIT)
            give_up(inflater);
    } while (!inflater->failed && (stream->avail_in > 0 || stream->avail_out == 0));
}

/* RFC 7692, section 7.2.2: these bytes were taken off the end. */
void permessage_end(struct permessage *inflater, uint8_t *out, size_t size, size_t *kept)
{
    static const uint8_t tail[] = {0x00, 0x00, 0xff, 0xff};
    permessage_inflate(inflater, tail, sizeof(tail), out, size, kept);
}
