/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/smtp_tap.h"

#include "tap/dialogue.h"
#include "tap/mail.h"
#include "tap/replies.h"

#define GO_ON 334         /* RFC 4954, section 4: a challenge */
#define START_MAIL 354    /* RFC 5321, section 3.3 */
#define READY_FOR_TLS 220 /* RFC 3207, section 4 */

enum { PLAIN, GREETS, BEGINS, NAMES, SENDS, SENDS_PART, RESETS, LOGS_IN, STARTS_TLS };

static const struct dialogue_verb verbs[] = {
    {"HELO", DIALOGUE_SHOWN, GREETS},         {"EHLO", DIALOGUE_SHOWN, GREETS},
    {"MAIL", DIALOGUE_SHOWN, BEGINS},         {"RCPT", DIALOGUE_SHOWN, NAMES},
    {"DATA", DIALOGUE_SHOWN, SENDS},          {"BDAT", DIALOGUE_SHOWN, SENDS_PART},
    {"RSET", DIALOGUE_SHOWN, RESETS},         {"AUTH", DIALOGUE_FIRST_WORD, LOGS_IN},
    {"STARTTLS", DIALOGUE_SHOWN, STARTS_TLS}, {"NOOP", DIALOGUE_SHOWN, PLAIN},
    {"QUIT", DIALOGUE_SHOWN, PLAIN},          {"HELP", DIALOGUE_SHOWN, PLAIN},
    {"VRFY", DIALOGUE_SHOWN, PLAIN},          {"EXPN", DIALOGUE_SHOWN, PLAIN},
    {"ETRN", DIALOGUE_SHOWN, PLAIN},          {NULL, DIALOGUE_HIDDEN, PLAIN},
};

struct reader {
    struct dialogue dialogue;
    struct replies replies;
    struct dialogue_step *sending; /* whose mail is under way; or NULL */
    struct mail mail;
};

/* ---- the client ---- */

/* RFC 3030, section 2: so many bytes follow at once. */
static bool begin_part(struct reader *reader, struct dialogue_step *step, struct text line)
{
    uint64_t size;
    if (!dialogue_number(line, &size))
        return tap_fail(reader->dialogue.tap, "BDAT without a size");
    step->sent = size;
    lines_pass(&reader->dialogue.lines[1], size);
    return true;
}

static bool read_command(struct reader *reader, struct lines *lines)
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
    if (step->meaning == LOGS_IN)
        dialogue_login(dialogue, step);
    return step->meaning != SENDS_PART || begin_part(reader, step, line);
}

static void end_mail(struct reader *reader, const struct lines *lines)
{
    reader->sending->sent = lines->passed;
    reader->sending->start = reader->dialogue.tap->now;
    reader->sending = NULL;
}

/* ---- the server ---- */

static struct text argument_of(const struct dialogue_step *step)
{
    return text_from(step->text + step->argument.at, step->argument.length);
}

/* What the command says of the mail is told with its own reply, even if that refuses it. */
static void take_up(struct mail *mail, const struct dialogue_step *step)
{
    struct text argument = argument_of(step);
    if (step->meaning == GREETS)
        mail_greet(mail, dialogue_word(&argument));
    else if (step->meaning == BEGINS)
        mail_begin(mail, mail_path(argument));
    else if (step->meaning == NAMES)
        mail_add(mail, mail_path(argument));
    else if (step->meaning == RESETS)
        mail_clear(mail);
}

/* A mail is over when it was sent, however that ended; but a DATA that no mail has followed leaves
 * it as it was. */
static bool ends_mail(int meaning, bool is_last_part, bool was_sent, bool refused)
{
    return (meaning == BEGINS && refused) || (meaning == SENDS && was_sent) ||
           (meaning == SENDS_PART && (is_last_part || refused));
}

static bool is_last_part(struct text argument)
{
    (void)dialogue_word(&argument);
    return text_is_nocase(argument, "LAST");
}

static bool end_step(struct reader *reader, struct dialogue_step *step)
{
    struct mail *mail = &reader->mail;
    const int meaning = step->meaning;
    const unsigned code = reader->replies.code;
    const bool refused = code >= 400,
               was_sent = step->reply_count > 0 && step->codes[0] == START_MAIL;
    const bool ends = ends_mail(meaning, is_last_part(argument_of(step)), was_sent, refused);
    if (step == reader->sending) {
        reader->sending = NULL;
        return dialogue_end(&reader->dialogue, step, NULL) &&
               tap_fail(reader->dialogue.tap, "a mail had its reply before its end");
    }
    take_up(mail, step);
    if (!dialogue_end(&reader->dialogue, step, NULL))
        return false;
    if (ends)
        mail_clear(mail);
    else if (meaning == NAMES && refused)
        mail_refuse(mail);
    /* TLS in TLS: what follows is not for us. */
    return meaning != STARTS_TLS || code != READY_FOR_TLS;
}

/* RFC 5321, section 4.2.1: "3yz" waits for more of the client. */
static bool go_on(struct reader *reader, struct dialogue_step *step)
{
    if (step->meaning == LOGS_IN && reader->replies.code == GO_ON) {
        dialogue_challenge(&reader->dialogue);
        return true;
    }
    if (step->meaning == SENDS && reader->replies.code == START_MAIL && reader->sending == NULL) {
        reader->sending = step;
        lines_pass_to_dot(&reader->dialogue.lines[1]);
        return true;
    }
    return false;
}

static bool read_reply(struct reader *reader, const struct lines *lines)
{
    struct dialogue *dialogue = &reader->dialogue;
    struct reply reply;
    if (!replies_read(&reader->replies, lines_text(lines), &reply))
        return tap_fail(dialogue->tap, "a reply of SMTP without a code");
    struct dialogue_step *step = dialogue->oldest;
    if (step == NULL)
        step = dialogue_unasked(dialogue);
    if (step == NULL)
        return false;
    if (step != dialogue->login || reader->replies.code != GO_ON)
        dialogue_reply(dialogue, step, reply.code, reply.text, lines->cut);
    if (!reply.is_last || go_on(reader, step))
        return true;
    return end_step(reader, step);
}

/* ---- the reader ---- */

static bool start(void *state, struct tap *tap)
{
    struct reader *reader = state;
    if (!dialogue_init(&reader->dialogue, tap, &smtp_tap, MESSAGE_SMTP, verbs))
        return false;
    reader->dialogue.mail = &reader->mail.said;
    return true;
}

static bool read_bytes(void *state, bool to_server, const uint8_t *bytes, size_t length)
{
    struct reader *reader = state;
    struct lines *lines = &reader->dialogue.lines[to_server ? 1 : 0];
    enum lines_found found;
    while ((found = lines_read(lines, &bytes, &length)) != LINES_NOTHING) {
        if (found == LINES_DOT)
            end_mail(reader, lines);
        else if (!(to_server ? read_command(reader, lines) : read_reply(reader, lines)))
            return false;
    }
    return true;
}

static void fini(void *state)
{
    struct reader *reader = state;
    if (reader->sending != NULL)
        reader->sending->sent = reader->dialogue.lines[1].passed;
    dialogue_fini(&reader->dialogue);
}

const struct tap_kind smtp_tap = {.name = "smtp",
                                  .size = sizeof(struct reader),
                                  .start = start,
                                  .read = read_bytes,
                                  .fini = fini};
