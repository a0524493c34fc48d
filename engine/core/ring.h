/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * ring.h - a queue of byte records between one writing and one reading thread.
 *
 * Neither side ever waits: a record that does not fit is refused. What a record's writer has
 * written and what its reader has read stand in one order with all other sequentially consistent
 * accesses: a writer that asks, behind a record, whether the reader sleeps, and a reader that looks
 * once more when it has said so, do not miss each other. */
#ifndef CORE_RING_H
#define CORE_RING_H

#include "core/macros.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct ring {
    unsigned char *bytes;
    size_t size;                      /* a power of two */
    _Alignas(64) _Atomic size_t head; /* the reader's: everything before it is consumed */
    _Alignas(64) _Atomic size_t tail; /* the writer's: everything before it is readable */
};

bool ring_init(struct ring *ring, size_t size) must_check;
void ring_fini(struct ring *ring);

/* Writer: copies the record in, with a tag for the reader. False if there is no room for it. */
bool ring_put(struct ring *ring, uint32_t tag, const void *record, size_t length) must_check;

/* The same for a record in two pieces, one behind the other; the second may be empty. */
bool ring_put_two(struct ring *ring, uint32_t tag, const void *first, size_t first_length,
                  const void *second, size_t second_length) must_check;

/* Writer: whether a record of that length would be taken. */
bool ring_fits(const struct ring *ring, size_t length);

/* Reader: the oldest record, which stays valid until ring_consume(); NULL if there is none. */
const void *ring_peek(struct ring *ring, uint32_t *tag, size_t *length);
void ring_consume(struct ring *ring);

#endif
