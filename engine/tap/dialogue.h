/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * dialogue.h - what SMTP, IMAP, POP3 and FTP have in common: commands, a line each, and what is
 * replied to them, in their order or by their tag.
 *
 * What a command says is kept only if it is known to be no credential: a protocol lists its
 * commands, and of any other the verb alone is told. The line that a credential stood in is
 * overwritten, and what is replied to it is not kept, either: servers repeat names.
 *
 * Memory: the structure of 2 KiB in the reader's state, and a step of less than 3 KiB for each
 * command that waits for its reply, of which there are DIALOGUE_WAITING at most; then the reader
 * retires. */
#ifndef TAP_DIALOGUE_H
#define TAP_DIALOGUE_H

#include "tap/lines.h"
#include "tap/tap.h"

#define DIALOGUE_WAITING 256
/* Of a command: its argument, and the lines of its reply. What is more is left out. */
#define DIALOGUE_TEXT 2048
#define DIALOGUE_LINES 32
#define DIALOGUE_VERB 16
#define DIALOGUE_TAG 32

/* What becomes of an argument where credentials are not kept. */
enum dialogue_secret {
    DIALOGUE_SHOWN,
    DIALOGUE_HIDDEN,     /* all of it is one */
    DIALOGUE_FIRST_WORD, /* all but its first word: the name of a mechanism */
};

/* A protocol's commands, with what their meaning is to its reader. The last has no name. */
struct dialogue_verb {
    const char *name;
    enum dialogue_secret secret;
    int meaning; /* 0: none */
};

struct dialogue_span {
    uint16_t at, length;
};

/* A command that waits for its reply; or, without a verb, what waits for no command. */
struct dialogue_step {
    struct dialogue_step *next;
    uint64_t number, start, end, untagged, sent, received;
    int meaning;
    enum dialogue_secret secret;
    const char *status; /* a string that lives forever */
    bool answered, cut, is_active;
    bool redacted; /* a credential was left out of it */
    uint16_t port;
    uint8_t verb_length, tag_length, reply_count;
    uint16_t text_length;
    struct dialogue_span argument;
    unsigned codes[DIALOGUE_LINES];
    struct dialogue_span replies[DIALOGUE_LINES];
    char verb[DIALOGUE_VERB], tag[DIALOGUE_TAG], text[DIALOGUE_TEXT];
};

struct dialogue {
    struct tap *tap;
    const struct tap_kind *kind;
    enum message_kind message;
    const struct dialogue_verb *verbs;
    struct dialogue_step *oldest; /* those that wait */
    unsigned waiting;
    struct dialogue_step *login;    /* what the client says belongs to it: SASL (RFC 4422) */
    unsigned challenges, responses; /* since that began */
    const struct spoken_mail *mail; /* SMTP: told with each command; else NULL */
    struct lines lines[2];          /* to the client, to the server */
};

/* The server greets, unless TLS has begun in the midst of it all. `kind` is the reader; `verbs`
 * live forever. False if there is no memory. */
bool dialogue_init(struct dialogue *dialogue, struct tap *tap, const struct tap_kind *kind,
                   enum message_kind message, const struct dialogue_verb *verbs) must_check;

/* Tells what still waits. */
void dialogue_fini(struct dialogue *dialogue);

/* ---- words of a line, which is taken off ---- */

/* Up to the next blank; blanks behind it are taken off, too. */
struct text dialogue_word(struct text *line);
/* The size that a line announces with "{12}" at its end, and whether it waits to be let in (RFC
 * 9051, section 4.3); false if it announces none. */
bool dialogue_literal(struct text tail, uint64_t *size, bool *waits) must_check;
/* A number at the start of the text; false if there is none, or it is out of range. */
bool dialogue_number(struct text text, uint64_t *number) must_check;

/* ---- steps ---- */

/* A command, with an argument that is kept as far as it may be; it waits from now on. The tag may
 * be none. What they lie in is overwritten if it holds a secret. NULL after tap_fail(), if the verb
 * is no word, or the tag too long, or there are too many, or no memory. */
struct dialogue_step *dialogue_ask(struct dialogue *dialogue, struct text tag, struct text verb,
                                   struct text argument) must_check;

/* What comes unasked, and waits to be told. NULL after tap_fail(). */
struct dialogue_step *dialogue_unasked(struct dialogue *dialogue) must_check;

/* More of its argument. */
void dialogue_argue(struct dialogue *dialogue, struct dialogue_step *step, struct text argument);

/* A line of its reply; `code` may be 0. `cut` says that there was more of it. */
void dialogue_reply(struct dialogue *dialogue, struct dialogue_step *step, unsigned code,
                    struct text line, bool cut);

/* It has its last reply: it is told, and gone. False after tap_fail(): what the client has said
 * belongs to nothing. */
bool dialogue_end(struct dialogue *dialogue, struct dialogue_step *step,
                  const char *status) must_check;

/* ---- SASL: until the command's last reply, all lines of the client are its. What the server asks
 * ---- meanwhile is not kept: it is as secret as what answers it ---- */

void dialogue_login(struct dialogue *dialogue, struct dialogue_step *step);
void dialogue_challenge(struct dialogue *dialogue);
void dialogue_response(struct dialogue *dialogue, struct text line);

#endif
