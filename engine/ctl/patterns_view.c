/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The options, a list of patterns, and the keys. */
#include "ctl/text.h"
#include "ctl/view.h"

#include <curses.h>
#include <string.h>

static const struct pattern_kind kinds[] = {
    {"ignore", "Ignore patterns: what is never intercepted"},
    {"allow", "Allow patterns: if there are any, only what they name is intercepted"},
    {"tcp", "TCP patterns: where TLS is ended, and what is in it is not interpreted"},
};

/* ---- options ---- */

static void draw_options(struct screen *screen)
{
    static const char *const lines[] = {
        "I   ignore patterns",
        "A   allow patterns",
        "T   TCP patterns",
    };
    (void)screen;
    for (int i = 0; i < (int)ARRAY_SIZE(lines); i++)
        view_text(i + 2, 2, COLS - 2, lines[i]);
}

static void open_patterns(struct screen *screen, const struct pattern_kind *kind)
{
    json_decref(screen->patterns.list);
    screen->patterns = (struct patterns){.kind = kind};
    view_ask_patterns(screen);
    view_open(screen, &patterns_view);
}

static bool press_options(struct screen *screen, int key)
{
    if (key == 'q' || key == 27)
        view_open(screen, &flows_view);
    else if (key == 'I')
        open_patterns(screen, &kinds[0]);
    else if (key == 'A')
        open_patterns(screen, &kinds[1]);
    else if (key == 'T')
        open_patterns(screen, &kinds[2]);
    else
        return false;
    return true;
}

const struct view options_view = {
    .draw = draw_options, .key = press_options, .help = " q back  I ignore  A allow  T tcp"};

/* ---- patterns ---- */

static void draw_pattern(int line, const json_t *pattern, bool is_selected)
{
    const int width = COLS * 3 / 5;
    const bool is_off = json_is_false(json_object_get(pattern, "enabled"));
    const attr_t attributes = (is_selected ? A_REVERSE : A_NORMAL) | (is_off ? A_DIM : A_NORMAL);
    attron(attributes);
    mvhline(line, 0, ' ', COLS);
    view_text(line, 1, 1, is_off ? "-" : "");
    view_text(line, 2, width - 3, text_of(pattern, "pattern"));
    view_text(line, width, COLS - width, text_of(pattern, "place"));
    attroff(attributes);
}

static void draw_patterns(struct screen *screen)
{
    struct patterns *patterns = &screen->patterns;
    const size_t count = json_array_size(patterns->list);
    const size_t height = (size_t)(view_height() - 1);
    if (patterns->selected >= count)
        patterns->selected = count > 0 ? count - 1 : 0;
    const size_t first = patterns->selected >= height ? patterns->selected - height + 1 : 0;
    view_text(1, 0, COLS, patterns->kind->title);
    if (count == 0)
        view_text(3, 2, COLS - 2, patterns->list == NULL ? "" : "there is none: a adds one");
    for (size_t i = 0; i < height && first + i < count; i++)
        draw_pattern((int)i + 2, json_array_get(patterns->list, first + i),
                     first + i == patterns->selected);
}

static const json_t *selected_pattern(const struct screen *screen)
{
    return json_array_get(screen->patterns.list, screen->patterns.selected);
}

static void change_patterns(struct screen *screen, const char *verb, json_t *arguments)
{
    char command[32];
    snprintf(command, sizeof(command), "%s.%s", screen->patterns.kind->command, verb);
    view_change(screen, command, arguments);
}

static void add_typed(struct screen *screen, const char *text)
{
    if (*text != '\0')
        change_patterns(screen, "add", json_pack("{s:s}", "pattern", text));
}

/* One change: there is no moment in which neither holds. */
static void replace_by_typed(struct screen *screen, const char *text)
{
    if (*text != '\0')
        change_patterns(screen, "replace",
                        json_pack("{s:s, s:s}", "id", screen->patterns.edited, "pattern", text));
}

static void edit_selected(struct screen *screen)
{
    const json_t *pattern = selected_pattern(screen);
    if (pattern == NULL)
        return;
    snprintf(screen->patterns.edited, sizeof(screen->patterns.edited), "%s",
             text_of(pattern, "id"));
    view_ask(screen, "pattern", text_of(pattern, "pattern"), replace_by_typed);
}

static void delete_selected(struct screen *screen)
{
    const json_t *pattern = selected_pattern(screen);
    if (pattern != NULL)
        change_patterns(screen, "del", json_pack("{s:s}", "id", text_of(pattern, "id")));
}

static void move_selection(struct screen *screen, long by)
{
    const long count = (long)json_array_size(screen->patterns.list);
    long at = (long)screen->patterns.selected + by;
    if (at >= count)
        at = count - 1;
    screen->patterns.selected = at > 0 ? (size_t)at : 0;
}

static bool press_patterns(struct screen *screen, int key)
{
    switch (key) {
    case KEY_UP:
    case 'k':
        move_selection(screen, -1);
        return true;
    case KEY_DOWN:
    case 'j':
        move_selection(screen, 1);
        return true;
    case KEY_PPAGE:
        move_selection(screen, -view_height());
        return true;
    case KEY_NPAGE:
    case ' ':
        move_selection(screen, view_height());
        return true;
    case 'a':
        view_ask(screen, "new pattern", "", add_typed);
        return true;
    case 'e':
    case '\n':
    case '\r':
    case KEY_ENTER:
        edit_selected(screen);
        return true;
    case 'd':
        delete_selected(screen);
        return true;
    case 'q':
    case 27:
        view_open(screen, &flows_view);
        return true;
    default:
        return false;
    }
}

const struct view patterns_view = {.draw = draw_patterns,
                                   .key = press_patterns,
                                   .help = " q back  a add  Enter edit  d delete  u undo"};

/* ---- the keys ---- */

static void draw_help(struct screen *screen)
{
    static const char *const lines[] = {
        "Up Down PgUp PgDn Home End   move",
        "Enter                        the connection in detail",
        "p                            pass this destination from now on",
        "u                            take the last change back",
        "/                            show only connections in which a text is found",
        "o                            options; then I, A, T: edit the patterns",
        "q                            back; from the list: quit",
        "",
        "taken: intercepted   ignored: the kernel lets it pass   passed: relayed as it is",
    };
    (void)screen;
    for (int i = 0; i < (int)ARRAY_SIZE(lines) && i < view_height() - 1; i++)
        view_text(i + 2, 2, COLS - 2, lines[i]);
}

static bool press_help(struct screen *screen, int key)
{
    (void)key;
    view_open(screen, &flows_view);
    return true;
}

const struct view help_view = {.draw = draw_help, .key = press_help, .help = " any key: back"};
