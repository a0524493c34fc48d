/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/ring.h"

#include <string.h>

/* Each record is a header and its bytes, and starts at a multiple of the header's size. */
struct header {
    uint32_t length;
    uint32_t tag;
};

/* Stands where a length would: the next record starts at the ring's beginning. */
#define WRAPPED UINT32_MAX

bool ring_init(struct ring *ring, size_t size)
{
    CHECK(size >= 64 && (size & (size - 1)) == 0);
    ring->bytes = malloc(size);
    ring->size = size;
    atomic_init(&ring->head, 0);
    atomic_init(&ring->tail, 0);
    return ring->bytes != NULL;
}

void ring_fini(struct ring *ring)
{
    free(ring->bytes);
    ring->bytes = NULL;
}

static size_t space_of(size_t length)
{
    const size_t unit = sizeof(struct header);
    return unit + (length + unit - 1) / unit * unit;
}

/* Where the next record goes, and how much before it is skipped, since it would not fit there in
 * one piece. False if there is no room for it. */
static bool find_place(const struct ring *ring, size_t length, size_t *tail, size_t *skip)
{
    *tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    size_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
    size_t to_end = ring->size - (*tail & (ring->size - 1));
    size_t need = space_of(length);
    *skip = need > to_end ? to_end : 0;
    return length < ring->size && need + *skip <= ring->size - (*tail - head);
}

bool ring_fits(const struct ring *ring, size_t length)
{
    size_t tail, skip;
    return find_place(ring, length, &tail, &skip);
}

bool ring_put(struct ring *ring, uint32_t tag, const void *record, size_t length)
{
    return ring_put_two(ring, tag, record, length, NULL, 0);
}

bool ring_put_two(struct ring *ring, uint32_t tag, const void *first, size_t first_length,
                  const void *second, size_t second_length)
{
    const size_t length = first_length + second_length;
    size_t tail, skip;
    if (!find_place(ring, length, &tail, &skip))
        return false;

    size_t offset = tail & (ring->size - 1);
    struct header header = {.length = WRAPPED};
    if (skip > 0) {
        memcpy(ring->bytes + offset, &header, sizeof(header));
        offset = 0;
    }
    header = (struct header){.length = (uint32_t)length, .tag = tag};
    memcpy(ring->bytes + offset, &header, sizeof(header));
    memcpy(ring->bytes + offset + sizeof(header), first, first_length);
    if (second_length > 0)
        memcpy(ring->bytes + offset + sizeof(header) + first_length, second, second_length);
    atomic_store(&ring->tail, tail + skip + space_of(length));
    return true;
}

/* Finds the oldest record, past a wrap mark; false if the ring is empty. */
static bool find_oldest(struct ring *ring, size_t *head, struct header *header)
{
    *head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    if (*head == atomic_load(&ring->tail))
        return false;
    size_t offset = *head & (ring->size - 1);
    memcpy(header, ring->bytes + offset, sizeof(*header));
    if (header->length == WRAPPED) {
        *head += ring->size - offset;
        memcpy(header, ring->bytes, sizeof(*header));
    }
    return true;
}

const void *ring_peek(struct ring *ring, uint32_t *tag, size_t *length)
{
    size_t head;
    struct header header;
    if (!find_oldest(ring, &head, &header))
        return NULL;
    *tag = header.tag;
    *length = header.length;
    return ring->bytes + (head & (ring->size - 1)) + sizeof(header);
}

void ring_consume(struct ring *ring)
{
    size_t head;
    struct header header;
    if (find_oldest(ring, &head, &header))
        atomic_store_explicit(&ring->head, head + space_of(header.length), memory_order_release);
}
