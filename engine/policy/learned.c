/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/learned.h"

#include "core/thread.h"
#include "policy/learned_table.h"

#include <pthread.h>
#include <string.h>

struct learned {
    pthread_mutex_t lock;
    struct learned_table table;
};

struct learned *learned_new(void)
{
    struct learned *learned = malloc(sizeof(*learned));
    if (learned == NULL)
        return NULL;
    thread_mutex_init(&learned->lock);
    learned_table_init(&learned->table);
    return learned;
}

void learned_free(struct learned *learned)
{
    if (learned == NULL)
        return;
    learned_table_fini(&learned->table);
    pthread_mutex_destroy(&learned->lock);
    free(learned);
}

/* ---- what a device does ---- */

static bool is_over(const struct learned_finding *finding, int64_t now)
{
    return finding->state != LEARNED_KEPT && finding->expires <= now;
}

bool learned_passes(const struct learned_finding *finding, const struct learn_config *config,
                    int64_t now)
{
    if (config->mode == LEARN_OFF || is_over(finding, now))
        return false;
    return finding->state == LEARNED_KEPT ||
           (finding->state == LEARNED_FOUND && config->mode == LEARN_AUTO);
}

bool learned_is_pinned(struct learned *learned, const struct learn_config *config,
                       const struct flow *flow, int64_t now, uint64_t *id)
{
    struct learned_key key;
    if (config->mode == LEARN_OFF)
        return false;
    learned_key_of(&key, flow);
    pthread_mutex_lock(&learned->lock);
    const struct learned_entry *entry = learned_table_find(&learned->table, &key);
    bool pinned = entry != NULL && learned_passes(&entry->finding, config, now);
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

static void note_evidence(struct learned_finding *finding, const struct flow *flow,
                          const struct learned_refusal *refusal, int64_t now)
{
    struct learned_evidence *evidence = &finding->evidence;
    finding->address = flow->device;
    finding->address.port = 0;
    finding->is_name = flow->sni != NULL;
    if (evidence->refusals++ == 0)
        evidence->first = now;
    evidence->last = now;
    evidence->origin = flow->origin;
    note_alert(evidence, refusal->alert);
    if (refusal->ja4 != NULL)
        snprintf(evidence->ja4, sizeof(evidence->ja4), "%s", refusal->ja4);
}

/* Keeps the time of this refusal. True if it is the last of so many within the time. */
static bool note_time(struct learned_entry *entry, const struct learn_config *config, int64_t now)
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
    return oldest > 0 && now - oldest <= config->within;
}

static struct learned_entry *entry_for(struct learned_table *table, const struct flow *flow,
                                       int64_t now)
{
    struct learned_key key;
    learned_key_of(&key, flow);
    struct learned_entry *entry = learned_table_find(table, &key);
    if (entry != NULL && is_over(&entry->finding, now)) {
        learned_table_drop(table, entry, LEARNED_EXPIRED);
        entry = NULL;
    }
    return entry != NULL ? entry : learned_table_add(table, &key);
}

static void become_finding(struct learned_table *table, struct learned_entry *entry)
{
    entry->finding.state = LEARNED_FOUND;
    table->version.findings++;
    free(entry->times);
    entry->times = NULL;
    entry->times_size = 0;
}

/* A count is of no use when its time is over; a finding has one of its own. True if it is one since
 * this refusal. */
static bool count_refusal(struct learned_table *table, const struct learn_config *config,
                          const struct flow *flow, const struct learned_refusal *refusal,
                          int64_t now, struct learned_finding *told)
{
    struct learned_entry *entry = entry_for(table, flow, now);
    if (entry == NULL)
        return false;
    struct learned_finding *finding = &entry->finding;
    const bool was_counting = finding->state == LEARNED_COUNTING;
    learned_table_renew(table, entry);
    note_evidence(finding, flow, refusal, now);
    if (was_counting && note_time(entry, config, now))
        become_finding(table, entry);
    const bool is_counting = finding->state == LEARNED_COUNTING;
    finding->expires = now + (is_counting ? config->within : config->keep);
    table->version.evidence += !is_counting;
    *told = *finding;
    return was_counting && !is_counting;
}

static enum learned_news note_refusal(struct learned_table *table,
                                      const struct learn_config *config, const struct flow *flow,
                                      const struct learned_refusal *refusal, int64_t now,
                                      struct learned_finding *finding)
{
    const struct device_key key = flow_device_key(flow);
    struct learned_device_entry *entry = learned_table_meet(table, &key, &flow->device, 0);
    if (entry == NULL)
        return LEARNED_NOTHING;
    if (entry->device.accepted == 0) {
        const bool is_news = !entry->told;
        entry->device.refusals++;
        entry->device.last_refusal = now;
        entry->told = true;
        return is_news ? LEARNED_NO_CA : LEARNED_NOTHING;
    }
    if (config->mode == LEARN_OFF)
        return LEARNED_NOTHING;
    return count_refusal(table, config, flow, refusal, now, finding) ? LEARNED_PINNED
                                                                     : LEARNED_NOTHING;
}

enum learned_news learned_note_refusal(struct learned *learned, const struct learn_config *config,
                                       const struct flow *flow,
                                       const struct learned_refusal *refusal, int64_t now,
                                       struct learned_finding *finding)
{
    pthread_mutex_lock(&learned->lock);
    enum learned_news news = note_refusal(&learned->table, config, flow, refusal, now, finding);
    pthread_mutex_unlock(&learned->lock);
    return news;
}

