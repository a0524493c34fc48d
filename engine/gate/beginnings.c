/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/beginnings.h"

#include "gate/packet.h"

#include <string.h>
#include <sys/queue.h>

/* uthash's macros shadow and convert as they please. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include <uthash.h>

/* Both ends, and which of their connections. Equal keys are equal bytes. */
struct key {
    uint8_t device[16], origin[16], id[PACKET_QUIC_ID_LIMIT];
    uint16_t device_port, origin_port;
    uint16_t family, id_length;
};

struct entry {
    struct beginning beginning;
    struct beginnings *beginnings;
    struct key key;
    UT_hash_handle hh;
    LIST_ENTRY(entry) open_link;
    STAILQ_ENTRY(entry) decided_link;
};

struct beginnings_table {
    struct entry *entries; /* all */
    size_t count;
    LIST_HEAD(entry_list, entry) open;
    STAILQ_HEAD(entry_queue, entry) decided; /* the oldest first */
};

static struct entry *entry_of(struct beginning *beginning)
{
    return container_of(beginning, struct entry, beginning);
}

bool beginnings_init(struct beginnings *beginnings, struct loop *loop,
                     void (*expired)(struct beginnings *beginnings, struct beginning *beginning))
{
    beginnings->table = calloc(1, sizeof(*beginnings->table));
    if (beginnings->table == NULL)
        return false;
    LIST_INIT(&beginnings->table->open);
    STAILQ_INIT(&beginnings->table->decided);
    beginnings->loop = loop;
    beginnings->expired = expired;
    beginnings->waiting = 0;
    timeout_class_init(&beginnings->waiting_time, &loop->timeouts, BEGINNINGS_WAIT_MS);
    return true;
}

static void stop_waiting(struct beginnings *beginnings, struct beginning *beginning)
{
    if (beginning->timer.class != NULL)
        beginnings->waiting--;
    timer_stop(&beginning->timer);
}

static void close_entry(struct beginnings *beginnings, struct entry *entry)
{
    stop_waiting(beginnings, &entry->beginning);
    LIST_REMOVE(entry, open_link);
    STAILQ_INSERT_TAIL(&beginnings->table->decided, entry, decided_link);
}

static void drop_oldest(struct beginnings_table *table)
{
    struct entry *entry = STAILQ_FIRST(&table->decided);
    STAILQ_REMOVE_HEAD(&table->decided, decided_link);
    HASH_DEL(table->entries, entry); // NOLINT(clang-analyzer-core.NullDereference): it is in there
    table->count--;
    arena_fini(&entry->beginning.arena);
    free(entry);
}

void beginnings_forget(struct beginnings *beginnings)
{
    while (!STAILQ_EMPTY(&beginnings->table->decided))
        drop_oldest(beginnings->table);
}

void beginnings_fini(struct beginnings *beginnings)
{
    if (beginnings->table == NULL)
        return;
    while (!LIST_EMPTY(&beginnings->table->open))
        close_entry(beginnings, LIST_FIRST(&beginnings->table->open));
    beginnings_forget(beginnings);
    free(beginnings->table);
    beginnings->table = NULL;
}

static struct key key_of(const struct flow *flow, struct reader id)
{
    struct key key = {.device_port = flow->device.port,
                      .origin_port = flow->origin.port,
                      .family = flow->device.family,
                      .id_length = (uint16_t)id.left};
    if (id.left > 0)
        memcpy(key.id, id.at, id.left);
    memcpy(key.device, &flow->device.ip, address_ip_size(&flow->device));
    memcpy(key.origin, &flow->origin.ip, address_ip_size(&flow->origin));
    return key;
}

static struct entry *find(struct beginnings_table *table, const struct key *key)
{
    struct entry *entry;
    HASH_FIND(hh, table->entries, key, sizeof(*key), entry);
    return entry;
}

static void forget_oldest(struct beginnings *beginnings)
{
    struct beginnings_table *table = beginnings->table;
    const struct entry *entry;
    while ((entry = STAILQ_FIRST(&table->decided)) != NULL &&
           (entry->beginning.until <= beginnings->loop->now || table->count >= BEGINNINGS_LIMIT))
        drop_oldest(table);
}

struct beginning *beginnings_get(struct beginnings *beginnings, const struct flow *flow,
                                 struct reader id)
{
    struct key key = key_of(flow, id);
    forget_oldest(beginnings);
    struct entry *entry = find(beginnings->table, &key);
    if (entry != NULL)
        return &entry->beginning;
    entry = calloc(1, sizeof(*entry));
    if (entry == NULL)
        return NULL;
    entry->beginning.flow = *flow;
    entry->beginnings = beginnings;
    entry->key = key;
    HASH_ADD(hh, beginnings->table->entries, key, sizeof(key), entry);
    LIST_INSERT_HEAD(&beginnings->table->open, entry, open_link);
    beginnings->table->count++;
    return &entry->beginning;
}

static void time_is_up(struct timer *timer)
{
    struct beginning *beginning = container_of(timer, struct beginning, timer);
    struct beginnings *beginnings = entry_of(beginning)->beginnings;
    beginnings->waiting--;
    beginnings->expired(beginnings, beginning);
}

/* The time runs from the first datagram. */
bool beginnings_wait(struct beginnings *beginnings, struct beginning *beginning)
{
    if (beginning->packets.count >= BEGINNINGS_DATAGRAMS)
        return false;
    if (beginning->timer.class != NULL)
        return true;
    if (beginnings->waiting >= BEGINNINGS_WAITING)
        return false;
    beginnings->waiting++;
    timer_start(&beginning->timer, &beginnings->waiting_time, beginnings->loop->now, time_is_up);
    return true;
}

void beginnings_decide(struct beginnings *beginnings, struct beginning *beginning, uint32_t answer,
                       struct arena *arena)
{
    close_entry(beginnings, entry_of(beginning));
    arena_adopt(arena, &beginning->arena);
    beginning->decided = true;
    beginning->answer = answer;
    beginning->until = beginnings->loop->now + BEGINNINGS_KEPT_MS;
}
#pragma GCC diagnostic pop
