/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/flow_rows.h"

#include <inttypes.h>
#include <string.h>

void flow_rows_fini(struct flow_rows *rows)
{
    free(rows->items);
    *rows = (struct flow_rows){0};
}

/* ---- one row ---- */

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static uint64_t number_of(const json_t *object, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(object, key));
}

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

static void read_address(char *out, size_t size, const json_t *side)
{
    char text[96];
    const char *ip = text_of(side, "ip");
    snprintf(text, sizeof(text), strchr(ip, ':') != NULL ? "[%s]:%" PRIu64 : "%s:%" PRIu64, ip,
             number_of(side, "port"));
    copy_safely(out, size, text);
}

static void read_why(char *out, size_t size, const json_t *flow)
{
    char text[512];
    const char *rule = text_of(flow, "rule");
    if (*rule == '\0')
        snprintf(text, sizeof(text), "%s", text_of(flow, "reason"));
    else
        snprintf(text, sizeof(text), "%s (%s)", rule, text_of(flow, "rule_place"));
    copy_safely(out, size, text);
}

static void read_row(struct flow_row *row, const json_t *flow, uint64_t now)
{
    const json_t *device = json_object_get(flow, "device");
    const char *name = text_of(device, "name");
    *row = (struct flow_row){
        .id = number_of(flow, "flow_id"),
        .to_server = number_of(flow, "bytes_toserver"),
        .to_client = number_of(flow, "bytes_toclient"),
    };
    uint64_t age = number_of(flow, "age_ms");
    row->started = now > age ? now - age : 0;
    copy_safely(row->device, sizeof(row->device), *name != '\0' ? name : text_of(device, "ip"));
    copy_safely(row->name, sizeof(row->name), text_of(flow, "name"));
    copy_safely(row->protocol, sizeof(row->protocol), text_of(flow, "proto"));
    copy_safely(row->action, sizeof(row->action), text_of(flow, "action"));
    read_address(row->address, sizeof(row->address), json_object_get(flow, "origin"));
    read_why(row->why, sizeof(row->why), flow);
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
           has_text(row->address, part) || has_text(row->action, part) || has_text(row->why, part);
}

/* The newest first; what began at the same time in a fixed order. */
static int compare(const void *left, const void *right)
{
    const struct flow_row *a = left, *b = right;
    if (a->started != b->started)
        return a->started > b->started ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

static const struct flow_row *find(const struct flow_rows *rows, uint64_t id)
{
    for (size_t i = 0; i < rows->count; i++)
        if (rows->items[i].id == id)
            return &rows->items[i];
    return NULL;
}

/* What was there before and is not there any more has ended. A connection's start does not move
 * with the clock's grain. */
static void keep_old(struct flow_rows *rows, const struct flow_rows *old, uint64_t now)
{
    const size_t fresh = rows->count;
    for (size_t i = 0; i < old->count; i++) {
        struct flow_row row = old->items[i];
        struct flow_row *again = (struct flow_row *)find(
            &(struct flow_rows){.items = rows->items, .count = fresh}, row.id);
        if (again != NULL) {
            again->started = row.started;
            continue;
        }
        if (row.ended == 0)
            row.ended = now;
        if (now - row.ended < FLOW_ROWS_ENDED_TIME)
            rows->items[rows->count++] = row;
    }
}

static void select_id(struct flow_rows *rows, uint64_t id)
{
    const struct flow_row *row = find(rows, id);
    if (row != NULL)
        rows->selected = (size_t)(row - rows->items);
    if (rows->selected >= rows->count)
        rows->selected = rows->count > 0 ? rows->count - 1 : 0;
    flow_rows_move(rows, 0);
}

void flow_rows_update(struct flow_rows *rows, const json_t *answer, uint64_t now)
{
    const json_t *flows = json_object_get(answer, "flows"), *flow;
    struct flow_rows old = *rows;
    const uint64_t selected = old.selected < old.count ? old.items[old.selected].id : 0;
    /* At the top one wants to see what comes. */
    const bool at_top = old.selected == 0;
    size_t index;
    rows->items = calloc(json_array_size(flows) + old.count + 1, sizeof(*rows->items));
    CHECK(rows->items != NULL);
    rows->count = 0;
    rows->now = now;
    rows->total = number_of(answer, "total");
    json_array_foreach(flows, index, flow) read_row(&rows->items[rows->count++], flow, now);
    keep_old(rows, &old, now);
    qsort(rows->items, rows->count, sizeof(*rows->items), compare);
    free(old.items);
    if (at_top)
        rows->selected = 0;
    select_id(rows, at_top ? 0 : selected);
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
