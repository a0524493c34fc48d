/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/leaf_cache.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

/* uthash's macros shadow and convert as they please. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include <uthash.h>

#define SHARDS 16
#define KEY_SIZE sizeof(struct leaf_cache_key)

struct entry {
    struct leaf_cache_key key;
    struct leaf *leaf;
    UT_hash_handle hh;
    TAILQ_ENTRY(entry) by_use; /* least recently used first */
};

struct shard {
    pthread_mutex_t lock;
    struct entry *entries;
    TAILQ_HEAD(entry_queue, entry) by_use;
    size_t count;
    uint64_t hits, misses;
};

struct leaf_cache {
    size_t shard_limit;
    struct shard shards[SHARDS];
};

struct leaf_cache *leaf_cache_new(size_t limit)
{
    struct leaf_cache *cache = calloc(1, sizeof(*cache));
    if (cache == NULL)
        return NULL;
    cache->shard_limit = (limit + SHARDS - 1) / SHARDS;
    for (size_t i = 0; i < SHARDS; i++) {
        pthread_mutex_init(&cache->shards[i].lock, NULL);
        TAILQ_INIT(&cache->shards[i].by_use);
    }
    return cache;
}

static void drop(struct shard *shard, struct entry *entry)
{
    HASH_DEL(shard->entries, entry);
    TAILQ_REMOVE(&shard->by_use, entry, by_use);
    shard->count--;
    leaf_unref(entry->leaf);
    free(entry);
}

void leaf_cache_free(struct leaf_cache *cache)
{
    if (cache == NULL)
        return;
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *shard = &cache->shards[i];
        while (!TAILQ_EMPTY(&shard->by_use))
            drop(shard, TAILQ_FIRST(&shard->by_use));
        pthread_mutex_destroy(&shard->lock);
    }
    free(cache);
}

bool leaf_cache_key(const struct leaf_request *request, struct leaf_cache_key *key)
{
    struct {
        unsigned char origin[EVP_MAX_MD_SIZE];
        int64_t not_before, not_after;
        uint32_t signer, leaf_key, good_dates;
        char name[256];
    } parts;
    memset(&parts, 0, sizeof(parts)); /* padding is hashed too */
    if (X509_digest(request->origin, EVP_sha256(), parts.origin, NULL) != 1)
        return false;
    parts.not_before = request->not_before;
    parts.not_after = request->not_after;
    parts.signer = request->signer;
    parts.leaf_key = request->key;
    parts.good_dates = request->good_dates;
    if (request->add_name != NULL)
        snprintf(parts.name, sizeof(parts.name), "%s", request->add_name);
    return EVP_Digest(&parts, sizeof(parts), key->bytes, NULL, EVP_sha256(), NULL) == 1;
}

static struct shard *shard_of(struct leaf_cache *cache, const struct leaf_cache_key *key)
{
    return &cache->shards[key->bytes[0] % SHARDS];
}

struct leaf *leaf_cache_find(struct leaf_cache *cache, const struct leaf_cache_key *key)
{
    struct shard *shard = shard_of(cache, key);
    struct entry *entry;
    struct leaf *leaf = NULL;
    pthread_mutex_lock(&shard->lock);
    HASH_FIND(hh, shard->entries, key, KEY_SIZE, entry);
    if (entry != NULL && entry->leaf->expires <= time(NULL)) {
        drop(shard, entry);
        entry = NULL;
    }
    if (entry != NULL) {
        TAILQ_REMOVE(&shard->by_use, entry, by_use);
        TAILQ_INSERT_TAIL(&shard->by_use, entry, by_use);
        leaf = leaf_ref(entry->leaf);
        shard->hits++;
    } else {
        shard->misses++;
    }
    pthread_mutex_unlock(&shard->lock);
    return leaf;
}

void leaf_cache_keep(struct leaf_cache *cache, const struct leaf_cache_key *key, struct leaf *leaf)
{
    struct shard *shard = shard_of(cache, key);
    struct entry *entry = calloc(1, sizeof(*entry));
    struct entry *other;
    if (entry == NULL)
        return;
    entry->key = *key;
    pthread_mutex_lock(&shard->lock);
    HASH_FIND(hh, shard->entries, key, KEY_SIZE, other);
    if (other != NULL) {
        free(entry);
    } else {
        entry->leaf = leaf_ref(leaf);
        HASH_ADD(hh, shard->entries, key, KEY_SIZE, entry);
        TAILQ_INSERT_TAIL(&shard->by_use, entry, by_use);
        if (++shard->count > cache->shard_limit)
            drop(shard, TAILQ_FIRST(&shard->by_use));
    }
    pthread_mutex_unlock(&shard->lock);
}

struct leaf_cache_numbers leaf_cache_numbers(struct leaf_cache *cache)
{
    struct leaf_cache_numbers numbers = {0};
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *shard = &cache->shards[i];
        pthread_mutex_lock(&shard->lock);
        numbers.hits += shard->hits;
        numbers.misses += shard->misses;
        numbers.leaves += shard->count;
        pthread_mutex_unlock(&shard->lock);
    }
    return numbers;
}
#pragma GCC diagnostic pop
