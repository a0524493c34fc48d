/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * learned_file.h - what was learned as JSON, in the form of the file that it is kept in between
 * runs: an object with "version", "last_id", and arrays "findings" and "devices". */
#ifndef POLICY_LEARNED_FILE_H
#define POLICY_LEARNED_FILE_H

#include "core/jsonw.h"
#include "policy/learned.h"

/* All findings, and the devices that have our CA. What is only counted is left out. */
void learned_file_write(struct jsonw *json, const struct learned_list *list);

/* Reads what was written before. NULL, and the list is filled; or what is wrong with the text, and
 * the list is empty. */
const char *learned_file_read(struct learned_list *list, const char *text,
                              size_t length) must_check;

/* What is written for operators too: the evidence, as a member of an open object. */
void learned_write_evidence(struct jsonw *json, const struct learned_evidence *evidence);

#endif
