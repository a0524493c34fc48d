/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * learned.h - where devices refuse our certificate, again and again: their apps are pinned.
 *
 * Counted for a device together with the name it asks for, or the address where it asks for none.
 * So many refusals within a time, and no acceptance between them, are a finding. A device that has
 * never accepted our certificate for anything has not got our CA, and nothing is found out from its
 * refusals.
 *
 * The engine's, shared by all threads that decide; every function may be called from any of them.
 * Times are seconds since 1970, since findings outlive the process. */
#ifndef POLICY_LEARNED_H
#define POLICY_LEARNED_H

#include "core/flow.h"
#include "core/macros.h"
#include "policy/config.h"

#include <stdbool.h>
#include <stdint.h>

/* Findings and counts that are kept, and devices; the oldest go first. Below 2 MB in all. */
#define LEARNED_LIMIT 1024
#define LEARNED_DEVICES_LIMIT 4096

#define LEARNED_HOST_SIZE 256
#define LEARNED_ALERTS 4

/* A refusal without a word: the device closed after the handshake, and had sent no data. */
#define LEARNED_SILENT (-1)

/* What the device did. */
struct learned_evidence {
    uint32_t refusals;
    uint32_t silent; /* of them, without a word; */
    struct {         /* and by these alerts: */
        int number;
        uint32_t count;
    } alerts[LEARNED_ALERTS];
    int64_t first, last;
};

enum learned_state {
    LEARNED_COUNTING,
    LEARNED_FOUND,
    LEARNED_KEPT, /* the operator has said that it is so: it never expires */
};

struct learned_finding {
    uint64_t id;
    enum learned_state state;
    struct device_key device;
    struct address address; /* the device's, of late */
    char host[LEARNED_HOST_SIZE];
    bool is_name; /* the host; otherwise it is an address */
    uint16_t port;
    struct learned_evidence evidence;
    int64_t expires;
};

/* Whether our CA is on a device, as far as can be known. */
struct learned_device {
    struct device_key key;
    struct address address;
    int64_t accepted;  /* the first time that it has sent data under our certificate; 0: never */
    uint32_t refusals; /* before that */
    int64_t last_refusal;
};

struct learned;

struct learned *learned_new(void) must_check;
void learned_free(struct learned *learned);

/* True if connections like this one are to pass: for a flow whose name is known, or that has none.
 * `*id` is then the finding's. */
bool learned_is_pinned(struct learned *learned, const struct learn_config *config,
                       const struct flow *flow, int64_t now, uint64_t *id);

/* What a refusal has led to. */
enum learned_news {
    LEARNED_NOTHING,
    LEARNED_NO_CA,  /* told once for each device: our CA is missing on it */
    LEARNED_PINNED, /* this is the refusal that makes it a finding */
};

/* The device has refused our certificate with this alert, or LEARNED_SILENT. With LEARNED_PINNED
 * the finding is in *finding. */
enum learned_news learned_note_refusal(struct learned *learned, const struct learn_config *config,
                                       const struct flow *flow, int alert, int64_t now,
                                       struct learned_finding *finding);

/* The device has sent data under our certificate: it trusts it. */
void learned_note_acceptance(struct learned *learned, const struct flow *flow, int64_t now);

/* Forgets what has expired. True if connections passed by it till now. */
bool learned_expire(struct learned *learned, int64_t now);

/* The operator's word on a finding; 0 means all, for forgetting. False if there is no such one. */
bool learned_forget(struct learned *learned, uint64_t id) must_check;
bool learned_keep(struct learned *learned, uint64_t id) must_check;

/* False if there is none with this number. */
bool learned_find(struct learned *learned, uint64_t id, struct learned_finding *finding) must_check;

/* Calls `each` for all findings, or devices, under the lock: it must be quick. */
void learned_each(struct learned *learned,
                  void (*each)(const struct learned_finding *finding, void *context),
                  void *context);
void learned_each_device(struct learned *learned,
                         void (*each)(const struct learned_device *device, void *context),
                         void *context);

/* Whether our CA is on the device, by what it has done so far. */
enum learned_ca { LEARNED_CA_UNKNOWN, LEARNED_CA_TRUSTED, LEARNED_CA_MISSING };
enum learned_ca learned_ca_of(struct learned *learned, const struct flow *flow);

/* Another number whenever something has changed that is to outlive the process. */
uint64_t learned_version(struct learned *learned);

/* Put back what was kept from before, at the start. False if there is no room for it. */
bool learned_restore(struct learned *learned, const struct learned_finding *finding) must_check;
bool learned_restore_device(struct learned *learned,
                            const struct learned_device *device) must_check;

#endif
