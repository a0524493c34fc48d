/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/devices.h"

#include "core/thread.h"

#include <pthread.h>
#include <sys/queue.h>

/* uthash's macros shadow and convert as they please. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include <uthash.h>

/* Names that came before their devices. */
#define EARLY_NAMES 64

struct device;

/* An address, and whose it is: that of one device at a time. */
struct place_seen {
    struct device_key key;
    struct address address;
    struct device *device;
    TAILQ_ENTRY(place_seen) link;
    UT_hash_handle hh;
};
TAILQ_HEAD(place_list, place_seen);

struct device {
    struct device_key key;
    bool has_mac;
    uint8_t mac[MAC_SIZE];
    char interface[IFNAMSIZ];
    struct place_list places; /* the last seen first */
    size_t place_count;
    const char *vendor;     /* in the list of vendors */
    const char *lease_name; /* in the leases */
    char mdns_name[MDNS_NAME_SIZE];
    time_t first_seen;
    uint64_t last_seen;
    uint64_t taken, passed;
    TAILQ_ENTRY(device) link;
    UT_hash_handle hh;
};
TAILQ_HEAD(device_list, device);

struct early_name {
    struct device_key key; /* of an address; size 0: none */
    char name[MDNS_NAME_SIZE];
};

struct devices {
    pthread_mutex_t lock;
    struct device *by_key;
    struct place_seen *by_address;
    struct device_list by_age; /* the last seen first */
    size_t count;
    struct leases *leases;
    struct vendors *vendors;
    struct early_name early[EARLY_NAMES];
    size_t next_early;
};

struct devices *devices_new(void)
{
    struct devices *devices = calloc(1, sizeof(*devices));
    if (devices == NULL)
        return NULL;
    thread_mutex_init(&devices->lock);
    TAILQ_INIT(&devices->by_age);
    return devices;
}

static struct device_key key_of_address(const struct address *address)
{
    return flow_device_key(&(struct flow){.device = *address});
}

static struct device *find_device(const struct devices *devices, const struct device_key *key)
{
    struct device *device;
    HASH_FIND(hh, devices->by_key, key, sizeof(*key), device);
    return device;
}

static struct place_seen *find_place(const struct devices *devices, const struct address *address)
{
    const struct device_key key = key_of_address(address);
    struct place_seen *place;
    HASH_FIND(hh, devices->by_address, &key, sizeof(key), place);
    return place;
}

static void drop_place(struct devices *devices, struct place_seen *place)
{
    HASH_DELETE(hh, devices->by_address, place);
    TAILQ_REMOVE(&place->device->places, place, link);
    place->device->place_count--;
    free(place);
}

static void drop_device(struct devices *devices, struct device *device)
{
    while (!TAILQ_EMPTY(&device->places))
        drop_place(devices, TAILQ_FIRST(&device->places));
    HASH_DELETE(hh, devices->by_key, device);
    TAILQ_REMOVE(&devices->by_age, device, link);
    devices->count--;
    free(device);
}

static struct device *add_device(struct devices *devices, const struct flow *flow)
{
    if (devices->count == DEVICES_LIMIT)
        drop_device(devices, TAILQ_LAST(&devices->by_age, device_list));
    struct device *device = calloc(1, sizeof(*device));
    if (device == NULL)
        return NULL;
    device->key = flow_device_key(flow);
    device->has_mac = flow->has_mac;
    memcpy(device->mac, flow->mac, MAC_SIZE);
    device->first_seen = time(NULL);
    TAILQ_INIT(&device->places);
    HASH_ADD(hh, devices->by_key, key, sizeof(device->key), device);
    TAILQ_INSERT_HEAD(&devices->by_age, device, link);
    devices->count++;
    return device;
}

static struct place_seen *add_place(struct devices *devices, struct device *device,
                                    const struct address *address)
{
    if (device->place_count == DEVICE_ADDRESSES_LIMIT)
        drop_place(devices, TAILQ_LAST(&device->places, place_list));
    struct place_seen *place = calloc(1, sizeof(*place));
    if (place == NULL)
        return NULL;
    place->key = key_of_address(address);
    place->address = *address;
    place->address.port = 0;
    place->device = device;
    HASH_ADD(hh, devices->by_address, key, sizeof(place->key), place);
    TAILQ_INSERT_HEAD(&device->places, place, link);
    device->place_count++;
    return place;
}
#pragma GCC diagnostic pop

void devices_free(struct devices *devices)
{
    if (devices == NULL)
        return;
    while (!TAILQ_EMPTY(&devices->by_age))
        drop_device(devices, TAILQ_FIRST(&devices->by_age));
    leases_free(devices->leases);
    vendors_free(devices->vendors);
    pthread_mutex_destroy(&devices->lock);
    free(devices);
}

