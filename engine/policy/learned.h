/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * learned.h - where devices have refused our certificate, again and again: such an app is pinned,
 * or our CA is not installed, and from then on it passes.
 *
 * Kept for a device together with the name it asks for, or the address where it asks for none. A
 * refusal is forgotten after a time, and at once when data shows that a certificate was accepted.
 * One policy's, shared by all workers; every function may be called from any thread. */
#ifndef POLICY_LEARNED_H
#define POLICY_LEARNED_H

#include "core/flow.h"
#include "core/macros.h"

#include <stdbool.h>
#include <stdint.h>

struct learned;

/* `limit` refusals in a row make it pass; 0: never. `life` in seconds. Times below are those of
 * clock_ms(). */
struct learned *learned_new(uint32_t limit, uint32_t life) must_check;
void learned_free(struct learned *learned);

/* True if connections like this one are to pass. */
bool learned_is_pinned(struct learned *learned, const struct flow *flow, uint64_t now);

/* True if this refusal is the one that decides. */
bool learned_note_refusal(struct learned *learned, const struct flow *flow, uint64_t now);
void learned_note_acceptance(struct learned *learned, const struct flow *flow);

#endif
