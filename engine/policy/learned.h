/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * learned.h - where devices refuse our certificate, again and again: their apps are pinned.
 *
 * Counted for a device together with the name it asks for, or the address where it asks for none.
 * So many refusals within a time, and no acceptance between them, are a finding. A device that has
 * never accepted our certificate for anything has not got our CA, and nothing is found out from its
 * refusals.
 *
 * The engine's, shared by all threads that decide; every function may be called from any of them,
 * and holds one lock for a look-up, or for one walk through the table. Times are seconds since
 * 1970, since findings outlive the process. */
#ifndef POLICY_LEARNED_H
#define POLICY_LEARNED_H

#include "core/flow.h"
#include "core/macros.h"
#include "policy/config.h"
#include "tls/fingerprint.h"

#include <stdbool.h>
#include <stdint.h>

/* Findings and counts that are kept: in all, and of one device; and devices. Where there is no room
 * counts go before findings, devices that never accepted before others, and the oldest first. Below
 * 2 MB in all; 8 MB more where 1000 refusals are to make a finding. */
#define LEARNED_LIMIT 1024
#define LEARNED_EACH_LIMIT 256
#define LEARNED_DEVICES_LIMIT 4096

#define LEARNED_HOST_SIZE 256
#define LEARNED_ALERTS 4

/* A refusal without a word: the device closed after the handshake, and had sent no data. */
#define LEARNED_SILENT (-1)

struct learned_refusal {
    int alert;       /* by this alert of TLS, or LEARNED_SILENT */
    const char *ja4; /* of the device's ClientHello; NULL if unknown */
};

/* What the device did. */
struct learned_evidence {
    uint32_t refusals;
    uint32_t silent; /* of them, without a word; */
    struct {         /* and by these alerts: */
        int number;
        uint32_t count;
    } alerts[LEARNED_ALERTS];
    int64_t first, last;
    struct address origin; /* where the last one was */
    char ja4[JA4_SIZE];    /* of its ClientHello: it tells one app from another; or empty */
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
    struct address address; /* the device's, of late; the port is 0 */
    char host[LEARNED_HOST_SIZE];
    bool is_name; /* the host; otherwise it is an address */
    uint16_t port;
    struct learned_evidence evidence;
    int64_t expires;
};

/* Whether our CA is on a device, as far as can be known. */
struct learned_device {
    struct device_key key;
    struct address address; /* of late; the port is 0 */
    int64_t accepted;       /* the first time that it has sent data under our CA; 0: never */
    uint32_t refusals;      /* before that */
    int64_t last_refusal;
};

struct learned;

struct learned *learned_new(void) must_check;
void learned_free(struct learned *learned);

/* True if what was found out about this destination lets connections pass. */
bool learned_passes(const struct learned_finding *finding, const struct learn_config *config,
                    int64_t now);

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

/* The device has refused our certificate. With LEARNED_PINNED the finding is in *finding. */
enum learned_news learned_note_refusal(struct learned *learned, const struct learn_config *config,
                                       const struct flow *flow,
                                       const struct learned_refusal *refusal, int64_t now,
                                       struct learned_finding *finding);

/* The device has sent data under a certificate of our CA's: it trusts it. */
void learned_note_acceptance(struct learned *learned, const struct flow *flow, int64_t now);

/* The operator's word. False if there is no such finding; to be kept it has to be found out first,
 * and is then in *finding. */
bool learned_forget(struct learned *learned, uint64_t id) must_check;
bool learned_keep(struct learned *learned, uint64_t id, struct learned_finding *finding) must_check;

/* Why a finding is gone. */
enum learned_end {
    LEARNED_EXPIRED,
    LEARNED_FORGOTTEN, /* as the operator has said */
    LEARNED_ACCEPTED,  /* the device has accepted our certificate there */
    LEARNED_REPLACED,  /* there was no room */
};

struct learned_gone {
    struct learned_finding finding;
    enum learned_end end;
};
#define LEARNED_GONE_LIMIT 32

/* Forgets what has expired, and tells of all findings that are gone since the last call: how many
 * are in `gone`, as far as there is room. True if there are any: connections may have passed by
 * them, and whoever was taught by them has to forget it, too. */
bool learned_sweep(struct learned *learned, int64_t now,
                   struct learned_gone gone[static LEARNED_GONE_LIMIT], size_t *count) must_check;

/* False if there is none with this number. */
bool learned_find(struct learned *learned, uint64_t id, struct learned_finding *finding) must_check;

/* Findings about a destination, by its name or its address: of the flow's device or, if it has
 * none, of all. Returns how many there are in `found`. */
size_t learned_about(struct learned *learned, const struct flow *flow,
                     struct learned_finding *found, size_t limit);

/* Whether our CA is on the device. False if it has neither accepted nor refused yet. */
bool learned_find_device(struct learned *learned, const struct device_key *key,
                         struct learned_device *device) must_check;

/* ---- all of it ---- */

/* Other numbers whenever something has changed that is to outlive the process. */
struct learned_version {
    uint64_t findings; /* there is another one, or one less; or a device has accepted */
    uint64_t evidence; /* there is more of it */
};
struct learned_version learned_version(struct learned *learned);

/* A copy, in the order of age. Its owner's, to be given back to learned_list_fini(). */
struct learned_list {
    struct learned_finding *findings;
    size_t finding_count;
    struct learned_device *devices;
    size_t device_count;
    uint64_t last_id; /* that was given to a finding */
};

/* False if there is no memory. */
bool learned_copy(struct learned *learned, struct learned_list *list) must_check;
void learned_list_fini(struct learned_list *list);

/* Takes in what was copied in another life, at the start. False if something is in it twice, or
 * there is no room for it: nothing is known then. */
bool learned_restore(struct learned *learned, const struct learned_list *list) must_check;

#endif
