/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/dialogue.h"

#include "tap/redact.h"

/* ---- words ---- */

struct text dialogue_word(struct text *line)
{
    const char *end = line->length > 0 ? memchr(line->at, ' ', line->length) : NULL;
    struct text word = text_from(line->at, end != NULL ? (size_t)(end - line->at) : line->length);
    line->at += word.length;
    line->length -= word.length;
    while (line->length > 0 && *line->at == ' ') {
        line->at++;
        line->length--;
    }
    return word;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool dialogue_number(struct text text, uint64_t *number)
{
    *number = 0;
    if (text.length == 0 || !is_digit(text.at[0]))
        return false;
    for (size_t i = 0; i < text.length && is_digit(text.at[i]); i++) {
        if (i == 18)
            return false;
        *number = *number * 10 + (uint64_t)(text.at[i] - '0');
    }
    return true;
}

bool dialogue_literal(struct text tail, uint64_t *size, bool *waits)
{
    size_t end = tail.length;
    if (end == 0 || tail.at[--end] != '}')
        return false;
    *waits = end == 0 || tail.at[end - 1] != '+'; /* RFC 7888 */
    if (!*waits)
        end--;
    size_t start = end;
    while (start > 0 && is_digit(tail.at[start - 1]))
        start--;
    return start > 0 && tail.at[start - 1] == '{' &&
           dialogue_number(text_from(tail.at + start, end - start), size);
}

/* ---- what of it is kept ---- */

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* In upper case. False if it is no verb: then we have lost the thread, and what we take for a
 * command may be anything. */
static bool set_verb(struct dialogue_step *step, struct text verb)
{
    if (verb.length == 0 || verb.length > DIALOGUE_VERB)
        return false;
    for (size_t i = 0; i < verb.length; i++) {
        if (!is_letter(verb.at[i]) && !(i > 0 && verb.at[i] == '-'))
            return false;
        step->verb[i] = (char)(is_letter(verb.at[i]) ? verb.at[i] & ~0x20 : verb.at[i]);
    }
    step->verb_length = (uint8_t)verb.length;
    return true;
}

/* Of what is not known nobody knows whether it is a credential. */
static void look_up(const struct dialogue *dialogue, struct dialogue_step *step)
{
    const struct dialogue_verb *verb = dialogue->verbs;
    const struct text name = text_from(step->verb, step->verb_length);
    while (verb->name != NULL && !text_is(name, verb->name))
        verb++;
    step->meaning = verb->meaning;
    step->secret = verb->name != NULL ? verb->secret : DIALOGUE_HIDDEN;
}

static bool hides(const struct dialogue *dialogue, const struct dialogue_step *step)
{
    return step->secret != DIALOGUE_SHOWN && !dialogue->tap->options.keep_credentials;
}

static void add_text(struct dialogue_step *step, struct dialogue_span *span, struct text text)
{
    size_t room = (size_t)DIALOGUE_TEXT - step->text_length;
    size_t count = text.length < room ? text.length : room;
    if (count > 0)
        memcpy(step->text + step->text_length, text.at, count);
    step->text_length = (uint16_t)(step->text_length + count);
    span->length = (uint16_t)(span->length + count);
    if (count < text.length)
        step->cut = true;
}

static void add_word(struct dialogue_step *step, struct text word)
{
    if (step->argument.length > 0)
        add_text(step, &step->argument, text_from(" ", 1));
    add_text(step, &step->argument, word);
}

/* The replies stand behind the argument: once there is one, nothing more is added to it. */
static void add_argument(const struct dialogue *dialogue, struct dialogue_step *step,
                         struct text argument)
{
    if (argument.length == 0)
        return;
    if (step->reply_count > 0) {
        step->cut = step->cut || !hides(dialogue, step);
    } else if (!hides(dialogue, step)) {
        add_word(step, argument);
    } else {
        if (step->secret == DIALOGUE_FIRST_WORD && step->argument.length == 0)
            add_word(step, dialogue_word(&argument));
        if (argument.length > 0 && !step->redacted) {
            add_word(step, text_from(REDACTED, strlen(REDACTED)));
            step->redacted = true;
        }
    }
}

void dialogue_argue(struct dialogue *dialogue, struct dialogue_step *step, struct text argument)
{
    add_argument(dialogue, step, argument);
    if (hides(dialogue, step))
        lines_wipe(&dialogue->lines[1]);
}

void dialogue_reply(struct dialogue *dialogue, struct dialogue_step *step, unsigned code,
                    struct text line, bool cut)
{
    if (step->reply_count == DIALOGUE_LINES) {
        step->cut = true;
        return;
    }
    bool hidden = hides(dialogue, step) && line.length > 0;
    step->codes[step->reply_count] = code;
    struct dialogue_span *span = &step->replies[step->reply_count++];
    *span = (struct dialogue_span){.at = step->text_length};
    add_text(step, span, hidden ? text_from(REDACTED, strlen(REDACTED)) : line);
    step->cut = step->cut || (cut && !hidden);
}

/* ---- steps ---- */

static struct dialogue_step *new_step(struct dialogue *dialogue)
{
    if (dialogue->waiting == DIALOGUE_WAITING) {
        tap_fail(dialogue->tap, "more than %d commands wait for a reply", DIALOGUE_WAITING);
        return NULL;
    }
    struct dialogue_step *step = tap_alloc(dialogue->tap, sizeof(*step));
    if (step == NULL)
        tap_fail(dialogue->tap, "no memory is left for this connection");
    return step;
}

static struct dialogue_step *let_wait(struct dialogue *dialogue, struct dialogue_step *step)
{
    struct dialogue_step **end = &dialogue->oldest;
    step->number = tap_number(dialogue->tap);
    while (*end != NULL)
        end = &(*end)->next;
    *end = step;
    dialogue->waiting++;
    return step;
}

struct dialogue_step *dialogue_unasked(struct dialogue *dialogue)
{
    struct dialogue_step *step = new_step(dialogue);
    return step != NULL ? let_wait(dialogue, step) : NULL;
}

static bool set_tag(struct dialogue_step *step, struct text tag)
{
    if (tag.length > DIALOGUE_TAG)
        return false;
    if (tag.length > 0)
        memcpy(step->tag, tag.at, tag.length);
    step->tag_length = (uint8_t)tag.length;
    return true;
}

struct dialogue_step *dialogue_ask(struct dialogue *dialogue, struct text tag, struct text verb,
                                   struct text argument)
{
    struct dialogue_step *step = new_step(dialogue);
    if (step == NULL)
        return NULL;
    if (!set_tag(step, tag) || !set_verb(step, verb)) {
        tap_fail(dialogue->tap, "a line that is no command");
        tap_free(dialogue->tap, step);
        return NULL;
    }
    look_up(dialogue, step);
    step->cut = dialogue->lines[1].cut && !hides(dialogue, step);
    step->start = dialogue->tap->now;
    dialogue_argue(dialogue, step, argument);
    return let_wait(dialogue, step);
}

static void take_out(struct dialogue *dialogue, const struct dialogue_step *step)
{
    struct dialogue_step **at = &dialogue->oldest;
    while (*at != step)
        at = &(*at)->next;
    *at = step->next;
    dialogue->waiting--;
}

/* ---- telling ---- */

static struct text text_at(const struct dialogue_step *step, struct dialogue_span span)
{
    return text_from(step->text + span.at, span.length);
}

static void tell(struct dialogue *dialogue, const struct dialogue_step *step)
{
    struct spoken_reply replies[DIALOGUE_LINES];
    for (size_t i = 0; i < step->reply_count; i++)
        replies[i] =
            (struct spoken_reply){.code = step->codes[i], .text = text_at(step, step->replies[i])};
    const struct spoken_command told = {
        .tag = text_from(step->tag, step->tag_length),
        .verb = text_from(step->verb, step->verb_length),
        .argument = text_at(step, step->argument),
        .cut = step->cut,
        .status = step->status,
        .replies = replies,
        .reply_count = step->reply_count,
        .answered = step->answered,
        .start = step->start,
        .end = step->end,
        .untagged = step->untagged,
        .sent = step->sent,
        .received = step->received,
        .port = step->port,
        .is_active = step->is_active,
        .mail = dialogue->mail,
    };
    const struct message message = {.kind = dialogue->message,
                                    .protocol = dialogue->kind->name,
                                    .number = step->number,
                                    .command = &told};
    tap_tell(dialogue->tap, &message);
}

/* A greeting that has not come is nothing to be told of. */
static void finish(struct dialogue *dialogue, struct dialogue_step *step)
{
    take_out(dialogue, step);
    if (step->verb_length > 0 || step->reply_count > 0)
        tell(dialogue, step);
    tap_free(dialogue->tap, step);
}

bool dialogue_end(struct dialogue *dialogue, struct dialogue_step *step, const char *status)
{
    bool was_login = dialogue->login == step;
    step->answered = true;
    step->status = status;
    step->end = dialogue->tap->now;
    finish(dialogue, step);
    if (!was_login)
        return true;
    dialogue->login = NULL;
    return dialogue->responses <= dialogue->challenges ||
           tap_fail(dialogue->tap, "something was said before a login had its reply");
}

bool dialogue_init(struct dialogue *dialogue, struct tap *tap, const struct tap_kind *kind,
                   enum message_kind message, const struct dialogue_verb *verbs)
{
    *dialogue = (struct dialogue){.tap = tap, .kind = kind, .message = message, .verbs = verbs};
    return tap->upgraded || dialogue_unasked(dialogue) != NULL;
}

void dialogue_fini(struct dialogue *dialogue)
{
    while (dialogue->oldest != NULL)
        finish(dialogue, dialogue->oldest);
}

/* ---- SASL ---- */

void dialogue_login(struct dialogue *dialogue, struct dialogue_step *step)
{
    dialogue->login = step;
    dialogue->challenges = dialogue->responses = 0;
}

void dialogue_challenge(struct dialogue *dialogue)
{
    dialogue->challenges++;
}

void dialogue_response(struct dialogue *dialogue, struct text line)
{
    dialogue->responses++;
    dialogue_argue(dialogue, dialogue->login, line);
}
