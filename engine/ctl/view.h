/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * view.h - what fills the screen: the list of connections, one of them in detail, the options, a
 * list of patterns, the keys. One at a time; each is a table of functions.
 *
 * All of it is the one thread of interceptctl. */
#ifndef CTL_VIEW_H
#define CTL_VIEW_H

#include "ctl/flow_rows.h"
#include "ctl/line_edit.h"
#include "ctl/link.h"

/* The colours, by what they mean. */
enum colour { COLOUR_NONE, COLOUR_TAKEN, COLOUR_IGNORED, COLOUR_PASSED, COLOUR_FAULT, COLOUR_BAR };

struct screen;

/* A line that is asked for at the bottom of the screen. */
struct question {
    const char *label; /* NULL: nothing is asked */
    struct line_edit line;
    void (*done)(struct screen *screen, const char *text); /* Enter; not called after Escape */
};

/* Which list of patterns is looked at: the command's first word, and the title. */
struct pattern_kind {
    const char *command, *title;
};

struct patterns {
    const struct pattern_kind *kind;
    json_t *list; /* as the daemon told it; NULL before */
    size_t selected;
    char edited[64]; /* the id of the one that the question is about */
};

struct screen {
    const struct view *view;
    struct link link;
    const char *socket_path;
    bool leaving;

    struct flow_rows flows;
    struct patterns patterns;
    json_t *status;      /* of the daemon; NULL before */
    json_int_t revision; /* of the policy; 0 before */
    struct question question;
    char message[512]; /* at the bottom, until the next key */
    bool message_is_fault;
    json_t *undo; /* requests that take back what was done here, the last at the end */
    bool undoing; /* the change under way is one of them */

    /* Requests under way, by the id of their answers; 0: none. */
    json_int_t flows_id, status_id, patterns_id, change_id;
};

struct view {
    void (*draw)(struct screen *screen);
    /* False if the key means nothing here. */
    bool (*key)(struct screen *screen, int key);
    const char *help; /* the keys, for the bottom line */
};

extern const struct view flows_view, detail_view, options_view, patterns_view, help_view;

/* ---- for all views ---- */

/* Text at a place, cut at the edge; it may have been anything: control characters are replaced. */
void view_text(int row, int column, int width, const char *text);

/* The same over the whole row, in a colour. */
void view_bar(int row, enum colour colour, const char *text);

/* Rows between the bars. */
int view_height(void);

void view_open(struct screen *screen, const struct view *view);
void view_tell(struct screen *screen, bool is_fault, const char *format, ...) printf_like(3, 4);
void view_ask(struct screen *screen, const char *label, const char *text,
              void (*done)(struct screen *screen, const char *text));

/* Sends a change, and remembers how to take it back once it is in force. */
void view_change(struct screen *screen, const char *command, json_t *arguments);

/* Asks for the list of patterns that is looked at, again. */
void view_ask_patterns(struct screen *screen);

#endif
