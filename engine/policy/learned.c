/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/learned.h"

#include <ctype.h>
#include <pthread.h>
#include <string.h>
#include <sys/queue.h>

/* uthash's macros shadow and convert as they please. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include <uthash.h>

/* Whom and what a count is about. No padding may differ: it is compared as bytes. */
struct key {
    struct device_key device;
    uint16_t port;
    char host[LEARNED_HOST_SIZE];
};

struct entry {
    struct key key;
    struct learned_finding finding;
    int64_t *times; /* of the last refusals, as many as make a finding: a ring */
    uint32_t times_size, times_next;
    UT_hash_handle hh;
    TAILQ_ENTRY(entry) by_age; /* the one that was refused longest ago first */
};

struct device {
    struct learned_device known;
    bool told; /* that our CA is missing */
    UT_hash_handle hh;
    TAILQ_ENTRY(device) by_age;
};

struct learned {
    pthread_mutex_t lock;
    struct entry *entries;
    struct device *devices;
    size_t entry_count, device_count;
    TAILQ_HEAD(entry_queue, entry) entries_by_age;
    TAILQ_HEAD(device_queue, device) devices_by_age;
    uint64_t last_id, version;
};

struct learned *learned_new(void)
{
    struct learned *learned = calloc(1, sizeof(*learned));
    CHECK(learned != NULL);
    pthread_mutex_init(&learned->lock, NULL);
    TAILQ_INIT(&learned->entries_by_age);
    TAILQ_INIT(&learned->devices_by_age);
    return learned;
}

static void drop_entry(struct learned *learned, struct entry *entry)
{
    if (entry->finding.state != LEARNED_COUNTING)
        learned->version++;
    HASH_DEL(learned->entries, entry);
    TAILQ_REMOVE(&learned->entries_by_age, entry, by_age);
    learned->entry_count--;
    free(entry->times);
    free(entry);
}

static void drop_device(struct learned *learned, struct device *device)
{
    HASH_DEL(learned->devices, device);
    TAILQ_REMOVE(&learned->devices_by_age, device, by_age);
    learned->device_count--;
    free(device);
}

void learned_free(struct learned *learned)
{
    if (learned == NULL)
        return;
    while (!TAILQ_EMPTY(&learned->entries_by_age))
        drop_entry(learned, TAILQ_FIRST(&learned->entries_by_age));
    while (!TAILQ_EMPTY(&learned->devices_by_age))
        drop_device(learned, TAILQ_FIRST(&learned->devices_by_age));
    pthread_mutex_destroy(&learned->lock);
    free(learned);
}

/* ---- entries ---- */

static void make_key(struct key *key, const struct device_key *device, const char *host,
                     uint16_t port)
{
    memset(key, 0, sizeof(*key));
    key->device = *device;
    key->port = port;
    for (size_t i = 0; host[i] != '\0' && i + 1 < sizeof(key->host); i++)
        key->host[i] = (char)tolower((unsigned char)host[i]);
}

static void key_of(struct key *key, const struct flow *flow)
{
    char ip[INET6_ADDRSTRLEN];
    const struct device_key device = flow_device_key(flow);
    make_key(key, &device, flow->sni != NULL ? flow->sni : address_ip_text(&flow->origin, ip),
             flow->origin.port);
}

static struct entry *find_entry(const struct learned *learned, const struct key *key)
{
    struct entry *entry;
    HASH_FIND(hh, learned->entries, key, sizeof(*key), entry);
    return entry;
}

static struct entry *find_id(const struct learned *learned, uint64_t id)
{
    struct entry *entry;
    TAILQ_FOREACH (entry, &learned->entries_by_age, by_age)
        if (entry->finding.id == id)
            return entry;
    return NULL;
}

/* What the operator has said stays; of the rest the oldest. */
static struct entry *oldest_entry(const struct learned *learned)
{
    struct entry *entry;
    TAILQ_FOREACH (entry, &learned->entries_by_age, by_age)
        if (entry->finding.state != LEARNED_KEPT)
            return entry;
    return NULL;
}

