/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * flow_rows.h - the list of connections as it stands on the screen: of those that are open, as
 * `flows` tells them again and again, and of those that have ended, as the events tell them. The
 * selection stays where it was.
 *
 * The newest stand first. */
#ifndef CTL_FLOW_ROWS_H
#define CTL_FLOW_ROWS_H

#include "core/macros.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* So many connections that have ended stay; the oldest go first. */
#define FLOW_ROWS_ENDED 500

/* What a connection is, for drawing; text is safe for a terminal, and cut. */
struct flow_row {
    uint64_t id;                   /* its flow_id, or what tells it from others */
    uint64_t started;              /* ms, on the caller's clock */
    uint64_t ended;                /* likewise; 0 while it is open */
    bool told;                     /* by an event that it has ended: so it is */
    char device[64];               /* name or address */
    char mac[18], client[64];      /* of it; "" if unknown */
    char name[256];                /* of the destination; likewise */
    char address[64];              /* "192.0.2.1:443" */
    char protocol[8];              /* "TCP" */
    const char *verdict;           /* "taken", "ignored", "passed", "refused"; "opening" before */
    char state[16];                /* "handshake", "established", … */
    char why[256];                 /* the rule and its place, or the reason */
    uint64_t to_server, to_client; /* bytes */
};

struct flow_rows {
    struct flow_row *items;
    size_t count;
    uint64_t total; /* that are open, also those that were not told */
    uint64_t now;   /* of the last answer, in ms */
    size_t selected;
    uint64_t selected_id; /* its id, while the rows are not settled */
    bool unsettled;
    char search[128]; /* "" shows all */
};

void flow_rows_fini(struct flow_rows *rows);

/* Takes over an answer. `now` in ms. */
void flow_rows_update(struct flow_rows *rows, const json_t *answer, uint64_t now);

/* Takes over an event of type `flow`: this connection has ended. */
void flow_rows_end(struct flow_rows *rows, const json_t *event, uint64_t now);

/* After any of those two, before the rows are looked at again. */
void flow_rows_settle(struct flow_rows *rows);

/* Moves the selection by so many rows that are shown; it stops at the ends. */
void flow_rows_move(struct flow_rows *rows, long by);

/* The rows in which this is found, whatever the case, are shown from now on. */
void flow_rows_search(struct flow_rows *rows, const char *text);
bool flow_rows_shows(const struct flow_rows *rows, const struct flow_row *row);

/* NULL if nothing is shown. */
const struct flow_row *flow_rows_selected(const struct flow_rows *rows);

#endif
