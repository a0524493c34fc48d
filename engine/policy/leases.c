/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/leases.h"

#include "policy/device_name.h"

#include <string.h>

/* uthash's macros shadow and convert as they please. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include <uthash.h>

struct entry {
    struct device_key address, mac; /* the MAC's size is 0 where it is unknown */
    char name[DEVICE_NAME_SIZE];
    bool counts_for_mac;
    UT_hash_handle by_address, by_mac;
};

struct leases {
    struct entry *by_address, *by_mac;
    size_t count;
};

struct leases *leases_new(void)
{
    return calloc(1, sizeof(struct leases));
}

static struct device_key key_of_mac(const uint8_t mac[static MAC_SIZE])
{
    struct flow flow = {.has_mac = true};
    memcpy(flow.mac, mac, MAC_SIZE);
    return flow_device_key(&flow);
}

static struct device_key key_of_address(const struct address *address)
{
    return flow_device_key(&(struct flow){.device = *address});
}

static struct entry *find_address(const struct leases *leases, const struct device_key *key)
{
    struct entry *entry;
    HASH_FIND(by_address, leases->by_address, key, sizeof(*key), entry);
    return entry;
}

static struct entry *find_mac(const struct leases *leases, const struct device_key *key)
{
    struct entry *entry;
    HASH_FIND(by_mac, leases->by_mac, key, sizeof(*key), entry);
    return entry;
}

static void drop(struct leases *leases, struct entry *entry)
{
    HASH_DELETE(by_address, leases->by_address, entry);
    if (entry->counts_for_mac)
        HASH_DELETE(by_mac, leases->by_mac, entry);
    leases->count--;
    free(entry);
}

void leases_free(struct leases *leases)
{
    if (leases == NULL)
        return;
    struct entry *entry = leases->by_address;
    HASH_CLEAR(by_mac, leases->by_mac);
    HASH_CLEAR(by_address, leases->by_address);
    while (entry != NULL) {
        struct entry *next = entry->by_address.next;
        free(entry);
        entry = next;
    }
    free(leases);
}

size_t leases_count(const struct leases *leases)
{
    return leases->count;
}

static void insert(struct leases *leases, struct entry *entry)
{
    HASH_ADD(by_address, leases->by_address, address, sizeof(entry->address), entry);
    leases->count++;
    if (entry->mac.size == 0)
        return;
    struct entry *other = find_mac(leases, &entry->mac);
    if (other != NULL) {
        HASH_DELETE(by_mac, leases->by_mac, other);
        other->counts_for_mac = false;
    }
    HASH_ADD(by_mac, leases->by_mac, mac, sizeof(entry->mac), entry);
    entry->counts_for_mac = true;
}

const char *leases_name_of_mac(const struct leases *leases, const uint8_t mac[static MAC_SIZE])
{
    const struct device_key key = key_of_mac(mac);
    const struct entry *entry = find_mac(leases, &key);
    return entry != NULL ? entry->name : NULL;
}

const char *leases_name_of_address(const struct leases *leases, const struct address *address,
                                   const uint8_t *mac)
{
    const struct device_key key = key_of_address(address);
    const struct entry *entry = find_address(leases, &key);
    bool is_others = entry != NULL && entry->mac.size > 0 && mac != NULL &&
                     memcmp(entry->mac.bytes, mac, MAC_SIZE) != 0;
    return entry != NULL && !is_others ? entry->name : NULL;
}

void leases_add(struct leases *leases, const struct lease *lease)
{
    char name[DEVICE_NAME_SIZE];
    const struct device_key key = key_of_address(&lease->address);
    struct entry *entry = find_address(leases, &key);
    if (entry != NULL)
        drop(leases, entry);
    if (!device_name_take(name, lease->name, lease->name_length) || leases->count == LEASES_LIMIT)
        return;
    entry = calloc(1, sizeof(*entry));
    if (entry == NULL)
        return;
    entry->address = key;
    if (lease->has_mac)
        entry->mac = key_of_mac(lease->mac);
    memcpy(entry->name, name, sizeof(name));
    insert(leases, entry);
}
#pragma GCC diagnostic pop
