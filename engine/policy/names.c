/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/names.h"

#include "core/thread.h"

#include <pthread.h>
#include <sys/queue.h>

/* uthash's macros shadow and convert as they please. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include <uthash.h>

/* Compared as bytes: what is not used is zero. */
struct key {
    struct device_key device;
    uint8_t address_size;
    uint8_t address[16];
};

struct name {
    char *text;
    uint64_t until;
};

struct entry {
    struct key key;
    struct name names[NAMES_EACH]; /* the one told last first */
    size_t count;
    uint64_t crowded_until; /* till then more names may be meant than are kept */
    UT_hash_handle hh;
    TAILQ_ENTRY(entry) by_age; /* the one told of longest ago first */
    struct owner *owner;
    TAILQ_ENTRY(entry) of_owner; /* likewise */
};
TAILQ_HEAD(entry_queue, entry);

/* A device that has entries. */
struct owner {
    struct device_key device;
    UT_hash_handle hh;
    struct entry_queue entries;
    size_t count;
    uint64_t lost_until; /* till then names may be meant that it has pushed out by itself */
};

/* What had to go for others' is remembered by hash: too many may be taken for crowded. */
#define LOSSES 4096

struct names {
    pthread_mutex_t lock;
    struct entry *entries;
    size_t count;
    uint64_t version;            /* one more with each piece of news */
    uint64_t lost_until[LOSSES]; /* till then names may be meant that went with their entry */
    uint64_t gone_until;         /* the latest of owners' that have no entry any more */
    struct entry_queue by_age;
    struct owner *owners;
};

