/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/imap_tap.h"

#include "tap/dialogue.h"

/* From then on it is not IMAP that goes by: TLS, or what RFC 4978 compresses. */
enum { PLAIN, LOGS_IN, IDLES, ENDS_IMAP };

static const struct dialogue_verb verbs[] = {
    {"LOGIN", DIALOGUE_HIDDEN, PLAIN},       {"AUTHENTICATE", DIALOGUE_FIRST_WORD, LOGS_IN},
    {"IDLE", DIALOGUE_SHOWN, IDLES},         {"STARTTLS", DIALOGUE_SHOWN, ENDS_IMAP},
    {"COMPRESS", DIALOGUE_SHOWN, ENDS_IMAP}, {"CAPABILITY", DIALOGUE_SHOWN, PLAIN},
    {"NOOP", DIALOGUE_SHOWN, PLAIN},         {"LOGOUT", DIALOGUE_SHOWN, PLAIN},
    {"ENABLE", DIALOGUE_SHOWN, PLAIN},       {"ID", DIALOGUE_SHOWN, PLAIN},
    {"SELECT", DIALOGUE_SHOWN, PLAIN},       {"EXAMINE", DIALOGUE_SHOWN, PLAIN},
    {"CREATE", DIALOGUE_SHOWN, PLAIN},       {"DELETE", DIALOGUE_SHOWN, PLAIN},
    {"RENAME", DIALOGUE_SHOWN, PLAIN},       {"SUBSCRIBE", DIALOGUE_SHOWN, PLAIN},
    {"UNSUBSCRIBE", DIALOGUE_SHOWN, PLAIN},  {"LIST", DIALOGUE_SHOWN, PLAIN},
    {"XLIST", DIALOGUE_SHOWN, PLAIN},        {"LSUB", DIALOGUE_SHOWN, PLAIN},
    {"NAMESPACE", DIALOGUE_SHOWN, PLAIN},    {"STATUS", DIALOGUE_SHOWN, PLAIN},
    {"APPEND", DIALOGUE_SHOWN, PLAIN},       {"CHECK", DIALOGUE_SHOWN, PLAIN},
    {"CLOSE", DIALOGUE_SHOWN, PLAIN},        {"UNSELECT", DIALOGUE_SHOWN, PLAIN},
    {"EXPUNGE", DIALOGUE_SHOWN, PLAIN},      {"SEARCH", DIALOGUE_SHOWN, PLAIN},
    {"SORT", DIALOGUE_SHOWN, PLAIN},         {"THREAD", DIALOGUE_SHOWN, PLAIN},
    {"FETCH", DIALOGUE_SHOWN, PLAIN},        {"STORE", DIALOGUE_SHOWN, PLAIN},
    {"COPY", DIALOGUE_SHOWN, PLAIN},         {"MOVE", DIALOGUE_SHOWN, PLAIN},
    {"UID", DIALOGUE_SHOWN, PLAIN},          {"GETQUOTA", DIALOGUE_SHOWN, PLAIN},
    {"GETQUOTAROOT", DIALOGUE_SHOWN, PLAIN}, {"NOTIFY", DIALOGUE_SHOWN, PLAIN},
    {NULL, DIALOGUE_HIDDEN, PLAIN},
};

/* "{12}" at the end of a line: so many bytes come, and then the line goes on. */
struct literal {
    bool is_one;
    bool waits; /* to be let in */
    uint64_t size;
};

struct reader {
    struct dialogue dialogue;
    bool goes_on;                   /* the client's next line is part of a command, */
    struct dialogue_step *going_on; /* of this one; NULL: it had its response before */
    struct literal asked;           /* `waits`: for the server to let it in */
    bool in_response;               /* the server's next line is part of an untagged response */
};

static struct literal literal_of(const struct lines *lines)
{
    struct literal literal = {0};
    literal.is_one = dialogue_literal(lines_tail(lines), &literal.size, &literal.waits);
    literal.waits = literal.is_one && literal.waits;
    return literal;
}

/* ---- the client ---- */

static void take_literal(struct reader *reader, struct dialogue_step *step,
                         const struct literal *literal)
{
    reader->goes_on = literal->is_one;
    reader->going_on = step;
    reader->asked = *literal;
    if (!literal->is_one)
        return;
    if (step != NULL)
        step->sent += literal->size;
    if (!literal->waits)
        lines_pass(&reader->dialogue.lines[1], literal->size);
}

static bool read_rest(struct reader *reader, const struct lines *lines)
{
    struct dialogue_step *step = reader->going_on;
    const struct literal literal = literal_of(lines);
    struct text line = lines_text(lines);
    if (reader->asked.waits)
        return tap_fail(reader->dialogue.tap, "a literal that nobody has let in");
    if (step != NULL && step->meaning == IDLES) {
        reader->goes_on = false;
        return text_is_nocase(line, "DONE") ||
               tap_fail(reader->dialogue.tap, "a command in the midst of IDLE");
    }
    if (step != NULL)
        dialogue_argue(&reader->dialogue, step, line);
    take_literal(reader, step, &literal);
    return true;
}

