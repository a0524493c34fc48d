/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * arena.h - memory that is given back all at once, with its owner: a connection, a configuration.
 *
 * All-zero is a valid, empty arena. One thread at a time. */
#ifndef CORE_ARENA_H
#define CORE_ARENA_H

#include "core/macros.h"

#include <stdint.h>

struct arena_block;

struct arena {
    struct arena_block *blocks;
    size_t used, size; /* of the newest block */
};

/* `size` zeroed bytes, aligned for any type; NULL if there is no memory. */
void *arena_alloc(struct arena *arena, size_t size) must_check;

/* A copy of `length` bytes with a NUL behind; NULL if there is no memory. */
char *arena_copy(struct arena *arena, const void *bytes, size_t length) must_check;
char *arena_strdup(struct arena *arena, const char *text) must_check;

/* What is in `from` lives on as long as what is in `arena`; `from` is empty then. */
void arena_adopt(struct arena *arena, struct arena *from);

/* Frees everything; the arena is empty and may be used again. */
void arena_fini(struct arena *arena);

#endif
