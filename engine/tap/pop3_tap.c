/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/pop3_tap.h"

#include "tap/dialogue.h"

enum { PLAIN, LISTS, LISTS_ALL, LOGS_IN, STARTS_TLS };

static const struct dialogue_verb verbs[] = {
    {"USER", DIALOGUE_HIDDEN, PLAIN},     {"PASS", DIALOGUE_HIDDEN, PLAIN},
    {"APOP", DIALOGUE_HIDDEN, PLAIN},     {"AUTH", DIALOGUE_FIRST_WORD, LOGS_IN},
    {"CAPA", DIALOGUE_SHOWN, LISTS},      {"RETR", DIALOGUE_SHOWN, LISTS},
    {"TOP", DIALOGUE_SHOWN, LISTS},       {"LIST", DIALOGUE_SHOWN, LISTS_ALL},
    {"UIDL", DIALOGUE_SHOWN, LISTS_ALL},  {"LANG", DIALOGUE_SHOWN, LISTS_ALL},
    {"STLS", DIALOGUE_SHOWN, STARTS_TLS}, {"STAT", DIALOGUE_SHOWN, PLAIN},
    {"DELE", DIALOGUE_SHOWN, PLAIN},      {"RSET", DIALOGUE_SHOWN, PLAIN},
    {"NOOP", DIALOGUE_SHOWN, PLAIN},      {"QUIT", DIALOGUE_SHOWN, PLAIN},
    {"UTF8", DIALOGUE_SHOWN, PLAIN},      {NULL, DIALOGUE_HIDDEN, PLAIN},
};

struct reader {
    struct dialogue dialogue;
    struct dialogue_step *listed; /* whose list or mail is under way; or NULL */
};

/* ---- the client ---- */

static bool read_command(struct reader *reader, const struct lines *lines)
{
    struct dialogue *dialogue = &reader->dialogue;
    struct text line = lines_text(lines);
    if (dialogue->login != NULL) {
        dialogue_response(dialogue, line);
        return true;
    }
    struct text verb = dialogue_word(&line);
    struct dialogue_step *step = dialogue_ask(dialogue, (struct text){0}, verb, line);
    if (step == NULL)
        return false;
    /* Without a mechanism AUTH lists those that there are. */
    if (step->meaning == LOGS_IN && line.length > 0)
        dialogue_login(dialogue, step);
    return true;
}

/* ---- the server ---- */

/* What a good reply to it has behind its first line. */
static bool is_list(const struct reader *reader, const struct dialogue_step *step)
{
    bool asks_for_all = step->argument.length == 0;
    return step->meaning == LISTS || (step->meaning == LISTS_ALL && asks_for_all) ||
           (step->meaning == LOGS_IN && step != reader->dialogue.login);
}

static bool read_status(struct reader *reader, struct text line, bool is_ok, bool cut)
{
    struct dialogue *dialogue = &reader->dialogue;
    struct dialogue_step *step = dialogue->oldest;
    if (step == NULL)
        step = dialogue_unasked(dialogue);
    if (step == NULL)
        return false;
    (void)dialogue_word(&line);
    dialogue_reply(dialogue, step, 0, line, cut);
    if (is_ok && is_list(reader, step)) {
        reader->listed = step;
        lines_pass_to_dot(&dialogue->lines[0]);
        return true;
    }
    /* TLS in TLS: what follows is not for us. */
    bool goes_on = step->meaning != STARTS_TLS || !is_ok;
    return dialogue_end(dialogue, step, is_ok ? "OK" : "ERR") && goes_on;
}

static bool read_reply(struct reader *reader, const struct lines *lines)
{
    struct dialogue *dialogue = &reader->dialogue;
    struct text line = lines_text(lines), rest = line, word = dialogue_word(&rest);
    bool is_ok = text_is_nocase(word, "+OK");
    if (text_is(word, "+") && dialogue->login != NULL && dialogue->login == dialogue->oldest) {
        dialogue_challenge(dialogue);
        return true;
    }
    if (is_ok || text_is_nocase(word, "-ERR"))
        return read_status(reader, line, is_ok, lines->cut);
    return tap_fail(dialogue->tap, "a reply of POP3 without a status");
}

static bool end_list(struct reader *reader)
{
    struct dialogue_step *step = reader->listed;
    reader->listed = NULL;
    step->received = reader->dialogue.lines[0].passed;
    return dialogue_end(&reader->dialogue, step, "OK");
}

/* ---- the reader ---- */

static bool start(void *state, struct tap *tap)
{
    struct reader *reader = state;
    return dialogue_init(&reader->dialogue, tap, &pop3_tap, MESSAGE_POP3, verbs);
}

static bool read_bytes(void *state, bool to_server, const uint8_t *bytes, size_t length)
{
    struct reader *reader = state;
    struct lines *lines = &reader->dialogue.lines[to_server ? 1 : 0];
    enum lines_found found;
    while ((found = lines_read(lines, &bytes, &length)) != LINES_NOTHING) {
        bool goes_on = found == LINES_DOT ? end_list(reader)
                       : to_server        ? read_command(reader, lines)
                                          : read_reply(reader, lines);
        if (!goes_on)
            return false;
    }
    return true;
}

static void fini(void *state)
{
    struct reader *reader = state;
    if (reader->listed != NULL)
        reader->listed->received = reader->dialogue.lines[0].passed;
    dialogue_fini(&reader->dialogue);
}

const struct tap_kind pop3_tap = {.name = "pop3",
                                  .size = sizeof(struct reader),
                                  .start = start,
                                  .read = read_bytes,
                                  .fini = fini};
