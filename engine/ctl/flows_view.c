/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The list of connections, and one of them in detail. */
#include "ctl/view.h"
#include "policy/suggest.h"

#include <curses.h>
#include <inttypes.h>
#include <string.h>

/* Columns before the reason, which gets the rest. */
#define AGE_WIDTH 6
#define VERDICT_WIDTH 9
#define BYTES_WIDTH 7

static enum colour colour_of(const struct flow_row *row)
{
    if (strcmp(row->verdict, "taken") == 0)
        return COLOUR_TAKEN;
    if (strcmp(row->verdict, "ignored") == 0)
        return COLOUR_IGNORED;
    return strcmp(row->verdict, "passed") == 0 ? COLOUR_PASSED : COLOUR_NONE;
}

/* "5s", "12m", "3h", "2d". */
static void age_text(char text[static 16], uint64_t ms)
{
    uint64_t seconds = ms / 1000;
    if (seconds < 60)
        snprintf(text, 16, "%" PRIu64 "s", seconds);
    else if (seconds < 3600)
        snprintf(text, 16, "%" PRIu64 "m", seconds / 60);
    else if (seconds < 86400)
        snprintf(text, 16, "%" PRIu64 "h", seconds / 3600);
    else
        snprintf(text, 16, "%" PRIu64 "d", seconds / 86400);
}

/* "999", "12K", "3.4M". */
static void bytes_text(char text[static 16], uint64_t bytes)
{
    static const char units[] = " KMGTPE";
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1000 && unit + 2 < sizeof(units)) {
        value /= 1000;
        unit++;
    }
    if (unit == 0)
        snprintf(text, 16, "%" PRIu64, bytes);
    else
        snprintf(text, 16, value < 10 ? "%.1f%c" : "%.0f%c", value, units[unit]);
}

static void destination_text(char *text, size_t size, const struct flow_row *row)
{
    const char *colon = strrchr(row->address, ':');
    if (row->name[0] != '\0')
        snprintf(text, size, "%s%s", row->name, colon != NULL ? colon : "");
    else
        snprintf(text, size, "%s", row->address);
}

static void draw_row(int line, const struct flow_row *row, bool is_selected, uint64_t now)
{
    char age[16], bytes[16], destination[400];
    const uint64_t until = row->ended != 0 ? row->ended : now;
    const int device_width = COLS / 5;
    const int name_width = (COLS - AGE_WIDTH - device_width - VERDICT_WIDTH - BYTES_WIDTH) / 2;
    const attr_t attributes = (attr_t)COLOR_PAIR(colour_of(row)) |
                              (is_selected ? A_REVERSE : A_NORMAL) |
                              (row->ended != 0 ? A_DIM : A_NORMAL);
    int column = 0;
    age_text(age, until - row->started);
    bytes_text(bytes, row->to_server + row->to_client);
    destination_text(destination, sizeof(destination), row);
    attron(attributes);
    mvhline(line, 0, ' ', COLS);
    view_text(line, column, AGE_WIDTH - 1, row->ended != 0 ? "ended" : age);
    view_text(line, column += AGE_WIDTH, device_width - 1, row->device);
    view_text(line, column += device_width, name_width - 1, destination);
    view_text(line, column += name_width, VERDICT_WIDTH - 1, row->verdict);
    view_text(line, column += VERDICT_WIDTH, BYTES_WIDTH - 1, bytes);
    column += BYTES_WIDTH;
    view_text(line, column, COLS - column, row->why);
    attroff(attributes);
}

/* The first shown row that stands on the screen, so that the selected one does, too. */
static size_t first_row(const struct flow_rows *rows, int height)
{
    size_t first = rows->selected;
    int above = height - 1;
    for (size_t at = rows->selected; at > 0 && above > 0; at--) {
        if (!flow_rows_shows(rows, &rows->items[at - 1]))
            continue;
        above--;
        first = at - 1;
    }
    return first;
}

