/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * hpack.h - undoes HTTP/2's header compression (RFC 7541) in one direction, with nghttp2's
 * inflater.
 *
 * Memory: the dynamic table, which is as large as the receiver has allowed, HPACK_TABLE at most by
 * HPACK's own count; nghttp2 takes about five times that for the smallest of entries. All of it is
 * the tap's (tap_alloc()). */
#ifndef TAP_HPACK_H
#define TAP_HPACK_H

#include "tap/tap.h"

#include <nghttp2/nghttp2.h>

/* A receiver that allows more is not believed: a sender that uses it is not followed. */
#define HPACK_TABLE 65536
/* SETTINGS that are under way. */
#define HPACK_PENDING 8

struct hpack {
    struct tap *tap;
    nghttp2_mem memory;
    nghttp2_hd_inflater *inflater;
    uint32_t allowed;                /* the table's size */
    uint32_t pending[HPACK_PENDING]; /* what it will be at each acknowledgement, the oldest first */
    size_t pending_count;
};

/* False if there is no memory. */
bool hpack_init(struct hpack *hpack, struct tap *tap) must_check;
void hpack_fini(struct hpack *hpack);

/* The receiver has sent SETTINGS; with a size for the table, or with that of before. */
void hpack_settings(struct hpack *hpack, const uint32_t *size);

/* The sender has acknowledged the oldest of them. */
void hpack_acknowledged(struct hpack *hpack);

/* Reads more of a header block, and calls `see` for each header. False, with the tap's reason, if
 * it cannot be read. */
bool hpack_read(struct hpack *hpack, const uint8_t *bytes, size_t length, bool is_last,
                void (*see)(void *context, struct text name, struct text value),
                void *context) must_check;

#endif