/* ---- names and vendors ---- */

static void find_vendor(const struct devices *devices, struct device *device)
{
    device->vendor = device->has_mac && devices->vendors != NULL
                         ? vendors_find(devices->vendors, device->mac)
                         : NULL;
}

static void find_lease(const struct devices *devices, struct device *device)
{
    const struct place_seen *place;
    const uint8_t *mac = device->has_mac ? device->mac : NULL;
    device->lease_name = NULL;
    if (devices->leases == NULL)
        return;
    if (mac != NULL)
        device->lease_name = leases_name_of_mac(devices->leases, mac);
    TAILQ_FOREACH (place, &device->places, link)
        if (device->lease_name == NULL)
            device->lease_name = leases_name_of_address(devices->leases, &place->address, mac);
}

static void take_early_name(struct devices *devices, struct device *device,
                            const struct device_key *key)
{
    for (size_t i = 0; i < EARLY_NAMES; i++) {
        struct early_name *early = &devices->early[i];
        if (memcmp(&early->key, key, sizeof(*key)) != 0)
            continue;
        memcpy(device->mdns_name, early->name, sizeof(device->mdns_name));
        early->key.size = 0;
    }
}

static const char *name_of(const struct device *device, enum name_source *source)
{
    *source = NAMED_BY_NOBODY;
    if (device->lease_name != NULL)
        *source = NAMED_BY_LEASE;
    else if (device->mdns_name[0] != '\0')
        *source = NAMED_BY_MDNS;
    return *source == NAMED_BY_MDNS ? device->mdns_name : device->lease_name;
}

/* ---- seeing devices ---- */

/* A device that was known by an address alone is this one. */
static void absorb(struct devices *devices, struct device *device, struct device *other)
{
    device->taken += other->taken;
    device->passed += other->passed;
    if (other->first_seen < device->first_seen)
        device->first_seen = other->first_seen;
    if (device->mdns_name[0] == '\0')
        memcpy(device->mdns_name, other->mdns_name, sizeof(device->mdns_name));
    drop_device(devices, other);
}

/* An address goes over to who has it now. */
static void leave_place(struct devices *devices, struct device *device, struct place_seen *place)
{
    if (place->device->has_mac)
        drop_place(devices, place);
    else
        absorb(devices, device, place->device);
}

static void see_place(struct devices *devices, struct device *device, const struct address *address)
{
    struct place_seen *place = find_place(devices, address);
    if (place != NULL && place->device == device) {
        if (place != TAILQ_FIRST(&device->places)) {
            TAILQ_REMOVE(&device->places, place, link);
            TAILQ_INSERT_HEAD(&device->places, place, link);
        }
        return;
    }
    if (place != NULL)
        leave_place(devices, device, place);
    place = add_place(devices, device, address);
    if (place == NULL)
        return;
    take_early_name(devices, device, &place->key);
    find_lease(devices, device);
}

/* Whose MAC address is not known is known by where it is. */
static struct device *find(const struct devices *devices, const struct flow *flow)
{
    const struct device_key key = flow_device_key(flow);
    const struct place_seen *place = flow->has_mac ? NULL : find_place(devices, &flow->device);
    return place != NULL ? place->device : find_device(devices, &key);
}

static struct device *find_or_add(struct devices *devices, const struct flow *flow)
{
    struct device *device = find(devices, flow);
    if (device != NULL)
        return device;
    device = add_device(devices, flow);
    if (device != NULL) {
        take_early_name(devices, device, &device->key);
        find_vendor(devices, device);
    }
    return device;
}

static struct device *see(struct devices *devices, const struct flow *flow, uint64_t when)
{
    struct device *device = find_or_add(devices, flow);
    if (device == NULL)
        return NULL;
    see_place(devices, device, &flow->device);
    if (flow->interface[0] != '\0')
        memcpy(device->interface, flow->interface, IFNAMSIZ);
    if (when >= device->last_seen && device != TAILQ_FIRST(&devices->by_age)) {
        TAILQ_REMOVE(&devices->by_age, device, link);
        TAILQ_INSERT_HEAD(&devices->by_age, device, link);
    }
    if (when > device->last_seen)
        device->last_seen = when;
    return device;
}

void devices_describe(struct devices *devices, struct flow *flow, struct arena *arena, uint64_t now)
{
    enum name_source source;
    if (flow->device.family == 0)
        return;
    pthread_mutex_lock(&devices->lock);
    const struct device *device = see(devices, flow, now);
    if (device != NULL) {
        const char *name = name_of(device, &source);
        flow->first_seen = device->first_seen;
        if (name != NULL)
            flow->device_name = arena_strdup(arena, name);
        if (device->vendor != NULL)
            flow->vendor = arena_strdup(arena, device->vendor);
    }
    pthread_mutex_unlock(&devices->lock);
}