static struct entry *add_entry(struct learned *learned, const struct key *key)
{
    struct entry *oldest = learned->entry_count == LEARNED_LIMIT ? oldest_entry(learned) : NULL;
    struct entry *entry = calloc(1, sizeof(*entry));
    if (entry == NULL || (learned->entry_count == LEARNED_LIMIT && oldest == NULL)) {
        free(entry);
        return NULL;
    }
    if (oldest != NULL)
        drop_entry(learned, oldest);
    entry->key = *key;
    entry->finding = (struct learned_finding){
        .id = ++learned->last_id, .device = key->device, .port = key->port};
    memcpy(entry->finding.host, key->host, sizeof(key->host));
    HASH_ADD(hh, learned->entries, key, sizeof(entry->key), entry);
    TAILQ_INSERT_TAIL(&learned->entries_by_age, entry, by_age);
    learned->entry_count++;
    return entry;
}

/* ---- devices ---- */

static struct device *find_device(const struct learned *learned, const struct device_key *key)
{
    struct device *device;
    HASH_FIND(hh, learned->devices, key, sizeof(*key), device);
    return device;
}

/* Moves it behind all others, or adds it there. */
static struct device *meet_device(struct learned *learned, const struct device_key *key)
{
    struct device *device = find_device(learned, key);
    if (device != NULL) {
        TAILQ_REMOVE(&learned->devices_by_age, device, by_age);
        TAILQ_INSERT_TAIL(&learned->devices_by_age, device, by_age);
        return device;
    }
    device = calloc(1, sizeof(*device));
    if (device == NULL)
        return NULL;
    if (learned->device_count == LEARNED_DEVICES_LIMIT)
        drop_device(learned, TAILQ_FIRST(&learned->devices_by_age));
    device->known.key = *key;
    HASH_ADD(hh, learned->devices, known.key, sizeof(*key), device);
    TAILQ_INSERT_TAIL(&learned->devices_by_age, device, by_age);
    learned->device_count++;
    return device;
}

/* ---- what a device does ---- */

static bool is_over(const struct learned_finding *finding, int64_t now)
{
    return finding->state != LEARNED_KEPT && finding->expires <= now;
}

bool learned_is_pinned(struct learned *learned, const struct learn_config *config,
                       const struct flow *flow, int64_t now, uint64_t *id)
{
    struct key key;
    if (config->mode == LEARN_OFF)
        return false;
    key_of(&key, flow);
    pthread_mutex_lock(&learned->lock);
    const struct entry *entry = find_entry(learned, &key);
    bool pinned = entry != NULL && !is_over(&entry->finding, now) &&
                  (entry->finding.state == LEARNED_KEPT ||
                   (entry->finding.state == LEARNED_FOUND && config->mode == LEARN_AUTO));
    if (pinned)
        *id = entry->finding.id;
    pthread_mutex_unlock(&learned->lock);
    return pinned;
}

static void note_alert(struct learned_evidence *evidence, int alert)
{
    if (alert == LEARNED_SILENT) {
        evidence->silent++;
        return;
    }
    for (size_t i = 0; i < LEARNED_ALERTS; i++) {
        if (evidence->alerts[i].count > 0 && evidence->alerts[i].number != alert)
            continue;
        evidence->alerts[i].number = alert;
        evidence->alerts[i].count++;
        return;
    }
}

/* Keeps the time of this refusal. True if it is the last of so many within the time. */
static bool note_time(struct entry *entry, const struct learn_config *config, int64_t now)
{
    if (entry->times_size != config->after) {
        free(entry->times);
        entry->times = calloc(config->after, sizeof(*entry->times));
        entry->times_size = entry->times != NULL ? config->after : 0;
        entry->times_next = 0;
    }
    if (entry->times == NULL)
        return false;
    entry->times[entry->times_next] = now;
    entry->times_next = (entry->times_next + 1) % entry->times_size;
    const int64_t oldest = entry->times[entry->times_next];
    return entry->finding.evidence.refusals >= config->after && oldest > 0 &&
           now - oldest <= config->within;
}

