/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * dns_watch.h - listens to what devices ask DNS and what they are answered, and notes the names
 * (names.h).
 *
 * Only the first answer to a question that was seen teaches anything: between the same two
 * addresses and ports, with the same number, about the same name. One thread. */
#ifndef POLICY_DNS_WATCH_H
#define POLICY_DNS_WATCH_H

#include "core/counter.h"
#include "policy/names.h"

/* Questions that wait for their answers at once, and how long they do, in ms. */
#define DNS_WATCH_QUESTIONS 4096
#define DNS_WATCH_TIME 15000

/* Between whom a message goes. */
struct dns_path {
    struct address device, server;
    uint8_t protocol; /* IPPROTO_UDP or IPPROTO_TCP */
};

/* Written by the thread that listens, read by any. */
struct dns_watch_counters {
    struct counter queries;
    struct counter answers;    /* to queries that were seen */
    struct counter unasked;    /* answers to nothing that was asked: nothing was learned */
    struct counter unreadable; /* neither */
};

struct dns_watch;

/* Borrows the names. NULL if there is no memory. */
struct dns_watch *dns_watch_new(struct names *names) must_check;
void dns_watch_free(struct dns_watch *watch);

/* A message of the device's; NULL: one of whom nothing is to be learned. */
void dns_watch_query(struct dns_watch *watch, const struct dns_path *path,
                     const struct device_key *device, const uint8_t *bytes, size_t length,
                     uint64_t now);

/* A message to the device. `news` is called for each address that it did not know this name at. */
void dns_watch_answer(struct dns_watch *watch, const struct dns_path *path, const uint8_t *bytes,
                      size_t length, uint64_t now,
                      void (*news)(void *context, const struct device_key *device,
                                   const struct address *address),
                      void *context);

const struct dns_watch_counters *dns_watch_counters(const struct dns_watch *watch);

#endif
