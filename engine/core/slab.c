/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/slab.h"

void slab_init(struct slab *slab, size_t block_size, size_t spare_limit)
{
    CHECK(block_size >= sizeof(void *));
    *slab = (struct slab){.block_size = block_size, .spare_limit = spare_limit};
}

void slab_fini(struct slab *slab)
{
    slab->spare_limit = 0;
    while (slab->free != NULL) {
        void *block = slab->free;
        slab->free = *(void **)block;
        free(block);
    }
}

void *slab_alloc(struct slab *slab)
{
    void *block = slab->free;
    if (block == NULL)
        return malloc(slab->block_size);
    slab->free = *(void **)block;
    slab->spares--;
    return block;
}

void slab_free(struct slab *slab, void *block)
{
    if (block == NULL)
        return;
    if (slab->spares >= slab->spare_limit) {
        free(block);
        return;
    }
    *(void **)block = slab->free;
    slab->free = block;
    slab->spares++;
}