static bool count_refusal(struct learned *learned, const struct learn_config *config,
                          const struct flow *flow, int alert, int64_t now,
                          struct learned_finding *told)
{
    struct key key;
    key_of(&key, flow);
    struct entry *entry = find_entry(learned, &key);
    if (entry != NULL && is_over(&entry->finding, now)) {
        drop_entry(learned, entry);
        entry = NULL;
    }
    if (entry == NULL)
        entry = add_entry(learned, &key);
    if (entry == NULL)
        return false;
    struct learned_finding *finding = &entry->finding;
    TAILQ_REMOVE(&learned->entries_by_age, entry, by_age);
    TAILQ_INSERT_TAIL(&learned->entries_by_age, entry, by_age);
    finding->address = flow->device;
    finding->is_name = flow->sni != NULL;
    if (finding->evidence.refusals++ == 0)
        finding->evidence.first = now;
    finding->evidence.last = now;
    finding->expires = now + config->keep;
    note_alert(&finding->evidence, alert);
    if (!note_time(entry, config, now) || finding->state != LEARNED_COUNTING)
        return false;
    finding->state = LEARNED_FOUND;
    learned->version++;
    *told = *finding;
    return true;
}

static enum learned_news note_refusal(struct learned *learned, const struct learn_config *config,
                                      const struct flow *flow, int alert, int64_t now,
                                      struct learned_finding *finding)
{
    const struct device_key key = flow_device_key(flow);
    struct device *device = meet_device(learned, &key);
    if (device == NULL)
        return LEARNED_NOTHING;
    device->known.address = flow->device;
    if (device->known.accepted == 0) {
        device->known.refusals++;
        device->known.last_refusal = now;
        const bool is_news = !device->told;
        device->told = true;
        return is_news ? LEARNED_NO_CA : LEARNED_NOTHING;
    }
    return config->mode != LEARN_OFF && count_refusal(learned, config, flow, alert, now, finding)
               ? LEARNED_PINNED
               : LEARNED_NOTHING;
}

enum learned_news learned_note_refusal(struct learned *learned, const struct learn_config *config,
                                       const struct flow *flow, int alert, int64_t now,
                                       struct learned_finding *finding)
{
    pthread_mutex_lock(&learned->lock);
    enum learned_news news = note_refusal(learned, config, flow, alert, now, finding);
    pthread_mutex_unlock(&learned->lock);
    return news;
}

void learned_note_acceptance(struct learned *learned, const struct flow *flow, int64_t now)
{
    struct key key;
    const struct device_key device_key = flow_device_key(flow);
    key_of(&key, flow);
    pthread_mutex_lock(&learned->lock);
    struct device *device = meet_device(learned, &device_key);
    if (device != NULL) {
        device->known.address = flow->device;
        if (device->known.accepted == 0) {
            device->known.accepted = now;
            learned->version++;
        }
    }
    struct entry *entry = find_entry(learned, &key);
    if (entry != NULL && entry->finding.state != LEARNED_KEPT)
        drop_entry(learned, entry);
    pthread_mutex_unlock(&learned->lock);
}

/* ---- looking, and the operator's word ---- */

bool learned_expire(struct learned *learned, int64_t now)
{
    struct entry *entry, *next;
    bool passed = false;
    pthread_mutex_lock(&learned->lock);
    for (entry = TAILQ_FIRST(&learned->entries_by_age); entry != NULL; entry = next) {
        next = TAILQ_NEXT(entry, by_age);
        if (!is_over(&entry->finding, now))
            continue;
        passed = passed || entry->finding.state == LEARNED_FOUND;
        drop_entry(learned, entry);
    }
    pthread_mutex_unlock(&learned->lock);
    return passed;
}

