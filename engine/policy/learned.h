/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * learned.h - where devices have refused our certificate, again and again: such an app is pinned,
 * or our CA is not installed, and from then on it passes.
 *
 * Kept for a device together with the name it asks for, or the address where it asks for none. A
 * refusal is forgotten after a time, and at once when data shows that a certificate was accepted.
 * Shared by all threads that decide; every function may be called from any thread. */
#ifndef POLICY_LEARNED_H
#define POLICY_LEARNED_H

#include "core/flow.h"
#include "core/macros.h"
#include "policy/config.h"

#include <stdbool.h>
#include <stdint.h>

struct learned;

struct learned *learned_new(void) must_check;
void learned_free(struct learned *learned);

/* True if connections like this one are to pass: for a flow whose name is known, or that has none.
 * Times are those of clock_ms(). */
bool learned_is_pinned(struct learned *learned, const struct learn_config *config,
                       const struct flow *flow, uint64_t now);

/* True if this refusal is the one that decides. */
bool learned_note_refusal(struct learned *learned, const struct learn_config *config,
                          const struct flow *flow, uint64_t now);
void learned_note_acceptance(struct learned *learned, const struct flow *flow);

#endif
