/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * leaf_cache.h - certificates already forged, kept for reuse.
 *
 * Shared by all workers; every function may be called from any thread. A hit costs one shard's
 * lock; a miss is forged outside of it, so two workers may forge the same leaf and the second copy
 * is dropped. The key is everything that the forgery depends on, the origin's certificate by its
 * SHA-256 first: never the name alone. */
#ifndef TLS_LEAF_CACHE_H
#define TLS_LEAF_CACHE_H

#include "tls/leaf.h"

struct leaf_cache;

/* Keeps at most `limit` leaves; least recently used go first. Borrows authority and keys. */
struct leaf_cache *leaf_cache_new(const struct authority *authority, const struct leaf_keys *keys,
                                  size_t limit) must_check;
void leaf_cache_free(struct leaf_cache *cache);

/* The leaf for this request. The caller has a reference, and gives it back with leaf_unref().
 * *cached tells whether it was there already. NULL if forging failed. */
struct leaf *leaf_cache_get(struct leaf_cache *cache, const struct leaf_request *request,
                            bool *cached) must_check;

struct leaf_cache_numbers {
    uint64_t hits, misses, leaves;
};
struct leaf_cache_numbers leaf_cache_numbers(struct leaf_cache *cache);

#endif
