/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * learned_table.h - the table behind learned.h: what is counted for each device and destination,
 * and the devices. Bounded; it decides who gives way.
 *
 * learned.c's, which holds a lock around it. */
#ifndef POLICY_LEARNED_TABLE_H
#define POLICY_LEARNED_TABLE_H

#include "policy/learned.h"

#include <sys/queue.h>
#include <uthash.h>

/* Whom and what a count is about. No padding may differ: it is compared as bytes. */
struct learned_key {
    struct device_key device;
    uint16_t port;
    char host[LEARNED_HOST_SIZE]; /* in lower case */
};

struct learned_entry {
    struct learned_key key;
    struct learned_finding finding;
    int64_t *times; /* of the last refusals, as many as make a finding: a ring; while it counts */
    uint32_t times_size, times_next;
    UT_hash_handle hh;
    TAILQ_ENTRY(learned_entry) by_age; /* the one that was refused longest ago first */
};
TAILQ_HEAD(learned_entries, learned_entry);

struct learned_device_entry {
    struct learned_device device;
    bool told; /* that our CA is missing */
    UT_hash_handle hh;
    TAILQ_ENTRY(learned_device_entry) by_age; /* the one that was met longest ago first */
};
TAILQ_HEAD(learned_devices, learned_device_entry);

struct learned_table {
    struct learned_entry *entries;
    struct learned_device_entry *devices;
    size_t entry_count, device_count;
    struct learned_entries entries_by_age;
    struct learned_devices strangers, friends;    /* have never accepted, have accepted */
    struct learned_gone gone[LEARNED_GONE_LIMIT]; /* findings, lately */
    size_t gone_count;
    bool lost; /* a finding, whether it is among these or not */
    uint64_t last_id;
    struct learned_version version;
};

void learned_table_init(struct learned_table *table);

/* Empties it. */
void learned_table_fini(struct learned_table *table);

/* For what a flow asks for: the name that is known of it, or its address. */
void learned_key_of(struct learned_key *key, const struct flow *flow);
void learned_key_make(struct learned_key *key, const struct device_key *device, const char *host,
                      uint16_t port);

/* NULL if there is none. */
struct learned_entry *learned_table_find(const struct learned_table *table,
                                         const struct learned_key *key);
struct learned_entry *learned_table_find_id(const struct learned_table *table, uint64_t id);

/* One that is not there yet; others may have to go for it. NULL if there is no room, or memory. */
struct learned_entry *learned_table_add(struct learned_table *table,
                                        const struct learned_key *key) must_check;
void learned_table_drop(struct learned_table *table, struct learned_entry *entry,
                        enum learned_end end);

/* Makes it the youngest. */
void learned_table_renew(struct learned_table *table, struct learned_entry *entry);

struct learned_device_entry *learned_table_find_device(const struct learned_table *table,
                                                       const struct device_key *key);

/* A device was met just now, at this address; if `accepted` is not 0, it has our CA, and had it at
 * that time. NULL if there is no memory. */
struct learned_device_entry *learned_table_meet(struct learned_table *table,
                                                const struct device_key *key,
                                                const struct address *address, int64_t accepted);

/* Adds all of it to a list that has room for it. */
void learned_table_copy(const struct learned_table *table, struct learned_list *list);

/* Fills an empty table. False if something is in the list twice, or there is no memory: it is then
 * filled in part. */
bool learned_table_restore(struct learned_table *table, const struct learned_list *list) must_check;

#endif