const char *devices_find_name(struct devices *devices, const struct device_key *key,
                              char name[static MDNS_NAME_SIZE])
{
    enum name_source source;
    pthread_mutex_lock(&devices->lock);
    const struct device *device = find_device(devices, key);
    const char *found = device != NULL ? name_of(device, &source) : NULL;
    if (found != NULL)
        strcpy(name, found);
    pthread_mutex_unlock(&devices->lock);
    return found != NULL ? name : NULL;
}

void devices_complete(struct devices *devices, struct flow *flow)
{
    pthread_mutex_lock(&devices->lock);
    const struct device *device = find(devices, flow);
    const struct place_seen *place = device != NULL ? TAILQ_FIRST(&device->places) : NULL;
    if (device != NULL && !flow->has_mac && device->has_mac) {
        flow->has_mac = true;
        memcpy(flow->mac, device->mac, MAC_SIZE);
    }
    if (place != NULL && flow->device.family == 0)
        flow->device = place->address;
    if (device != NULL && flow->interface[0] == '\0')
        memcpy(flow->interface, device->interface, IFNAMSIZ);
    pthread_mutex_unlock(&devices->lock);
}

void devices_notice(struct devices *devices, const struct flow *seen, uint64_t when)
{
    pthread_mutex_lock(&devices->lock);
    (void)see(devices, seen, when);
    pthread_mutex_unlock(&devices->lock);
}

void devices_count(struct devices *devices, const struct flow *flow, enum verdict verdict)
{
    pthread_mutex_lock(&devices->lock);
    struct device *device = find(devices, flow);
    if (device != NULL && verdict == VERDICT_TAKE)
        device->taken++;
    else if (device != NULL)
        device->passed++;
    pthread_mutex_unlock(&devices->lock);
}

void devices_set_name(struct devices *devices, const struct flow *from, const char *name)
{
    pthread_mutex_lock(&devices->lock);
    struct device *device = find(devices, from);
    if (device != NULL) {
        snprintf(device->mdns_name, sizeof(device->mdns_name), "%s", name);
    } else {
        struct early_name *early = &devices->early[devices->next_early++ % EARLY_NAMES];
        early->key = flow_device_key(from);
        snprintf(early->name, sizeof(early->name), "%s", name);
    }
    pthread_mutex_unlock(&devices->lock);
}

void devices_set_leases(struct devices *devices, struct leases *leases)
{
    struct device *device;
    pthread_mutex_lock(&devices->lock);
    struct leases *old = devices->leases;
    devices->leases = leases;
    TAILQ_FOREACH (device, &devices->by_age, link)
        find_lease(devices, device);
    pthread_mutex_unlock(&devices->lock);
    leases_free(old);
}

void devices_set_vendors(struct devices *devices, struct vendors *vendors)
{
    struct device *device;
    pthread_mutex_lock(&devices->lock);
    struct vendors *old = devices->vendors;
    devices->vendors = vendors;
    TAILQ_FOREACH (device, &devices->by_age, link)
        find_vendor(devices, device);
    pthread_mutex_unlock(&devices->lock);
    vendors_free(old);
}

/* ---- listing ---- */

/* Others wait meanwhile: nothing is formatted here. What is copied fits, wherever it comes from. */
static void describe(const struct device *device, struct device_facts *facts)
{
    const struct place_seen *place;
    *facts = (struct device_facts){.has_mac = device->has_mac,
                                   .first_seen = device->first_seen,
                                   .last_seen = device->last_seen,
                                   .taken = device->taken,
                                   .passed = device->passed};
    memcpy(facts->mac, device->mac, MAC_SIZE);
    memcpy(facts->interface, device->interface, IFNAMSIZ);
    TAILQ_FOREACH (place, &device->places, link)
        facts->addresses[facts->address_count++] = place->address;
    const char *name = name_of(device, &facts->name_source);
    if (name != NULL)
        strcpy(facts->name, name);
    if (device->vendor != NULL)
        strcpy(facts->vendor, device->vendor);
}

struct device_facts *devices_list(struct devices *devices, size_t *count)
{
    const struct device *device;
    *count = 0;
    pthread_mutex_lock(&devices->lock);
    struct device_facts *list = calloc(devices->count + 1, sizeof(*list));
    if (list != NULL)
        TAILQ_FOREACH (device, &devices->by_age, link)
            describe(device, &list[(*count)++]);
    pthread_mutex_unlock(&devices->lock);
    return list;
}
