/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/hpack.h"

#define FIRST_TABLE 4096 /* RFC 9113, section 6.5.2 */

static void *take(size_t size, void *tap)
{
    return tap_realloc(tap, NULL, size);
}

static void give_back(void *memory, void *tap)
{
    tap_free(tap, memory);
}

static void *take_zeroed(size_t count, size_t size, void *tap)
{
    return tap_alloc(tap, count * size);
}

static void *take_more(void *memory, size_t size, void *tap)
{
    return tap_realloc(tap, memory, size);
}

bool hpack_init(struct hpack *hpack, struct tap *tap)
{
    hpack->tap = tap;
    hpack->allowed = FIRST_TABLE;
    hpack->memory = (nghttp2_mem){.mem_user_data = tap,
                                  .malloc = take,
                                  .free = give_back,
                                  .calloc = take_zeroed,
                                  .realloc = take_more};
    return nghttp2_hd_inflate_new2(&hpack->inflater, &hpack->memory) == 0;
}

void hpack_fini(struct hpack *hpack)
{
    if (hpack->inflater != NULL)
        nghttp2_hd_inflate_del(hpack->inflater);
    hpack->inflater = NULL;
}

/* It is refused in the middle of a header block, where an acknowledgement cannot be either. */
static void change(struct hpack *hpack, uint32_t size)
{
    if (nghttp2_hd_inflate_change_table_size(hpack->inflater, size) == 0)
        hpack->allowed = size;
}

/* Some senders use a larger table before they acknowledge it, and none may use one that has become
 * smaller after that. */
void hpack_settings(struct hpack *hpack, const uint32_t *size)
{
    uint32_t last =
        hpack->pending_count > 0 ? hpack->pending[hpack->pending_count - 1] : hpack->allowed;
    uint32_t wanted = size == NULL ? last : *size < HPACK_TABLE ? *size : HPACK_TABLE;
    if (hpack->pending_count < HPACK_PENDING)
        hpack->pending[hpack->pending_count++] = wanted;
    if (wanted > hpack->allowed)
        change(hpack, wanted);
}

void hpack_acknowledged(struct hpack *hpack)
{
    if (hpack->pending_count == 0)
        return;
    uint32_t size = hpack->pending[0];
    hpack->pending_count--;
    memmove(hpack->pending, hpack->pending + 1, hpack->pending_count * sizeof(hpack->pending[0]));
    if (size != hpack->allowed)
        change(hpack, size);
}

bool hpack_read(struct hpack *hpack, const uint8_t *bytes, size_t length, bool is_last,
                void (*see)(void *context, struct text name, struct text value), void *context)
{
    for (;;) {
        nghttp2_nv header;
        int flags = 0;
        ssize_t used =
            nghttp2_hd_inflate_hd2(hpack->inflater, &header, &flags, bytes, length, is_last);
        if (used < 0)
            return tap_fail(hpack->tap, "compressed headers: %s", nghttp2_strerror((int)used));
        bytes += used;
        length -= (size_t)used;
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0)
            see(context, text_from(header.name, header.namelen),
                text_from(header.value, header.valuelen));
        if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0)
            return nghttp2_hd_inflate_end_headers(hpack->inflater) == 0;
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) == 0 && length == 0)
            return true;
    }
}
