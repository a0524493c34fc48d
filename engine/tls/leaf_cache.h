/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * leaf_cache.h - certificates already forged, kept for reuse.
 *
 * Shared by all workers; every function may be called from any thread, and costs one shard's lock:
 * leaves are forged outside of it. The key is everything that the forgery depends on, the origin's
 * certificate by its SHA-256 first: never the name alone. */
#ifndef TLS_LEAF_CACHE_H
#define TLS_LEAF_CACHE_H

#include "tls/leaf.h"

struct leaf_cache;

struct leaf_cache_key {
    unsigned char bytes[32];
};

/* Keeps at most `limit` leaves; least recently used go first. */
struct leaf_cache *leaf_cache_new(size_t limit) must_check;
void leaf_cache_free(struct leaf_cache *cache);

/* The key of what is asked for. False if there is no memory. */
bool leaf_cache_key(const struct leaf_request *request, struct leaf_cache_key *key) must_check;

/* The leaf of this key, with a reference that the caller gives back with leaf_unref(); NULL if
 * there is none. */
struct leaf *leaf_cache_find(struct leaf_cache *cache, const struct leaf_cache_key *key) must_check;

/* Keeps a finished leaf, with a reference of its own; of two for the same key the first. */
void leaf_cache_keep(struct leaf_cache *cache, const struct leaf_cache_key *key, struct leaf *leaf);

struct leaf_cache_numbers {
    uint64_t hits, misses, leaves;
};
struct leaf_cache_numbers leaf_cache_numbers(struct leaf_cache *cache);

#endif
