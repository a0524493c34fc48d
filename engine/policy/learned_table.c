/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/learned_table.h"

#include <ctype.h>
#include <string.h>

/* uthash's macros shadow and convert as they please. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"

void learned_table_init(struct learned_table *table)
{
    *table = (struct learned_table){0};
    TAILQ_INIT(&table->entries_by_age);
    TAILQ_INIT(&table->strangers);
    TAILQ_INIT(&table->friends);
}

/* ---- counts and findings ---- */

void learned_key_make(struct learned_key *key, const struct device_key *device, const char *host,
                      uint16_t port)
{
    memset(key, 0, sizeof(*key));
    key->device = *device;
    key->port = port;
    for (size_t i = 0; host[i] != '\0' && i + 1 < sizeof(key->host); i++)
        key->host[i] = (char)tolower((unsigned char)host[i]);
}

void learned_key_of(struct learned_key *key, const struct flow *flow)
{
    char ip[INET6_ADDRSTRLEN];
    const struct device_key device = flow_device_key(flow);
    const char *host = flow->sni != NULL ? flow->sni : address_ip_text(&flow->origin, ip);
    learned_key_make(key, &device, host, flow->origin.port);
}

struct learned_entry *learned_table_find(const struct learned_table *table,
                                         const struct learned_key *key)
{
    struct learned_entry *entry;
    HASH_FIND(hh, table->entries, key, sizeof(*key), entry);
    return entry;
}

struct learned_entry *learned_table_find_id(const struct learned_table *table, uint64_t id)
{
    struct learned_entry *entry;
    TAILQ_FOREACH (entry, &table->entries_by_age, by_age)
        if (entry->finding.id == id)
            return entry;
    return NULL;
}

static void note_loss(struct learned_table *table, const struct learned_finding *finding,
                      enum learned_end end)
{
    table->version.findings++;
    table->lost = true;
    if (table->gone_count < LEARNED_GONE_LIMIT)
        table->gone[table->gone_count++] = (struct learned_gone){*finding, end};
}

void learned_table_drop(struct learned_table *table, struct learned_entry *entry,
                        enum learned_end end)
{
    if (entry->finding.state != LEARNED_COUNTING)
        note_loss(table, &entry->finding, end);
    HASH_DELETE(hh, table->entries, entry);
    TAILQ_REMOVE(&table->entries_by_age, entry, by_age);
    table->entry_count--;
    free(entry->times);
    free(entry);
}

void learned_table_renew(struct learned_table *table, struct learned_entry *entry)
{
    TAILQ_REMOVE(&table->entries_by_age, entry, by_age);
    TAILQ_INSERT_TAIL(&table->entries_by_age, entry, by_age);
}

/* Whoever gives way to another entry of this device's: one of its own, if it has so many already.
 * What the operator has said never does. False if nobody can. */
static bool make_room(struct learned_table *table, const struct device_key *device)
{
    struct learned_entry *entry, *of_all[LEARNED_KEPT] = {NULL}, *of_device[LEARNED_KEPT] = {NULL};
    size_t device_count = 0;
    TAILQ_FOREACH (entry, &table->entries_by_age, by_age) {
        const enum learned_state state = entry->finding.state;
        const bool is_own = memcmp(&entry->key.device, device, sizeof(*device)) == 0;
        device_count += is_own;
        if (state == LEARNED_KEPT)
            continue;
        if (of_all[state] == NULL)
            of_all[state] = entry;
        if (is_own && of_device[state] == NULL)
            of_device[state] = entry;
    }
    if (table->entry_count < LEARNED_LIMIT && device_count < LEARNED_EACH_LIMIT)
        return true;
    struct learned_entry **oldest = device_count < LEARNED_EACH_LIMIT ? of_all : of_device;
    enum learned_state first = oldest[LEARNED_COUNTING] != NULL ? LEARNED_COUNTING : LEARNED_FOUND;
    if (oldest[first] == NULL)
        return false;
    learned_table_drop(table, oldest[first], LEARNED_REPLACED);
    return true;
}

struct learned_entry *learned_table_add(struct learned_table *table, const struct learned_key *key)
{
    struct learned_entry *entry = calloc(1, sizeof(*entry));
    if (entry == NULL || !make_room(table, &key->device)) {
        free(entry);
        return NULL;
    }
    entry->key = *key;
    entry->finding =
        (struct learned_finding){.id = ++table->last_id, .device = key->device, .port = key->port};
    memcpy(entry->finding.host, key->host, sizeof(key->host));
    HASH_ADD(hh, table->entries, key, sizeof(entry->key), entry);
    TAILQ_INSERT_TAIL(&table->entries_by_age, entry, by_age);
    table->entry_count++;
    return entry;
}

/* ---- devices ---- */