static bool read_command(struct reader *reader, const struct lines *lines)
{
    struct dialogue *dialogue = &reader->dialogue;
    const struct literal literal = literal_of(lines); /* the line may be overwritten */
    struct text line = lines_text(lines);
    if (reader->goes_on)
        return read_rest(reader, lines);
    if (dialogue->login != NULL) {
        dialogue_response(dialogue, line);
        return true;
    }
    struct text tag = dialogue_word(&line), verb = dialogue_word(&line);
    if (tag.length == 0 || text_is(tag, "*") || text_is(tag, "+"))
        return tap_fail(dialogue->tap, "a line that is no command");
    struct dialogue_step *step = dialogue_ask(dialogue, tag, verb, line);
    if (step == NULL)
        return false;
    take_literal(reader, step, &literal);
    if (step->meaning == LOGS_IN)
        dialogue_login(dialogue, step);
    else if (step->meaning == IDLES)
        reader->goes_on = true;
    return true;
}

/* ---- the server ---- */

/* NULL if it is none (RFC 9051, section 7.1). */
static const char *status_of(struct text word)
{
    static const char *const names[] = {"OK", "NO", "BAD", "PREAUTH", "BYE"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (text_is_nocase(word, names[i]))
            return names[i];
    return NULL;
}

/* A client that may go on: with a literal, with a login, or, in IDLE, with nothing. */
static void let_go_on(struct reader *reader)
{
    if (reader->goes_on && reader->asked.waits) {
        reader->asked.waits = false;
        lines_pass(&reader->dialogue.lines[1], reader->asked.size);
    } else if (reader->dialogue.login != NULL) {
        dialogue_challenge(&reader->dialogue);
    }
}

/* What is no answer to anything is the greeting, or an end that nobody has asked for. */
static bool read_status(struct reader *reader, struct text line, const char *status, bool cut)
{
    struct dialogue *dialogue = &reader->dialogue;
    struct dialogue_step *step = dialogue->oldest;
    if (step != NULL && step->verb_length > 0) {
        step->untagged++;
        dialogue_reply(dialogue, step, 0, line, cut);
        return true;
    }
    if (step == NULL)
        step = dialogue_unasked(dialogue);
    if (step == NULL)
        return false;
    (void)dialogue_word(&line);
    dialogue_reply(dialogue, step, 0, line, cut);
    return dialogue_end(dialogue, step, status);
}

/* What a server tells of mailboxes and mails, asked or not. */
static void count_data(struct reader *reader, const struct lines *lines, bool is_new)
{
    const struct literal literal = literal_of(lines);
    struct dialogue_step *step = reader->dialogue.oldest;
    reader->in_response = literal.is_one;
    if (literal.is_one)
        lines_pass(&reader->dialogue.lines[0], literal.size);
    if (step == NULL || step->verb_length == 0)
        return;
    step->untagged += is_new ? 1 : 0;
    step->received += literal.is_one ? literal.size : 0;
}

static struct dialogue_step *find(const struct reader *reader, struct text tag)
{
    struct dialogue_step *step = reader->dialogue.oldest;
    while (step != NULL && (step->tag_length != tag.length || tag.length == 0 ||
                            memcmp(step->tag, tag.at, tag.length) != 0))
        step = step->next;
    return step;
}

/* A literal that was not let in does not come, and what has no IDLE has no DONE. */
static void forget(struct reader *reader, const struct dialogue_step *step)
{
    if (reader->going_on != step)
        return;
    reader->going_on = NULL;
    if (reader->asked.waits || step->meaning == IDLES)
        reader->goes_on = reader->asked.waits = false;
}

static bool read_tagged(struct reader *reader, struct text tag, struct text line, bool cut)
{
    struct dialogue *dialogue = &reader->dialogue;
    struct dialogue_step *step = find(reader, tag);
    const char *status = status_of(dialogue_word(&line));
    if (step == NULL || status == NULL)
        return tap_fail(dialogue->tap, "a response of IMAP to no command");
    bool goes_on = step->meaning != ENDS_IMAP || strcmp(status, "OK") != 0;
    dialogue_reply(dialogue, step, 0, line, cut);
    forget(reader, step);
    return dialogue_end(dialogue, step, status) && goes_on;
}

static bool read_response(struct reader *reader, const struct lines *lines)
{
    struct text rest = lines_text(lines), tag = dialogue_word(&rest), word = rest;
    if (reader->in_response) {
        count_data(reader, lines, false);
    } else if (text_is(tag, "+")) {
        let_go_on(reader);
    } else if (text_is(tag, "*")) {
        const char *status = status_of(dialogue_word(&word));
        if (status != NULL)
            return read_status(reader, rest, status, lines->cut);
        count_data(reader, lines, true);
    } else {
        return read_tagged(reader, tag, rest, lines->cut);
    }
    return true;
}

/* ---- the reader ---- */

static bool start(void *state, struct tap *tap)
{
    struct reader *reader = state;
    return dialogue_init(&reader->dialogue, tap, &imap_tap, MESSAGE_IMAP, verbs);
}

static bool read_bytes(void *state, bool to_server, const uint8_t *bytes, size_t length)
{
    struct reader *reader = state;
    struct lines *lines = &reader->dialogue.lines[to_server ? 1 : 0];
    while (lines_read(lines, &bytes, &length) == LINES_LINE)
        if (!(to_server ? read_command(reader, lines) : read_response(reader, lines)))
            return false;
    return true;
}

static void fini(void *state)
{
    struct reader *reader = state;
    dialogue_fini(&reader->dialogue);
}

const struct tap_kind imap_tap = {.name = "imap",
                                  .size = sizeof(struct reader),
                                  .start = start,
                                  .read = read_bytes,
                                  .fini = fini};
