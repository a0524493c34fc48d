/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * change.h - the way of every change of the policy, one after another: it is planned when its turn
 * has come, made by a thread that has time, put in force by all others, and only then told: to
 * whoever asked for it, in the log, and in the records.
 *
 * Who asks for something that changes nothing does not wait for any of this. The control thread's.
 */
#ifndef CONTROL_CHANGE_H
#define CONTROL_CHANGE_H

#include "control/flows.h"
#include "control/socket.h"
#include "control/undo.h"
#include "core/mailbox.h"

#include <jansson.h>

struct control;

/* Another configuration, as a reload has read it. */
struct basis_change {
    struct policy *policy;  /* without edits; NULL: as it is */
    struct engine_tls *tls; /* what belongs to it */
    json_t *warnings;       /* that the operator is to be told; NULL: none */
};

struct change {
    STAILQ_ENTRY(change) link;
    struct message message;
    struct control *control;
    struct control_requests requests; /* to be answered, all alike */
    struct control_peer peer;         /* who wanted it; */
    bool by_peer;                     /* nobody did, if this is false */

    /* Fills in what follows, by what is in force. False if nothing is to be done: then it was
     * answered. */
    bool (*plan)(struct change *change);
    const char *reason;       /* for the records: "operator", "expiry", "reload" */
    struct edits *edits;      /* as they are to be */
    struct edits *subjects;   /* that it is about */
    struct undo_step *undoes; /* the one that it takes back; NULL: none */
    json_t *items;            /* what becomes of what: see change_note() */
    char *text;               /* a sentence for people */
    char *advice;             /* another one; NULL: none */
    bool save;                /* what survives a restart is not what it was */
    bool cannot_wait;         /* it comes into force also where it cannot be saved */
    bool cut;                 /* connections that are decided otherwise by now are to end */
    struct basis_change basis;

    uint64_t revision;
    bool can_undo;
    struct flow_cuts cuts; /* what was cut */
    struct engine_change *made;
    struct report report; /* of what is wrong */
};
STAILQ_HEAD(change_queue, change);

/* A change that is to be planned; to be filled in further, and handed to change_enqueue().
 * `request` NULL: nobody asks for it. */
struct change *change_new(struct control *control, struct control_request *request,
                          bool (*plan)(struct change *change)) must_check;

void change_free(struct change *change);

/* Takes its turn behind those that wait. */
void change_enqueue(struct change *change);

/* True while any waits or is under way. */
bool change_is_busy(const struct control *control);

/* Those that wait are refused: this is the end. */
void change_refuse_waiting(struct control *control);

/* ---- for plans ---- */

/* Notes what becomes of a subject, from what is in force to what `edits` say by now. */
void change_note(struct change *change, const struct edit_subject *subject);

void change_set_text(struct change *change, const char *format, ...) printf_like(2, 3);
void change_set_advice(struct change *change, const char *format, ...) printf_like(2, 3);

/* The answer, if it comes to nothing. Returns false. `data` NULL: there is none. */
bool change_refuse(struct change *change, const char *code, struct jsonw *data, const char *format,
                   ...) printf_like(4, 5);

#endif
