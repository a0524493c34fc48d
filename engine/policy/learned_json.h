/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * learned_json.h - what was learned as JSON: for the operator, and for the file that it is kept in
 * between runs; and in words.
 *
 * The file is an object with "version", "findings" and "devices", as they are told to operators. */
#ifndef POLICY_LEARNED_JSON_H
#define POLICY_LEARNED_JSON_H

#include "core/jsonw.h"
#include "policy/learned.h"

/* Writes one object: all findings and devices; also what is still being counted, if `counting`. */
void learned_write(struct jsonw *json, struct learned *learned, bool counting);

/* Writes the members of a finding into an object that is open. */
void learned_write_finding(struct jsonw *json, const struct learned_finding *finding);

/* Takes in what was written before. NULL, or what is wrong with the text, which has then been taken
 * in up to there. */
const char *learned_read(struct learned *learned, const char *text, size_t length);

/* "alert 48 (unknown CA) 3 times, without a word once". Returns `text`. */
#define LEARNED_EVIDENCE_SIZE 320
const char *learned_evidence_text(const struct learned_evidence *evidence,
                                  char text[static LEARNED_EVIDENCE_SIZE]);

/* The device, by its MAC address or its IP address. Returns `text`. */
#define DEVICE_KEY_TEXT_SIZE INET6_ADDRSTRLEN
const char *device_key_text(const struct device_key *key, char text[static DEVICE_KEY_TEXT_SIZE]);

#endif
