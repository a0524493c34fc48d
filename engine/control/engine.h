/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * engine.h - all running parts, and the order in which they start and stop.
 *
 * The control thread's. What others may have taken (queue, table, port) is asked for before
 * anything in the network is changed; the ruleset comes into force last. */
#ifndef CONTROL_ENGINE_H
#define CONTROL_ENGINE_H

#include "conn/worker.h"
#include "control/engine_tls.h"
#include "event/capture.h"
#include "policy/bypassed.h"
#include "policy/policy.h"
#include "tls/signer.h"

struct engine {
    struct policy *policy;         /* in force */
    struct known *known;           /* of the devices; outlives policies */
    struct pattern_scratch *model; /* fit for every policy so far; of whoever prepares one */
    struct signer signer;
    struct leaf_maker leaf_maker;
    struct leaf_cache *leaves;
    struct recorder *recorder;
    struct recorder_feed *gate_feed, *bypassed_feed, *control_feed;
    struct capture *capture;
    int mirror_socket; /* the capture's; -1: there is none */
    struct engine_state state;
    struct gate *gate;
    struct bypassed *bypassed; /* what passes in the kernel */
    struct worker **workers;
    struct recorder_feed **worker_feeds;
    size_t worker_count;
};

/* The signer comes first, while there is one thread and all the rights that the process was started
 * with. False after the reason was logged. */
bool engine_start_signer(struct signer *signer, const struct config *config) must_check;

/* Starts everything else by this policy. All of them go over, also on failure; `mirror_socket` may
 * be -1 (captures.h). NULL after the reason was logged. */
struct engine *engine_start(struct policy *policy, struct signer *signer,
                            int mirror_socket) must_check;

/* Reads what TLS is to be spoken by under a new policy. Slow. NULL after everything that is wrong
 * was logged. */
struct engine_tls *engine_load(const struct engine *engine, const struct policy *policy) must_check;

/* Everything that a new policy needs, made ready: by a thread that has time, one at a time. `tls`
 * is NULL where only edits were made; it goes over, and the policy does. NULL after the reason was
 * logged. */
struct engine_change;
struct engine_change *engine_prepare(struct engine *engine, struct policy *policy,
                                     struct engine_tls *tls) must_check;

/* For one that is not to be applied after all. */
void engine_discard(struct engine_change *change);

/* Puts it in force. It is for every new connection when `done(context)` is called, in the thread of
 * `mailbox`, which is the one that applies. The change goes over. */
void engine_apply(struct engine *engine, struct engine_change *change, struct mailbox *mailbox,
                  void (*done)(void *context), void *context);

/* From now on new connections pass; the open ones go on. */
void engine_drain(struct engine *engine);
uint64_t engine_active(const struct engine *engine);

/* Opens the records' files anew. */
void engine_reopen(struct engine *engine);

/* Ends everything. Where we fail closed only an `orderly` end opens. */
void engine_stop(struct engine *engine, bool orderly);

#endif