static void draw_flows(struct screen *screen)
{
    const struct flow_rows *rows = &screen->flows;
    const uint64_t now = rows->now;
    int line = 1;
    if (rows->count == 0) {
        view_text(2, 2, COLS - 2,
                  screen->link.fd < 0 ? "" : "no connection has been seen lately: use a device");
        return;
    }
    for (size_t i = first_row(rows, view_height()); i < rows->count && line <= view_height(); i++)
        if (flow_rows_shows(rows, &rows->items[i]))
            draw_row(line++, &rows->items[i], i == rows->selected, now);
}

/* ---- what can be done with a connection ---- */

/* By its address, which every list looks at. */
static void pass_selected(struct screen *screen)
{
    const struct flow_row *row = flow_rows_selected(&screen->flows);
    char pattern[SUGGEST_SIZE];
    struct address address;
    if (row != NULL && address_parse(&address, row->address))
        view_change(screen, "ignore.add",
                    json_pack("{s:s}", "pattern", suggest_address(&address, pattern)));
}

static void search(struct screen *screen, const char *text)
{
    flow_rows_search(&screen->flows, text);
}

static bool move_by_key(struct screen *screen, int key)
{
    struct flow_rows *rows = &screen->flows;
    switch (key) {
    case KEY_UP:
    case 'k':
        flow_rows_move(rows, -1);
        return true;
    case KEY_DOWN:
    case 'j':
        flow_rows_move(rows, 1);
        return true;
    case KEY_PPAGE:
        flow_rows_move(rows, -view_height());
        return true;
    case KEY_NPAGE:
    case ' ':
        flow_rows_move(rows, view_height());
        return true;
    case KEY_HOME:
    case 'g':
        flow_rows_move(rows, -(long)rows->count);
        return true;
    case KEY_END:
    case 'G':
        flow_rows_move(rows, (long)rows->count);
        return true;
    default:
        return false;
    }
}

static bool press_flows(struct screen *screen, int key)
{
    if (move_by_key(screen, key))
        return true;
    switch (key) {
    case '\n':
    case '\r':
    case KEY_ENTER:
        if (flow_rows_selected(&screen->flows) != NULL)
            view_open(screen, &detail_view);
        return true;
    case 'p':
        pass_selected(screen);
        return true;
    case '/':
        view_ask(screen, "search", screen->flows.search, search);
        return true;
    case 'o':
        view_open(screen, &options_view);
        return true;
    case 'q':
        screen->leaving = true;
        return true;
    default:
        return false;
    }
}

const struct view flows_view = {
    .draw = draw_flows,
    .key = press_flows,
    .help = " q quit  o options  p pass this destination  u undo  / search  Enter detail  ? help"};

/* ---- one of them ---- */

static void draw_detail(struct screen *screen)
{
    const struct flow_row *row = flow_rows_selected(&screen->flows);
    char age[16], sent[16], received[16];
    if (row == NULL) {
        view_text(2, 2, COLS - 2, "this connection is gone");
        return;
    }
    const uint64_t until = row->ended != 0 ? row->ended : screen->flows.now;
    age_text(age, until - row->started);
    bytes_text(sent, row->to_server);
    bytes_text(received, row->to_client);
    const struct {
        const char *label, *value;
    } lines[] = {
        {"device", row->device},
        {"MAC", row->mac},
        {"client", row->client},
        {"address", row->address},
        {"name", row->name},
        {"protocol", row->protocol},
        {"verdict", row->verdict},
        {"state", row->state},
        {"why", row->why},
        {"age", age},
        {"sent", sent},
        {"received", received},
    };
    for (int i = 0; i < (int)ARRAY_SIZE(lines) && i < view_height() - 1; i++) {
        view_text(i + 2, 2, 12, lines[i].label);
        view_text(i + 2, 14, COLS - 14, lines[i].value);
    }
}

static bool press_detail(struct screen *screen, int key)
{
    if (key == 'q' || key == 27)
        view_open(screen, &flows_view);
    else if (key == 'p')
        pass_selected(screen);
    else
        return false;
    return true;
}

const struct view detail_view = {
    .draw = draw_detail, .key = press_detail, .help = " q back  p pass this destination  u undo"};
