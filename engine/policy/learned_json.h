/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * learned_json.h - what was learned, told to operators: as JSON, and in words. Any thread. */
#ifndef POLICY_LEARNED_JSON_H
#define POLICY_LEARNED_JSON_H

#include "core/jsonw.h"
#include "policy/known.h"

/* One object: all findings and counts, whether our CA is on the devices, and where it is. */
void learned_tell(struct jsonw *json, struct known *known, const struct config *config,
                  int64_t now);

/* The members of a finding, into an object that is open. */
void learned_tell_finding(struct jsonw *json, const struct learned_finding *finding,
                          struct known *known, const struct config *config, int64_t now);

/* The rest of an event (see eve_begin()) about a finding that was kept, or is gone. */
void learned_tell_change(struct jsonw *json, const struct learned_finding *finding,
                         struct known *known, const struct config *config, const char *reason);

/* What becomes of it: "counting", "suggested", "passing" or "kept". */
const char *learned_verdict(const struct learned_finding *finding,
                            const struct learn_config *config, int64_t now);

/* Whether our CA is on it: "trusted" or "missing". */
const char *learned_ca_word(const struct learned_device *device);

/* "alert 48 (unknown CA) 3 times, without a word once". Returns `text`. */
#define LEARNED_EVIDENCE_SIZE 320
const char *learned_evidence_text(const struct learned_evidence *evidence,
                                  char text[static LEARNED_EVIDENCE_SIZE]);

#endif
