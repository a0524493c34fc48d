/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/flow_rows.h"

#include "ctl/text.h"

#include <string.h>

void flow_rows_fini(struct flow_rows *rows)
{
    free(rows->items);
    *rows = (struct flow_rows){0};
}

/* ---- one row ---- */

/* Text from elsewhere must not steer the terminal. What does not fit is cut, between characters. */
static void copy_safely(char *out, size_t size, const char *text)
{
    size_t length = 0;
    for (; *text != '\0' && length + 1 < size; text++)
        out[length++] = (unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text;
    if (*text != '\0')
        while (length > 0 && ((unsigned char)*text-- & 0xc0) == 0x80)
            length--;
    out[length] = '\0';
}

static void read_endpoint(char *out, size_t size, const json_t *flow, const char *ip,
                          const char *port)
{
    char text[64];
    copy_safely(out, size, text_endpoint(text_of(flow, ip), text_number(flow, port), text));
}

/* The one that is asked for, or else those that DNS has told. */
static void read_name(char *out, size_t size, const json_t *flow)
{
    const json_t *names = json_object_get(flow, "names");
    const char *name = text_of(flow, "sni");
    if (*name == '\0')
        name = text_of(flow, "host");
    if (*name == '\0' && json_array_size(names) > 0)
        name = json_string_value(json_array_get(names, 0));
    copy_safely(out, size, name != NULL ? name : "");
}

static void read_why(char *out, size_t size, const json_t *decision)
{
    char text[512];
    const char *rule = text_of(decision, "rule");
    if (*rule == '\0')
        snprintf(text, sizeof(text), "%s", text_of(decision, "reason"));
    else
        snprintf(text, sizeof(text), "%s (%s)", rule, text_of(decision, "rule_place"));
    copy_safely(out, size, text);
}

static const char *verdict_of(const char *action)
{
    static const char *const verdicts[][2] = {{"intercept", "taken"},
                                              {"bypass", "ignored"},
                                              {"passthrough", "passed"},
                                              {"refuse", "refused"}};
    for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++)
        if (strcmp(action, verdicts[i][0]) == 0)
            return verdicts[i][1];
    return "opening";
}

/* What `flows` and events have in the same places; `decision` has the device, too. */
static void read_both(struct flow_row *row, const json_t *flow, const json_t *decision)
{
    const json_t *device = json_object_get(decision, "device");
    const char *name = text_of(device, "name");
    row->id = text_number(flow, "flow_id");
    copy_safely(row->device, sizeof(row->device), *name != '\0' ? name : text_of(flow, "src_ip"));
    copy_safely(row->mac, sizeof(row->mac), text_of(device, "mac"));
    copy_safely(row->protocol, sizeof(row->protocol), text_of(flow, "proto"));
    row->verdict = verdict_of(text_of(decision, "action"));
    read_endpoint(row->client, sizeof(row->client), flow, "src_ip", "src_port");
    read_endpoint(row->address, sizeof(row->address), flow, "dest_ip", "dest_port");
    read_why(row->why, sizeof(row->why), decision);
}

static void read_bytes(struct flow_row *row, const json_t *counted)
{
    row->to_server = text_number(counted, "bytes_toserver");
    row->to_client = text_number(counted, "bytes_toclient");
}

static void set_age(struct flow_row *row, const json_t *counted, uint64_t now)
{
    const uint64_t age = text_number(counted, "age") * 1000;
    row->started = now > age ? now - age : 0;
}

static void read_open(struct flow_row *row, const json_t *flow, uint64_t now)
{
    *row = (struct flow_row){0};
    read_both(row, flow, flow);
    read_bytes(row, flow);
    set_age(row, flow, now);
    read_name(row->name, sizeof(row->name), flow);
    copy_safely(row->state, sizeof(row->state), text_of(flow, "state"));
}

static void read_ended(struct flow_row *row, const json_t *event, uint64_t now)
{
    const json_t *intercept = json_object_get(event, "intercept");
    const json_t *counted = json_object_get(event, "flow");
    *row = (struct flow_row){.ended = now, .told = true};
    read_both(row, event, intercept);
    read_bytes(row, counted);
    set_age(row, counted, now);
    copy_safely(row->name, sizeof(row->name), text_event_host(event));
    copy_safely(row->state, sizeof(row->state), text_of(intercept, "ending"));
}

/* ---- the list ---- */

static bool has_text(const char *text, const char *part)
{
    return strcasestr(text, part) != NULL;
}

bool flow_rows_shows(const struct flow_rows *rows, const struct flow_row *row)
{
    const char *part = rows->search;
    return has_text(row->device, part) || has_text(row->name, part) ||
           has_text(row->address, part) || has_text(row->verdict, part) || has_text(row->why, part);
}

