/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * explain.h - an operator asks what would happen to a destination, and why. */
#ifndef POLICY_EXPLAIN_H
#define POLICY_EXPLAIN_H

#include "core/jsonw.h"
#include "policy/learned_json.h"
#include "policy/policy.h"

#define EXPLAIN_TARGET_LIMIT 300
#define EXPLAIN_EXCEPTIONS_LIMIT 8

/* What is asked. */
struct question {
    const char *target;       /* "address:port" or "name:port" */
    const char *const *names; /* of the target, as by DNS and in the ClientHello; */
    size_t name_count;
    const struct device_config *device; /* who wants to go there; NULL: anybody */
};

/* The connection that is meant; it borrows from the question, and its name is kept in `name`. False
 * if the target is neither. */
bool question_flow(const struct question *question, struct flow *flow,
                   char name[static EXPLAIN_TARGET_LIMIT]) must_check;

struct explanation {
    const struct policy_view *view; /* it is borrowed from */
    struct decision decision;
    struct tls_rules rules; /* for what is intercepted */
    /* The target is a name, and the patterns were tried against it; but in operation only addresses
     * are looked at (match = address), so they would not be asked about a name. */
    bool name_unseen;
    char evidence[LEARNED_EVIDENCE_SIZE]; /* for REASON_PINNED: what the device did; or "" */
    /* Devices for which it passes all the same, since their apps are pinned there. */
    struct learned_finding exceptions[EXPLAIN_EXCEPTIONS_LIMIT];
    size_t exception_count;
};

/* False if the target is neither address:port nor name:port. */
bool explain_question(struct explanation *explanation, const struct policy_view *view,
                      const struct question *question) must_check;

/* The same for a target alone. */
bool explain_target(struct explanation *explanation, const struct policy_view *view,
                    const char *target) must_check;

/* What one list alone says: the pattern that is found, of the device's own or of those for all;
 * NULL if none is. */
const struct pattern_source *explain_list(const struct policy_view *view, enum edit_list list,
                                          const struct flow *flow);

/* "ignore" or "intercept". */
const char *explanation_verdict(const struct explanation *explanation);

/* Writes it as one JSON object. */
void explanation_write(struct jsonw *json, const char *target,
                       const struct explanation *explanation);

#endif
