/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/learned.h"

#include <pthread.h>
#include <string.h>
#include <sys/queue.h>

/* uthash's macros shadow and convert as they please. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include <uthash.h>

#define ENTRIES_LIMIT 1024

/* "DEVICE HOST:PORT", the device by its MAC address if that is known. */
#define KEY_SIZE 384

struct entry {
    char key[KEY_SIZE];
    uint32_t refusals;
    uint64_t expires; /* ms */
    UT_hash_handle hh;
    TAILQ_ENTRY(entry) by_age; /* the oldest last refusal first, and so the first to expire */
};

struct learned {
    pthread_mutex_t lock;
    struct entry *entries;
    size_t count;
    TAILQ_HEAD(entry_queue, entry) by_age;
};

struct learned *learned_new(void)
{
    struct learned *learned = calloc(1, sizeof(*learned));
    CHECK(learned != NULL);
    pthread_mutex_init(&learned->lock, NULL);
    TAILQ_INIT(&learned->by_age);
    return learned;
}

static void drop(struct learned *learned, struct entry *entry)
{
    HASH_DEL(learned->entries, entry);
    TAILQ_REMOVE(&learned->by_age, entry, by_age);
    learned->count--;
    free(entry);
}

void learned_free(struct learned *learned)
{
    if (learned == NULL)
        return;
    while (!TAILQ_EMPTY(&learned->by_age))
        drop(learned, TAILQ_FIRST(&learned->by_age));
    pthread_mutex_destroy(&learned->lock);
    free(learned);
}

static void make_key(const struct flow *flow, char key[static KEY_SIZE])
{
    char device[INET6_ADDRSTRLEN], origin[ADDRESS_TEXT_SIZE], mac[MAC_TEXT_SIZE];
    const char *from =
        flow->has_mac ? mac_text(flow->mac, mac) : address_ip_text(&flow->device, device);
    if (flow->sni != NULL)
        snprintf(key, KEY_SIZE, "%s %s:%u", from, flow->sni, (unsigned)flow->origin.port);
    else
        snprintf(key, KEY_SIZE, "%s %s", from, address_text(&flow->origin, origin));
}

static struct entry *find(struct learned *learned, const char *key)
{
    struct entry *entry;
    HASH_FIND_STR(learned->entries, key, entry);
    return entry;
}

static void forget_expired(struct learned *learned, uint64_t now)
{
    struct entry *entry;
    while ((entry = TAILQ_FIRST(&learned->by_age)) != NULL && entry->expires <= now)
        drop(learned, entry);
}

bool learned_is_pinned(struct learned *learned, const struct learn_config *config,
                       const struct flow *flow, uint64_t now)
{
    char key[KEY_SIZE];
    if (config->mode != LEARN_AUTO)
        return false;
    make_key(flow, key);
    pthread_mutex_lock(&learned->lock);
    forget_expired(learned, now);
    const struct entry *entry = find(learned, key);
    bool pinned = entry != NULL && entry->refusals >= config->after;
    pthread_mutex_unlock(&learned->lock);
    return pinned;
}

static struct entry *find_or_add(struct learned *learned, const char *key)
{
    struct entry *entry = find(learned, key);
    if (entry != NULL) {
        TAILQ_REMOVE(&learned->by_age, entry, by_age);
        TAILQ_INSERT_TAIL(&learned->by_age, entry, by_age);
        return entry;
    }
    entry = calloc(1, sizeof(*entry));
    if (entry == NULL)
        return NULL;
    memcpy(entry->key, key, KEY_SIZE);
    HASH_ADD_STR(learned->entries, key, entry);
    TAILQ_INSERT_TAIL(&learned->by_age, entry, by_age);
    if (++learned->count > ENTRIES_LIMIT)
        drop(learned, TAILQ_FIRST(&learned->by_age));
    return entry;
}

bool learned_note_refusal(struct learned *learned, const struct learn_config *config,
                          const struct flow *flow, uint64_t now)
{
    char key[KEY_SIZE] = "";
    if (config->mode == LEARN_OFF)
        return false;
    make_key(flow, key);
    pthread_mutex_lock(&learned->lock);
    forget_expired(learned, now);
    struct entry *entry = find_or_add(learned, key);
    bool decides = false;
    if (entry != NULL) {
        entry->expires = now + (uint64_t)config->keep * 1000;
        decides = ++entry->refusals == config->after;
    }
    pthread_mutex_unlock(&learned->lock);
    return decides;
}

void learned_note_acceptance(struct learned *learned, const struct flow *flow)
{
    char key[KEY_SIZE];
    make_key(flow, key);
    pthread_mutex_lock(&learned->lock);
    struct entry *entry = find(learned, key);
    if (entry != NULL)
        drop(learned, entry);
    pthread_mutex_unlock(&learned->lock);
}
#pragma GCC diagnostic pop