void learned_note_acceptance(struct learned *learned, const struct flow *flow, int64_t now)
{
    const struct device_key device = flow_device_key(flow);
    struct learned_key key;
    learned_key_of(&key, flow);
    pthread_mutex_lock(&learned->lock);
    (void)learned_table_meet(&learned->table, &device, &flow->device, now);
    struct learned_entry *entry = learned_table_find(&learned->table, &key);
    if (entry != NULL && entry->finding.state != LEARNED_KEPT)
        learned_table_drop(&learned->table, entry, LEARNED_ACCEPTED);
    pthread_mutex_unlock(&learned->lock);
}

static void drop_expired(struct learned_table *table, int64_t now)
{
    struct learned_entry *entry, *next;
    for (entry = TAILQ_FIRST(&table->entries_by_age); entry != NULL; entry = next) {
        next = TAILQ_NEXT(entry, by_age);
        if (is_over(&entry->finding, now))
            learned_table_drop(table, entry, LEARNED_EXPIRED);
    }
}

bool learned_sweep(struct learned *learned, int64_t now,
                   struct learned_gone gone[static LEARNED_GONE_LIMIT], size_t *count)
{
    struct learned_table *table = &learned->table;
    pthread_mutex_lock(&learned->lock);
    drop_expired(table, now);
    const bool lost = table->lost;
    *count = table->gone_count;
    memcpy(gone, table->gone, table->gone_count * sizeof(*gone));
    table->gone_count = 0;
    table->lost = false;
    pthread_mutex_unlock(&learned->lock);
    return lost;
}

/* ---- the operator's word ---- */

bool learned_forget(struct learned *learned, uint64_t id)
{
    pthread_mutex_lock(&learned->lock);
    struct learned_entry *entry = learned_table_find_id(&learned->table, id);
    const bool is_there = entry != NULL;
    if (is_there)
        learned_table_drop(&learned->table, entry, LEARNED_FORGOTTEN);
    pthread_mutex_unlock(&learned->lock);
    return is_there;
}

bool learned_keep(struct learned *learned, uint64_t id, struct learned_finding *finding)
{
    pthread_mutex_lock(&learned->lock);
    struct learned_entry *entry = learned_table_find_id(&learned->table, id);
    const bool is_found = entry != NULL && entry->finding.state != LEARNED_COUNTING;
    if (is_found) {
        entry->finding.state = LEARNED_KEPT;
        learned->table.version.findings++;
        *finding = entry->finding;
    }
    pthread_mutex_unlock(&learned->lock);
    return is_found;
}

bool learned_find(struct learned *learned, uint64_t id, struct learned_finding *finding)
{
    pthread_mutex_lock(&learned->lock);
    const struct learned_entry *entry = learned_table_find_id(&learned->table, id);
    if (entry != NULL)
        *finding = entry->finding;
    pthread_mutex_unlock(&learned->lock);
    return entry != NULL;
}

/* By the name that is asked about, or by the address: then also what had a name there of late. */
static bool is_about(const struct learned_entry *entry, const struct learned_key *key,
                     const struct flow *flow)
{
    const struct learned_evidence *evidence = &entry->finding.evidence;
    if (entry->key.port != key->port)
        return false;
    return strcmp(entry->key.host, key->host) == 0 ||
           (flow->sni == NULL && address_same_ip(&evidence->origin, &flow->origin));
}

size_t learned_about(struct learned *learned, const struct flow *flow,
                     struct learned_finding *found, size_t limit)
{
    const bool is_of_all = !flow->has_mac && flow->device.family == 0;
    const struct learned_entry *entry;
    struct learned_key key;
    size_t count = 0;
    learned_key_of(&key, flow);
    pthread_mutex_lock(&learned->lock);
    TAILQ_FOREACH (entry, &learned->table.entries_by_age, by_age) {
        if (count == limit)
            break;
        if (is_about(entry, &key, flow) &&
            (is_of_all || memcmp(&entry->key.device, &key.device, sizeof(key.device)) == 0))
            found[count++] = entry->finding;
    }
    pthread_mutex_unlock(&learned->lock);
    return count;
}

bool learned_find_device(struct learned *learned, const struct device_key *key,
                         struct learned_device *device)
{
    pthread_mutex_lock(&learned->lock);
    const struct learned_device_entry *entry = learned_table_find_device(&learned->table, key);
    if (entry != NULL)
        *device = entry->device;
    pthread_mutex_unlock(&learned->lock);
    return entry != NULL;
}

/* ---- all of it ---- */

struct learned_version learned_version(struct learned *learned)
{
    pthread_mutex_lock(&learned->lock);
    struct learned_version version = learned->table.version;
    pthread_mutex_unlock(&learned->lock);
    return version;
}

/* Room for all that there can be is found beforehand: nobody waits for memory. */
bool learned_copy(struct learned *learned, struct learned_list *list)
{
    *list = (struct learned_list){
        .findings = malloc(LEARNED_LIMIT * sizeof(*list->findings)),
        .devices = malloc(LEARNED_DEVICES_LIMIT * sizeof(*list->devices)),
    };
    if (list->findings == NULL || list->devices == NULL) {
        learned_list_fini(list);
        return false;
    }
    pthread_mutex_lock(&learned->lock);
    learned_table_copy(&learned->table, list);
    pthread_mutex_unlock(&learned->lock);
    return true;
}

void learned_list_fini(struct learned_list *list)
{
    free(list->findings);
    free(list->devices);
    *list = (struct learned_list){0};
}

bool learned_restore(struct learned *learned, const struct learned_list *list)
{
    pthread_mutex_lock(&learned->lock);
    const bool done = learned_table_restore(&learned->table, list);
    if (!done) {
        learned_table_fini(&learned->table);
        learned_table_init(&learned->table);
    }
    pthread_mutex_unlock(&learned->lock);
    return done;
}