/* The newest first; what began at the same time in a fixed order. */
static int compare(const void *left, const void *right)
{
    const struct flow_row *a = left, *b = right;
    if (a->started != b->started)
        return a->started > b->started ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

static struct flow_row *find(struct flow_row *items, size_t count, uint64_t id)
{
    for (size_t i = 0; i < count; i++)
        if (items[i].id == id)
            return &items[i];
    return NULL;
}

/* From here on the rows may move. */
static void unsettle(struct flow_rows *rows)
{
    if (rows->unsettled)
        return;
    rows->unsettled = true;
    /* At the top one wants to see what comes. */
    rows->selected_id =
        rows->selected > 0 && rows->selected < rows->count ? rows->items[rows->selected].id : 0;
}

/* What was there before and is not there any more has ended. A connection's start does not move
 * with the clock's grain. */
static void keep_old(struct flow_rows *rows, const struct flow_rows *old, uint64_t now)
{
    const size_t fresh = rows->count;
    for (size_t i = 0; i < old->count; i++) {
        struct flow_row row = old->items[i];
        struct flow_row *again = find(rows->items, fresh, row.id);
        if (again == NULL) {
            if (row.ended == 0)
                row.ended = now;
            rows->items[rows->count++] = row;
        } else if (row.told) {
            *again = row; /* the answer is older than the event */
        } else {
            again->started = row.started;
        }
    }
}

void flow_rows_update(struct flow_rows *rows, const json_t *answer, uint64_t now)
{
    const json_t *flows = json_object_get(answer, "flows"), *flow;
    unsettle(rows);
    struct flow_rows old = *rows;
    size_t index;
    rows->items = calloc(json_array_size(flows) + old.count + 1, sizeof(*rows->items));
    CHECK(rows->items != NULL);
    rows->count = 0;
    rows->now = now;
    rows->total = text_number(answer, "total");
    json_array_foreach(flows, index, flow) read_open(&rows->items[rows->count++], flow, now);
    keep_old(rows, &old, now);
    free(old.items);
}

void flow_rows_end(struct flow_rows *rows, const json_t *event, uint64_t now)
{
    struct flow_row ended;
    unsettle(rows);
    read_ended(&ended, event, now);
    struct flow_row *row = find(rows->items, rows->count, ended.id);
    if (row != NULL) {
        ended.started = row->started;
    } else {
        rows->items = realloc(rows->items, (rows->count + 1) * sizeof(*rows->items));
        CHECK(rows->items != NULL);
        row = &rows->items[rows->count++];
    }
    *row = ended;
}

/* The rows are sorted. */
static void drop_oldest(struct flow_rows *rows)
{
    size_t kept = 0, ended = 0;
    for (size_t i = 0; i < rows->count; i++) {
        if (rows->items[i].ended != 0 && ended++ >= FLOW_ROWS_ENDED)
            continue;
        rows->items[kept++] = rows->items[i];
    }
    rows->count = kept;
}

void flow_rows_settle(struct flow_rows *rows)
{
    if (!rows->unsettled)
        return;
    rows->unsettled = false;
    if (rows->count > 0)
        qsort(rows->items, rows->count, sizeof(*rows->items), compare);
    drop_oldest(rows);
    const struct flow_row *row =
        rows->selected_id != 0 ? find(rows->items, rows->count, rows->selected_id) : NULL;
    if (row != NULL)
        rows->selected = (size_t)(row - rows->items);
    else if (rows->selected_id == 0)
        rows->selected = 0;
    if (rows->selected >= rows->count)
        rows->selected = rows->count > 0 ? rows->count - 1 : 0;
    flow_rows_move(rows, 0);
}

/* ---- the selection ---- */

/* The next row that is shown, in this direction; `from` itself if there is none. */
static size_t next_shown(const struct flow_rows *rows, size_t from, long step)
{
    long at = (long)from;
    do {
        at += step;
        if (at < 0 || at >= (long)rows->count)
            return from;
    } while (!flow_rows_shows(rows, &rows->items[at]));
    return (size_t)at;
}

void flow_rows_move(struct flow_rows *rows, long by)
{
    const long step = by < 0 ? -1 : 1;
    if (rows->count == 0)
        return;
    for (; by != 0; by -= step)
        rows->selected = next_shown(rows, rows->selected, step);
    if (flow_rows_shows(rows, &rows->items[rows->selected]))
        return;
    rows->selected = next_shown(rows, rows->selected, 1);
    if (!flow_rows_shows(rows, &rows->items[rows->selected]))
        rows->selected = next_shown(rows, rows->selected, -1);
}

void flow_rows_search(struct flow_rows *rows, const char *text)
{
    snprintf(rows->search, sizeof(rows->search), "%s", text);
    flow_rows_move(rows, 0);
}

const struct flow_row *flow_rows_selected(const struct flow_rows *rows)
{
    if (rows->selected >= rows->count)
        return NULL;
    const struct flow_row *row = &rows->items[rows->selected];
    return flow_rows_shows(rows, row) ? row : NULL;
}