struct learned_device_entry *learned_table_find_device(const struct learned_table *table,
                                                       const struct device_key *key)
{
    struct learned_device_entry *entry;
    HASH_FIND(hh, table->devices, key, sizeof(*key), entry);
    return entry;
}

static struct learned_devices *queue_of(struct learned_table *table,
                                        const struct learned_device_entry *entry)
{
    return entry->device.accepted != 0 ? &table->friends : &table->strangers;
}

static void drop_device(struct learned_table *table, struct learned_devices *queue,
                        struct learned_device_entry *entry)
{
    HASH_DELETE(hh, table->devices, entry);
    TAILQ_REMOVE(queue, entry, by_age);
    table->device_count--;
    free(entry);
}

/* The one that was met longest ago; of those that have our CA only if there are no others. */
static void drop_oldest_device(struct learned_table *table)
{
    struct learned_devices *queue =
        TAILQ_EMPTY(&table->strangers) ? &table->friends : &table->strangers;
    drop_device(table, queue, TAILQ_FIRST(queue));
}

static struct learned_device_entry *add_device(struct learned_table *table,
                                               const struct device_key *key)
{
    struct learned_device_entry *entry = calloc(1, sizeof(*entry));
    if (entry == NULL)
        return NULL;
    if (table->device_count == LEARNED_DEVICES_LIMIT)
        drop_oldest_device(table);
    entry->device.key = *key;
    HASH_ADD(hh, table->devices, device.key, sizeof(*key), entry);
    TAILQ_INSERT_TAIL(&table->strangers, entry, by_age);
    table->device_count++;
    return entry;
}
#pragma GCC diagnostic pop

struct learned_device_entry *learned_table_meet(struct learned_table *table,
                                                const struct device_key *key,
                                                const struct address *address, int64_t accepted)
{
    struct learned_device_entry *entry = learned_table_find_device(table, key);
    if (entry == NULL)
        entry = add_device(table, key);
    if (entry == NULL)
        return NULL;
    TAILQ_REMOVE(queue_of(table, entry), entry, by_age);
    entry->device.address = *address;
    entry->device.address.port = 0;
    if (accepted != 0 && entry->device.accepted == 0) {
        entry->device.accepted = accepted;
        table->version.findings++;
    }
    TAILQ_INSERT_TAIL(queue_of(table, entry), entry, by_age);
    return entry;
}

/* What TAILQ_REMOVE does is beyond the analyzer. */
void learned_table_fini(struct learned_table *table)
{
    struct learned_entry *entry;
    struct learned_device_entry *device;
    while ((entry = TAILQ_FIRST(&table->entries_by_age)) != NULL)
        learned_table_drop(table, entry, LEARNED_FORGOTTEN); // NOLINT
    while ((device = TAILQ_FIRST(&table->strangers)) != NULL)
        drop_device(table, &table->strangers, device); // NOLINT
    while ((device = TAILQ_FIRST(&table->friends)) != NULL)
        drop_device(table, &table->friends, device); // NOLINT
}

/* ---- from one life to the next ---- */

void learned_table_copy(const struct learned_table *table, struct learned_list *list)
{
    const struct learned_devices *const queues[] = {&table->strangers, &table->friends};
    const struct learned_device_entry *device;
    const struct learned_entry *entry;
    list->last_id = table->last_id;
    TAILQ_FOREACH (entry, &table->entries_by_age, by_age)
        list->findings[list->finding_count++] = entry->finding;
    for (size_t i = 0; i < ARRAY_SIZE(queues); i++)
        TAILQ_FOREACH (device, queues[i], by_age)
            list->devices[list->device_count++] = device->device;
}

static bool restore_finding(struct learned_table *table, const struct learned_finding *finding)
{
    struct learned_key key;
    learned_key_make(&key, &finding->device, finding->host, finding->port);
    if (learned_table_find(table, &key) != NULL ||
        learned_table_find_id(table, finding->id) != NULL)
        return false;
    struct learned_entry *entry = learned_table_add(table, &key);
    if (entry == NULL)
        return false;
    entry->finding = *finding;
    memcpy(entry->finding.host, key.host, sizeof(key.host));
    return true;
}

static bool restore_device(struct learned_table *table, const struct learned_device *device)
{
    if (learned_table_find_device(table, &device->key) != NULL)
        return false;
    struct learned_device_entry *entry =
        learned_table_meet(table, &device->key, &device->address, device->accepted);
    if (entry != NULL)
        entry->device = *device;
    return entry != NULL;
}

bool learned_table_restore(struct learned_table *table, const struct learned_list *list)
{
    for (size_t i = 0; i < list->finding_count; i++)
        if (!restore_finding(table, &list->findings[i]))
            return false;
    for (size_t i = 0; i < list->device_count; i++)
        if (!restore_device(table, &list->devices[i]))
            return false;
    table->last_id = list->last_id;
    return true;
}