struct names *names_new(void)
{
    struct names *names = calloc(1, sizeof(*names));
    if (names == NULL)
        return NULL;
    thread_mutex_init(&names->lock);
    TAILQ_INIT(&names->by_age);
    return names;
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void drop(struct names *names, struct entry *entry)
{
    struct owner *owner = entry->owner;
    HASH_DEL(names->entries, entry);
    TAILQ_REMOVE(&names->by_age, entry, by_age);
    TAILQ_REMOVE(&owner->entries, entry, of_owner);
    names->count--;
    if (--owner->count == 0) {
        names->gone_until = later(names->gone_until, owner->lost_until);
        HASH_DEL(names->owners, owner);
        free(owner);
    }
    for (size_t i = 0; i < entry->count; i++)
        free(entry->names[i].text);
    free(entry);
}

void names_free(struct names *names)
{
    if (names == NULL)
        return;
    while (!TAILQ_EMPTY(&names->by_age))
        drop(names, TAILQ_FIRST(&names->by_age));
    pthread_mutex_destroy(&names->lock);
    free(names);
}

static struct key key_of(const struct device_key *device, const struct address *address)
{
    struct key key = {.device = *device, .address_size = (uint8_t)address_ip_size(address)};
    memcpy(key.address, &address->ip, key.address_size);
    return key;
}

static unsigned hash_of(const struct key *key)
{
    unsigned hash;
    HASH_VALUE(key, sizeof(*key), hash);
    return hash;
}

static struct entry *find(const struct names *names, const struct key *key, unsigned hash)
{
    struct entry *entry;
    HASH_FIND_BYHASHVALUE(hh, names->entries, key, sizeof(*key), hash, entry);
    return entry;
}

static struct owner *find_owner(const struct names *names, const struct device_key *device)
{
    struct owner *owner;
    HASH_FIND(hh, names->owners, device, sizeof(*device), owner);
    return owner;
}

static struct owner *find_or_add_owner(struct names *names, const struct device_key *device)
{
    struct owner *owner = find_owner(names, device);
    if (owner != NULL)
        return owner;
    owner = calloc(1, sizeof(*owner));
    if (owner == NULL)
        return NULL;
    owner->device = *device;
    TAILQ_INIT(&owner->entries);
    HASH_ADD(hh, names->owners, device, sizeof(owner->device), owner);
    return owner;
}

/* Till when names may be meant that are not in a new entry. */
static uint64_t lost_until(const struct names *names, const struct owner *owner, unsigned hash)
{
    uint64_t until = later(names->lost_until[hash % LOSSES], names->gone_until);
    return owner != NULL ? later(until, owner->lost_until) : until;
}

/* Makes room, and remembers in *lost that there was more. */
static void give_up(struct names *names, struct entry *entry, uint64_t *lost)
{
    *lost = later(*lost, entry->crowded_until);
    for (size_t i = 0; i < entry->count; i++)
        *lost = later(*lost, entry->names[i].until);
    drop(names, entry);
}

static void move_to_end(struct names *names, struct entry *entry)
{
    TAILQ_REMOVE(&names->by_age, entry, by_age);
    TAILQ_INSERT_TAIL(&names->by_age, entry, by_age);
    TAILQ_REMOVE(&entry->owner->entries, entry, of_owner);
    TAILQ_INSERT_TAIL(&entry->owner->entries, entry, of_owner);
}

static struct entry *add_entry(struct names *names, const struct key *key, unsigned hash)
{
    struct entry *entry = calloc(1, sizeof(*entry));
    struct owner *owner = entry != NULL ? find_or_add_owner(names, &key->device) : NULL;
    if (owner == NULL) {
        free(entry);
        return NULL;
    }
    entry->key = *key;
    entry->owner = owner;
    entry->crowded_until = lost_until(names, owner, hash);
    HASH_ADD_BYHASHVALUE(hh, names->entries, key, sizeof(*key), hash, entry);
    TAILQ_INSERT_TAIL(&names->by_age, entry, by_age);
    TAILQ_INSERT_TAIL(&owner->entries, entry, of_owner);
    names->count++;
    owner->count++;
    return entry;
}

static struct entry *find_or_add(struct names *names, const struct key *key)
{
    const unsigned hash = hash_of(key);
    struct entry *entry = find(names, key, hash);
    if (entry != NULL) {
        move_to_end(names, entry);
        return entry;
    }
    entry = add_entry(names, key, hash);
    if (entry == NULL)
        return NULL;
    struct owner *owner = entry->owner;
    if (owner->count > NAMES_DEVICE_LIMIT)
        give_up(names, TAILQ_FIRST(&owner->entries), &owner->lost_until);
    if (names->count > NAMES_LIMIT) {
        struct entry *oldest = TAILQ_FIRST(&names->by_age);
        give_up(names, oldest, &names->lost_until[hash_of(&oldest->key) % LOSSES]);
    }
    return entry;
}

/* Takes the name at `index` to the front. */
static void move_to_front(struct entry *entry, size_t index)
{
    const struct name name = entry->names[index];
    memmove(entry->names + 1, entry->names, index * sizeof(name));
    entry->names[0] = name;
}

/* Takes out what has expired. */
static void forget_expired(struct entry *entry, uint64_t now)
{
    size_t kept = 0;
    for (size_t i = 0; i < entry->count; i++) {
        if (entry->names[i].until > now)
            entry->names[kept++] = entry->names[i];
        else
            free(entry->names[i].text);
    }
    entry->count = kept;
}

/* True if the name was not there. */
static bool add_name(struct entry *entry, const char *text, uint64_t until)
{
    for (size_t i = 0; i < entry->count; i++) {
        if (strcmp(entry->names[i].text, text) != 0)
            continue;
        if (entry->names[i].until < until)
            entry->names[i].until = until;
        move_to_front(entry, i);
        return false;
    }
    if (entry->count == NAMES_EACH) {
        struct name *last = &entry->names[--entry->count];
        if (entry->crowded_until < last->until)
            entry->crowded_until = last->until;
        free(last->text);
    }
    char *copy = strdup(text);
    if (copy == NULL) {
        entry->crowded_until = until;
        return true;
    }
    entry->names[entry->count] = (struct name){copy, until};
    move_to_front(entry, entry->count++);
    return true;
}

bool names_add(struct names *names, const struct device_key *device, const struct address *address,
               const char *name, uint32_t ttl, uint64_t now)
{
    const struct key key = key_of(device, address);
    const uint64_t until = now + ((uint64_t)ttl + NAMES_GRACE) * 1000;
    bool is_news = false;
    pthread_mutex_lock(&names->lock);
    struct entry *entry = find_or_add(names, &key);
    if (entry != NULL) {
        forget_expired(entry, now);
        is_news = add_name(entry, name, until);
        names->version += is_news;
    }
    pthread_mutex_unlock(&names->lock);
    return is_news;
}

/* False if they are not all there. */
static bool copy_names(struct flow *flow, const struct entry *entry, struct arena *arena)
{
    if (entry->count == 0)
        return true;
    const char **texts = arena_alloc(arena, entry->count * sizeof(*texts));
    flow->names_until = UINT64_MAX;
    for (size_t i = 0; texts != NULL && i < entry->count; i++) {
        texts[i] = arena_strdup(arena, entry->names[i].text);
        if (texts[i] == NULL)
            return false;
        if (entry->names[i].until < flow->names_until)
            flow->names_until = entry->names[i].until;
        flow->names = texts;
        flow->name_count = i + 1;
    }
    return texts != NULL;
}

void names_find(struct names *names, struct flow *flow, struct arena *arena, uint64_t now)
{
    const struct device_key device = flow_device_key(flow);
    const struct key key = key_of(&device, &flow->origin);
    const unsigned hash = hash_of(&key);
    flow->name_count = 0;
    pthread_mutex_lock(&names->lock);
    flow->names_version = names->version;
    struct entry *entry = find(names, &key, hash);
    if (entry != NULL) {
        forget_expired(entry, now);
        flow->names_crowded = !copy_names(flow, entry, arena) || entry->crowded_until > now;
    } else {
        flow->names_crowded = lost_until(names, find_owner(names, &device), hash) > now;
    }
    pthread_mutex_unlock(&names->lock);
}
#pragma GCC diagnostic pop
