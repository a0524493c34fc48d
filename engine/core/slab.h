/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * slab.h - blocks of one size, kept for reuse by the thread that frees them.
 *
 * One thread. At most `spare_limit` free blocks are kept, so memory follows the load down again. */
#ifndef CORE_SLAB_H
#define CORE_SLAB_H

#include "core/macros.h"

struct slab {
    size_t block_size;
    size_t spares, spare_limit;
    void *free; /* each free block starts with a pointer to the next */
};

void slab_init(struct slab *slab, size_t block_size, size_t spare_limit);
void slab_fini(struct slab *slab);

/* Not cleared; NULL if there is no memory. */
void *slab_alloc(struct slab *slab) must_check;
void slab_free(struct slab *slab, void *block);

#endif
