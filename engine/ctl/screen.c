/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/screen.h"

#include "core/loop.h"
#include "ctl/text.h"
#include "ctl/view.h"

#include <curses.h>
#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

/* How often the connections are asked for, in ms; and how often a daemon is looked for. */
#define FLOWS_TIME 1000
#define FLOWS_LIMIT 500
/* The smallest screen that something can be seen on. */
#define LEAST_ROWS 6
#define LEAST_COLUMNS 40

/* ---- drawing ---- */

void view_text(int row, int column, int width, const char *text)
{
    char safe[1024];
    size_t length = 0;
    for (; *text != '\0' && length + 1 < sizeof(safe); text++)
        safe[length++] = (unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text;
    safe[length] = '\0';
    if (width <= 0)
        return;
    move(row, column);
    /* Columns are counted by curses, which knows how wide characters are. */
    for (size_t at = 0; at < length;) {
        int before = getcurx(stdscr);
        size_t size = 1;
        while (at + size < length && ((unsigned char)safe[at + size] & 0xc0) == 0x80)
            size++;
        if (before - column >= width || addnstr(safe + at, (int)size) == ERR)
            return;
        at += size;
    }
}

void view_bar(int row, enum colour colour, const char *text)
{
    attron(COLOR_PAIR(colour));
    mvhline(row, 0, ' ', COLS);
    view_text(row, 0, COLS, text);
    attroff(COLOR_PAIR(colour));
}

int view_height(void)
{
    return LINES - 2;
}

static const char *version_of(const struct screen *screen)
{
    const char *version = json_string_value(json_object_get(screen->status, "version"));
    return version != NULL ? version : "";
}

static void draw_title(const struct screen *screen)
{
    char text[256];
    const json_t *policy = json_object_get(screen->status, "policy");
    if (screen->link.fd < 0)
        snprintf(text, sizeof(text), " interceptd is not running: looking for it at %s",
                 screen->socket_path);
    else
        snprintf(text, sizeof(text),
                 " interceptd %s  [Ignore:%" JSON_INTEGER_FORMAT "]  revision %" JSON_INTEGER_FORMAT
                 "  %" PRIu64 " open connections%s%s",
                 version_of(screen), json_integer_value(json_object_get(policy, "ignore_patterns")),
                 screen->revision, screen->flows.total,
                 screen->flows.search[0] != '\0' ? "  /" : "", screen->flows.search);
    view_bar(0, screen->link.fd < 0 ? COLOUR_FAULT : COLOUR_BAR, text);
}

static void draw_question(struct screen *screen)
{
    const int label = (int)strlen(screen->question.label) + 2;
    size_t column = 0;
    const char *text =
        line_edit_view(&screen->question.line, (size_t)(COLS > label ? COLS - label : 1), &column);
    view_bar(LINES - 1, COLOUR_NONE, screen->question.label);
    view_text(LINES - 1, label - 2, 2, ": ");
    view_text(LINES - 1, label, COLS - label, text);
    move(LINES - 1, label + (int)column);
}

static void draw(struct screen *screen)
{
    erase();
    if (LINES < LEAST_ROWS || COLS < LEAST_COLUMNS) {
        view_text(0, 0, COLS, "too small");
    } else {
        screen->view->draw(screen);
        draw_title(screen);
        curs_set(screen->question.label != NULL);
        if (screen->question.label != NULL)
            draw_question(screen);
        else if (screen->message[0] != '\0')
            view_bar(LINES - 1, screen->message_is_fault ? COLOUR_FAULT : COLOUR_NONE,
                     screen->message);
        else
            view_bar(LINES - 1, COLOUR_BAR, screen->view->help);
    }
    refresh();
}

/* ---- for the views ---- */

void view_open(struct screen *screen, const struct view *view)
{
    screen->view = view;
}

void view_tell(struct screen *screen, bool is_fault, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(screen->message, sizeof(screen->message), format, arguments);
    va_end(arguments);
    screen->message_is_fault = is_fault;
}

void view_ask(struct screen *screen, const char *label, const char *text,
              void (*done)(struct screen *screen, const char *text))
{
    screen->question = (struct question){.label = label, .done = done};
    line_edit_set(&screen->question.line, text);
}

/* True, and told, if one is under way. */
static bool is_changing(struct screen *screen)
{
    if (screen->change_id != 0)
        view_tell(screen, true, "wait: the last change is not in force yet");
    return screen->change_id != 0;
}

void view_change(struct screen *screen, const char *command, json_t *arguments)
{
    if (is_changing(screen)) {
        json_decref(arguments);
        return;
    }
    screen->undoing = strcmp(command, "undo") == 0;
    screen->change_id = link_send(&screen->link, command, arguments);
    if (screen->change_id == 0)
        view_tell(screen, true, "interceptd is not running");
}

void view_ask_patterns(struct screen *screen)
{
    char command[32];
    snprintf(command, sizeof(command), "%s.list", screen->patterns.kind->command);
    screen->patterns_id = link_send(&screen->link, command, NULL);
}

/* ---- answers ---- */

static void set_json(json_t **place, json_t *value)
{
    json_decref(*place);
    *place = json_incref(value);
}

static void change_answered(struct screen *screen, const json_t *answer)
{
    json_t *data = json_object_get(answer, "data");
    const json_t *undo = json_object_get(data, "undo");
    const char *text = json_string_value(json_object_get(data, "text"));
    const bool can_undo = json_is_object(undo) && !screen->undoing;
    if (can_undo)
        json_array_append(screen->undo, (json_t *)undo);
    view_tell(screen, false, "%s%s", text != NULL ? text : "done",
              can_undo ? "  (u takes it back)" : "");
    screen->status_id = link_send(&screen->link, "status", NULL);
    if (screen->view == &patterns_view)
        view_ask_patterns(screen);
}

static void refused(struct screen *screen, const json_t *answer)
{
    const char *error = json_string_value(json_object_get(answer, "error"));
    view_tell(screen, true, "%s", error != NULL ? error : "the request was refused");
}

static void use_answer(struct screen *screen, json_t *answer)
{
    const json_int_t id = json_integer_value(json_object_get(answer, "id"));
    json_t *data = json_object_get(answer, "data");
    const json_t *revision = json_object_get(answer, "rev");
    const bool is_good = json_is_true(json_object_get(answer, "ok"));
    if (json_is_integer(revision))
        screen->revision = json_integer_value(revision);
    if (id == 0)
        return; /* the greeting */
    if (!is_good)
        refused(screen, answer);
    else if (id == screen->flows_id)
        flow_rows_update(&screen->flows, data, clock_ms());
    else if (id == screen->status_id)
        set_json(&screen->status, data);
    else if (id == screen->patterns_id)
        set_json(&screen->patterns.list, data);
    else if (id == screen->change_id)
        change_answered(screen, answer);
    if (id == screen->flows_id)
        screen->flows_id = 0;
    if (id == screen->change_id)
        screen->change_id = 0;
}

static void use_event(struct screen *screen, const json_t *event)
{
    if (strcmp(text_of(event, "event_type"), "flow") == 0)
        flow_rows_end(&screen->flows, event, clock_ms());
}

static void read_answers(struct screen *screen)
{
    json_t *message;
    while ((message = link_receive(&screen->link)) != NULL) {
        if (json_object_get(message, "event_type") != NULL)
            use_event(screen, message);
        else
            use_answer(screen, message);
        json_decref(message);
    }
    flow_rows_settle(&screen->flows);
}

/* Asks for what is to be seen, or looks for a daemon to ask. */
static void ask(struct screen *screen)
{
    if (screen->link.fd < 0) {
        screen->flows_id = screen->change_id = 0;
        if (!link_open(&screen->link, screen->socket_path))
            return;
        screen->status_id = link_send(&screen->link, "status", NULL);
        (void)link_send(&screen->link, "events.follow", NULL);
        if (screen->view == &patterns_view)
            view_ask_patterns(screen);
    }
    if (screen->flows_id == 0)
        screen->flows_id =
            link_send(&screen->link, "flows", json_pack("{s:i}", "limit", FLOWS_LIMIT));
}

/* ---- keys ---- */

static void question_key(struct screen *screen, int key)
{
    struct line_edit *line = &screen->question.line;
    char text[LINE_EDIT_SIZE];
    switch (key) {
    case 27: /* Escape */
        screen->question.label = NULL;
        return;
    case '\n':
    case '\r':
    case KEY_ENTER:
        memcpy(text, line->text, sizeof(text));
        screen->question.label = NULL;
        screen->question.done(screen, text);
        return;
    case KEY_LEFT:
        line_edit_left(line);
        return;
    case KEY_RIGHT:
        line_edit_right(line);
        return;
    case KEY_HOME:
    case 'a' & 0x1f:
        line_edit_start(line);
        return;
    case KEY_END:
    case 'e' & 0x1f:
        line_edit_end(line);
        return;
    case KEY_BACKSPACE:
    case 0x7f:
    case '\b':
        line_edit_backspace(line);
        return;
    case KEY_DC:
        line_edit_delete(line);
        return;
    case 'u' & 0x1f:
        line_edit_clear_to_start(line);
        return;
    default:
        if (key < 256)
            line_edit_put(line, (char)key);
    }
}

static void take_back(struct screen *screen)
{
    const size_t count = json_array_size(screen->undo);
    if (is_changing(screen))
        return;
    if (count == 0) {
        view_tell(screen, true, "nothing was changed here that could be taken back");
        return;
    }
    json_t *last = json_incref(json_array_get(screen->undo, count - 1));
    json_array_remove(screen->undo, count - 1);
    const char *command = json_string_value(json_object_get(last, "cmd"));
    view_change(screen, command != NULL ? command : "", json_incref(json_object_get(last, "args")));
    json_decref(last);
}

static void press(struct screen *screen, int key)
{
    screen->message[0] = '\0';
    if (key == KEY_RESIZE)
        return;
    if (screen->question.label != NULL) {
        question_key(screen, key);
        return;
    }
    if (screen->view->key(screen, key))
        return;
    if (key == 'u')
        take_back(screen);
    else if (key == '?')
        view_open(screen, &help_view);
    else if (key == 'l' - 'a' + 1)
        clearok(stdscr, true);
}

/* ---- the terminal ---- */

static void start_terminal(void)
{
    setlocale(LC_CTYPE, "");
    (void)setenv("ESCDELAY", "50", 0); /* ms until Escape is Escape, and no key's beginning */
    initscr();
    cbreak();
    noecho();
    keypad(stdscr, true);
    nodelay(stdscr, true);
    if (has_colors()) {
        start_color();
        use_default_colors();
        init_pair(COLOUR_TAKEN, COLOR_GREEN, -1);
        init_pair(COLOUR_IGNORED, COLOR_BLUE, -1);
        init_pair(COLOUR_PASSED, COLOR_YELLOW, -1);
        init_pair(COLOUR_FAULT, COLOR_RED, -1);
        init_pair(COLOUR_BAR, COLOR_BLACK, COLOR_WHITE);
    }
}

static void run(struct screen *screen)
{
    uint64_t next = 0;
    while (!screen->leaving) {
        uint64_t now = clock_ms();
        if (now >= next) {
            ask(screen);
            next = now + FLOWS_TIME;
        }
        draw(screen);
        struct pollfd ready[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                                 {.fd = screen->link.fd, .events = POLLIN}};
        if (poll(ready, 2, (int)(next - now)) < 0 && errno != EINTR)
            return;
        int key;
        while ((key = getch()) != ERR && !screen->leaving)
            press(screen, key);
        if ((ready[0].revents & (POLLHUP | POLLERR)) != 0)
            return; /* the terminal is gone */
        read_answers(screen);
    }
}

enum status screen_run(const struct client *client)
{
    struct screen *screen = calloc(1, sizeof(*screen));
    CHECK(screen != NULL);
    screen->view = &flows_view;
    screen->socket_path = client->socket_path;
    screen->link.fd = -1;
    screen->undo = json_array();
    start_terminal();
    run(screen);
    endwin();
    link_close(&screen->link);
    flow_rows_fini(&screen->flows);
    json_decref(screen->patterns.list);
    json_decref(screen->status);
    json_decref(screen->undo);
    free(screen);
    return STATUS_DONE;
}
