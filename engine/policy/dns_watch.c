/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/dns_watch.h"

#include "policy/dns.h"

#include <sys/queue.h>

/* uthash's macros shadow and convert as they please. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include <uthash.h>

/* Compared as bytes: what is not used is zero. A device may ask for the addresses of both families
 * with the same number. */
struct key {
    uint8_t device_ip[16], server_ip[16];
    uint16_t device_port, server_port;
    uint16_t id, type;
    uint8_t family, protocol;
};

/* Devices share a bucket where their hashes meet. */
#define BUCKETS 1024

struct question {
    struct key key;
    unsigned bucket;          /* of the device */
    struct device_key device; /* of no size: nothing is to be learned */
    bool is_answered;
    char name[DNS_NAME_SIZE];
    uint64_t until;
    UT_hash_handle hh;
    TAILQ_ENTRY(question) by_age;
};

struct dns_watch {
    struct names *names;
    struct question *questions;
    size_t count;
    uint16_t waiting[BUCKETS];                   /* questions of each */
    TAILQ_HEAD(question_queue, question) by_age; /* the oldest first */
    struct dns_watch_counters counters;
};

struct dns_watch *dns_watch_new(struct names *names)
{
    struct dns_watch *watch = calloc(1, sizeof(*watch));
    if (watch == NULL)
        return NULL;
    watch->names = names;
    TAILQ_INIT(&watch->by_age);
    return watch;
}

static void drop(struct dns_watch *watch, struct question *question)
{
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): it is in there */
    HASH_DEL(watch->questions, question);
    TAILQ_REMOVE(&watch->by_age, question, by_age);
    watch->count--;
    watch->waiting[question->bucket]--;
    free(question);
}

void dns_watch_free(struct dns_watch *watch)
{
    if (watch == NULL)
        return;
    struct question *question = TAILQ_FIRST(&watch->by_age), *next;
    HASH_CLEAR(hh, watch->questions);
    for (; question != NULL; question = next) {
        next = TAILQ_NEXT(question, by_age);
        free(question);
    }
    free(watch);
}

static struct key key_of(const struct dns_path *path, const struct dns_message *message)
{
    struct key key;
    memset(&key, 0, sizeof(key));
    memcpy(key.device_ip, &path->device.ip, address_ip_size(&path->device));
    memcpy(key.server_ip, &path->server.ip, address_ip_size(&path->server));
    key.device_port = path->device.port;
    key.server_port = path->server.port;
    key.id = message->id;
    key.type = message->type;
    key.family = (uint8_t)path->device.family;
    key.protocol = path->protocol;
    return key;
}

static void forget_old(struct dns_watch *watch, uint64_t now)
{
    struct question *oldest = TAILQ_FIRST(&watch->by_age), *next;
    for (; oldest != NULL && (oldest->until <= now || watch->count >= DNS_WATCH_QUESTIONS);
         oldest = next) {
        next = TAILQ_NEXT(oldest, by_age);
        drop(watch, oldest);
    }
}

static unsigned bucket_of(const struct device_key *device)
{
    unsigned hash = 0;
    /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): each byte of it is set */
    HASH_VALUE(device, sizeof(*device), hash);
    return hash % BUCKETS;
}

/* Nobody is made nameless by another's questions. */
static void forget_own(struct dns_watch *watch, unsigned bucket)
{
    struct question *question;
    if (watch->waiting[bucket] < DNS_WATCH_DEVICE_QUESTIONS)
        return;
    TAILQ_FOREACH (question, &watch->by_age, by_age)
        if (question->bucket == bucket)
            break;
    if (question != NULL)
        drop(watch, question);
}

static struct question *find(const struct dns_watch *watch, const struct key *key)
{
    struct question *question;
    HASH_FIND(hh, watch->questions, key, sizeof(*key), question);
    return question;
}

void dns_watch_query(struct dns_watch *watch, const struct dns_path *path,
                     const struct device_key *device, const uint8_t *bytes, size_t length,
                     uint64_t now)
{
    struct dns_message message;
    if (!dns_read(&message, bytes, length) || message.is_answer) {
        counter_add(&watch->counters.unreadable, 1);
        return;
    }
    counter_add(&watch->counters.queries, 1);
    const struct key key = key_of(path, &message);
    struct question *question = find(watch, &key);
    if (question != NULL)
        drop(watch, question); /* asked again */
    forget_old(watch, now);
    const struct device_key nobody = {0}, *asker = device != NULL ? device : &nobody;
    const unsigned bucket = bucket_of(asker);
    forget_own(watch, bucket);
    question = calloc(1, sizeof(*question));
    if (question == NULL)
        return;
    question->key = key;
    question->device = *asker;
    question->bucket = bucket;
    watch->waiting[bucket]++;
    question->until = now + DNS_WATCH_TIME;
    memcpy(question->name, message.name, sizeof(question->name));
    HASH_ADD(hh, watch->questions, key, sizeof(key), question);
    TAILQ_INSERT_TAIL(&watch->by_age, question, by_age);
    watch->count++;
}

/* The device takes the first answer and waits for no other, which it gets where it has asked twice.
 * The question is the first to go when there is no room. */
static bool take_answer(struct dns_watch *watch, struct question *question)
{
    if (question->is_answered)
        return false;
    question->is_answered = true;
    TAILQ_REMOVE(&watch->by_age, question, by_age);
    TAILQ_INSERT_HEAD(&watch->by_age, question, by_age);
    counter_add(&watch->counters.answers, 1);
    return question->device.size > 0;
}

void dns_watch_answer(struct dns_watch *watch, const struct dns_path *path, const uint8_t *bytes,
                      size_t length, uint64_t now,
                      void (*news)(void *context, const struct device_key *device,
                                   const struct address *address),
                      void *context)
{
    struct dns_message message;
    if (!dns_read(&message, bytes, length) || !message.is_answer) {
        counter_add(&watch->counters.unreadable, 1);
        return;
    }
    const struct key key = key_of(path, &message);
    struct question *question = find(watch, &key);
    if (question == NULL || question->until <= now || strcmp(question->name, message.name) != 0) {
        counter_add(&watch->counters.unasked, 1);
        return;
    }
    if (!take_answer(watch, question))
        return;
    for (size_t i = 0; i < message.address_count; i++) {
        const struct dns_address *found = &message.addresses[i];
        if (names_add(watch->names, &question->device, &found->address, message.name, found->ttl,
                      now))
            news(context, &question->device, &found->address);
    }
}
#pragma GCC diagnostic pop

const struct dns_watch_counters *dns_watch_counters(const struct dns_watch *watch)
{
    return &watch->counters;
}
