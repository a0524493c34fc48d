/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * edits.h - what an operator has changed at run time, beside the configuration: plain data.
 *
 * An edit says one thing of one subject: that a pattern is in a list or is not, or that a setting
 * has a value; for all devices, or for one. Of a subject there is at most one edit that lasts and
 * one that expires; while it lives, the latter holds. A subject without an edit is as the
 * configuration has it.
 *
 * A set of edits belongs to whoever made it; once a policy was made of it, it never changes. Times
 * are those of clock_ms(), unless they say otherwise. */
#ifndef POLICY_EDITS_H
#define POLICY_EDITS_H

#include "core/arena.h"

#include <stdbool.h>
#include <sys/queue.h>

/* The lists of patterns that can be edited, and their sections' names. */
enum edit_list { LIST_IGNORE, LIST_ALLOW, LIST_TCP };
#define EDIT_LISTS 3
extern const char *const edit_list_names[EDIT_LISTS];

enum edit_kind { EDIT_PATTERN, EDIT_SETTING };

struct edit_subject {
    enum edit_kind kind;
    enum edit_list list; /* of a pattern */
    const char *device;  /* a section's name, a MAC or an IP address; NULL: for all */
    const char *text;    /* the pattern; or the setting's name: "ignore.match", "intercept" */
};

struct edit {
    struct edit_subject subject;
    bool present;      /* a pattern: it is in the list, and not out of it */
    const char *value; /* of a setting; NULL for a pattern */
    const char *note;  /* NULL: none */
    uint32_t uid;      /* who made it, */
    int64_t made;      /* and when: seconds since 1970 */
    uint64_t due;      /* when it expires; 0: it lasts */
    bool persist;      /* over restarts */
    uint32_t hash;     /* of the subject: set by edits_put() */
    TAILQ_ENTRY(edit) link;
};

struct edits {
    struct arena arena;
    size_t count;
    size_t expiring;                    /* of them, those that expire */
    TAILQ_HEAD(edit_queue, edit) items; /* in the order in which they were made */
};

struct edits *edits_new(void) must_check;
void edits_free(struct edits *edits);
void edits_clear(struct edits *edits);

/* A copy, without those that have expired. */
struct edits *edits_copy(const struct edits *edits, uint64_t now) must_check;

/* The edit that holds for the subject; NULL if there is none. */
const struct edit *edits_find(const struct edits *edits, const struct edit_subject *subject);

/* True if no other edit of its subject holds instead. */
bool edits_holds(const struct edits *edits, const struct edit *edit);

/* Adds a copy. One that lasts takes the place of all there were of the subject; one that expires,
 * that of another one that expires. */
void edits_put(struct edits *edits, const struct edit *edit);

/* Forgets what was said of the subject. */
void edits_drop(struct edits *edits, const struct edit_subject *subject);

/* Forgets all that is said of a device's settings. */
void edits_drop_device(struct edits *edits, const char *device);

/* Adds copies of what the other set says of the subject, but for what has expired. */
void edits_take(struct edits *edits, const struct edits *other, const struct edit_subject *subject,
                uint64_t now);

/* True if both say the same of the subject, but for what has expired. */
bool edits_agree(const struct edits *a, const struct edits *b, const struct edit_subject *subject,
                 uint64_t now);

/* True if anything that is said of the subject is to survive a restart. */
bool edits_persist(const struct edits *edits, const struct edit_subject *subject);

/* When the next one expires; 0 if none does. */
uint64_t edits_next_due(const struct edits *edits);

bool edit_subject_equal(const struct edit_subject *a, const struct edit_subject *b);

/* Eight hexadecimal digits that name a pattern of a list, for as long as its text stays the same.
 * Returns `id`. */
#define PATTERN_ID_SIZE 9
const char *pattern_id(enum edit_list list, const char *device, const char *text,
                       char id[static PATTERN_ID_SIZE]);

#endif