bool learned_forget(struct learned *learned, uint64_t id)
{
    pthread_mutex_lock(&learned->lock);
    struct entry *entry = find_id(learned, id);
    bool found = id == 0 || entry != NULL;
    if (entry != NULL)
        drop_entry(learned, entry);
    while (id == 0 && (entry = TAILQ_FIRST(&learned->entries_by_age)) != NULL)
        drop_entry(learned, entry);
    pthread_mutex_unlock(&learned->lock);
    return found;
}

bool learned_keep(struct learned *learned, uint64_t id)
{
    pthread_mutex_lock(&learned->lock);
    struct entry *entry = find_id(learned, id);
    bool found = entry != NULL && entry->finding.state != LEARNED_COUNTING;
    if (found) {
        entry->finding.state = LEARNED_KEPT;
        learned->version++;
    }
    pthread_mutex_unlock(&learned->lock);
    return found;
}

bool learned_find(struct learned *learned, uint64_t id, struct learned_finding *finding)
{
    pthread_mutex_lock(&learned->lock);
    const struct entry *entry = find_id(learned, id);
    if (entry != NULL)
        *finding = entry->finding;
    pthread_mutex_unlock(&learned->lock);
    return entry != NULL;
}

void learned_each(struct learned *learned,
                  void (*each)(const struct learned_finding *finding, void *context), void *context)
{
    const struct entry *entry;
    pthread_mutex_lock(&learned->lock);
    TAILQ_FOREACH (entry, &learned->entries_by_age, by_age)
        each(&entry->finding, context);
    pthread_mutex_unlock(&learned->lock);
}

void learned_each_device(struct learned *learned,
                         void (*each)(const struct learned_device *device, void *context),
                         void *context)
{
    const struct device *device;
    pthread_mutex_lock(&learned->lock);
    TAILQ_FOREACH (device, &learned->devices_by_age, by_age)
        each(&device->known, context);
    pthread_mutex_unlock(&learned->lock);
}

enum learned_ca learned_ca_of(struct learned *learned, const struct flow *flow)
{
    const struct device_key key = flow_device_key(flow);
    enum learned_ca ca = LEARNED_CA_UNKNOWN;
    const struct device *device;
    pthread_mutex_lock(&learned->lock);
    HASH_FIND(hh, learned->devices, &key, sizeof(key), device);
    if (device != NULL && device->known.accepted != 0)
        ca = LEARNED_CA_TRUSTED;
    else if (device != NULL && device->known.refusals > 0)
        ca = LEARNED_CA_MISSING;
    pthread_mutex_unlock(&learned->lock);
    return ca;
}

uint64_t learned_version(struct learned *learned)
{
    pthread_mutex_lock(&learned->lock);
    uint64_t version = learned->version;
    pthread_mutex_unlock(&learned->lock);
    return version;
}

/* ---- from before ---- */

bool learned_restore(struct learned *learned, const struct learned_finding *finding)
{
    struct key key;
    make_key(&key, &finding->device, finding->host, finding->port);
    pthread_mutex_lock(&learned->lock);
    struct entry *entry = learned->entry_count < LEARNED_LIMIT && find_entry(learned, &key) == NULL
                              ? add_entry(learned, &key)
                              : NULL;
    if (entry != NULL) {
        entry->finding = *finding;
        memcpy(entry->finding.host, key.host, sizeof(key.host));
        if (finding->id > learned->last_id)
            learned->last_id = finding->id;
    }
    pthread_mutex_unlock(&learned->lock);
    return entry != NULL;
}

bool learned_restore_device(struct learned *learned, const struct learned_device *known)
{
    pthread_mutex_lock(&learned->lock);
    struct device *device =
        learned->device_count < LEARNED_DEVICES_LIMIT ? meet_device(learned, &known->key) : NULL;
    if (device != NULL)
        device->known = *known;
    pthread_mutex_unlock(&learned->lock);
    return device != NULL;
}
#pragma GCC diagnostic pop
