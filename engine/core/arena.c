/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/arena.h"

#include <stdalign.h>
#include <string.h>

#define BLOCK_SIZE 2000 /* with malloc's own header, just under half a page */

struct arena_block {
    struct arena_block *next;
    alignas(max_align_t) unsigned char bytes[];
};

void *arena_alloc(struct arena *arena, size_t size)
{
    const size_t alignment = alignof(max_align_t);
    if (size > SIZE_MAX / 2)
        return NULL;
    size = (size + alignment - 1) & ~(alignment - 1);
    if (arena->blocks == NULL || size > arena->size - arena->used) {
        size_t block_size = size > BLOCK_SIZE ? size : BLOCK_SIZE;
        struct arena_block *block = malloc(sizeof(*block) + block_size);
        if (block == NULL)
            return NULL;
        block->next = arena->blocks;
        arena->blocks = block;
        arena->used = 0;
        arena->size = block_size;
    }
    void *memory = arena->blocks->bytes + arena->used;
    arena->used += size;
    return memset(memory, 0, size);
}

char *arena_copy(struct arena *arena, const void *bytes, size_t length)
{
    char *copy = arena_alloc(arena, length + 1);
    if (copy != NULL && length > 0)
        memcpy(copy, bytes, length);
    return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
    return arena_copy(arena, text, strlen(text));
}

void arena_adopt(struct arena *arena, struct arena *from)
{
    struct arena_block **last = &from->blocks;
    if (from->blocks == NULL)
        return;
    while (*last != NULL)
        last = &(*last)->next;
    *last = arena->blocks;
    *arena = *from;
    *from = (struct arena){0};
}

void arena_fini(struct arena *arena)
{
    while (arena->blocks != NULL) {
        struct arena_block *block = arena->blocks;
        arena->blocks = block->next;
        free(block);
    }
    arena->used = arena->size = 0;
}
