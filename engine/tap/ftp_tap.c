/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/ftp_tap.h"

#include "tap/dialogue.h"
#include "tap/replies.h"

#define SECURED 234 /* RFC 2228, section 5: AUTH */

enum { PLAIN, ACTIVE, EXTENDED_ACTIVE, STARTS_TLS };

/* RFC 959, RFC 2228, RFC 2389, RFC 2428, RFC 3659, RFC 7151, and what servers have besides. */
static const struct dialogue_verb verbs[] = {
    {"USER", DIALOGUE_HIDDEN, PLAIN},
    {"PASS", DIALOGUE_HIDDEN, PLAIN},
    {"ACCT", DIALOGUE_HIDDEN, PLAIN},
    {"ADAT", DIALOGUE_HIDDEN, PLAIN},
    {"AUTH", DIALOGUE_SHOWN, STARTS_TLS},
    {"PORT", DIALOGUE_SHOWN, ACTIVE},
    {"EPRT", DIALOGUE_SHOWN, EXTENDED_ACTIVE},
    {"PASV", DIALOGUE_SHOWN, PLAIN},
    {"EPSV", DIALOGUE_SHOWN, PLAIN},
    {"CWD", DIALOGUE_SHOWN, PLAIN},
    {"XCWD", DIALOGUE_SHOWN, PLAIN},
    {"CDUP", DIALOGUE_SHOWN, PLAIN},
    {"XCUP", DIALOGUE_SHOWN, PLAIN},
    {"SMNT", DIALOGUE_SHOWN, PLAIN},
    {"REIN", DIALOGUE_SHOWN, PLAIN},
    {"QUIT", DIALOGUE_SHOWN, PLAIN},
    {"TYPE", DIALOGUE_SHOWN, PLAIN},
    {"STRU", DIALOGUE_SHOWN, PLAIN},
    {"MODE", DIALOGUE_SHOWN, PLAIN},
    {"RETR", DIALOGUE_SHOWN, PLAIN},
    {"STOR", DIALOGUE_SHOWN, PLAIN},
    {"STOU", DIALOGUE_SHOWN, PLAIN},
    {"APPE", DIALOGUE_SHOWN, PLAIN},
    {"ALLO", DIALOGUE_SHOWN, PLAIN},
    {"REST", DIALOGUE_SHOWN, PLAIN},
    {"RNFR", DIALOGUE_SHOWN, PLAIN},
    {"RNTO", DIALOGUE_SHOWN, PLAIN},
    {"ABOR", DIALOGUE_SHOWN, PLAIN},
    {"DELE", DIALOGUE_SHOWN, PLAIN},
    {"RMD", DIALOGUE_SHOWN, PLAIN},
    {"XRMD", DIALOGUE_SHOWN, PLAIN},
    {"MKD", DIALOGUE_SHOWN, PLAIN},
    {"XMKD", DIALOGUE_SHOWN, PLAIN},
    {"PWD", DIALOGUE_SHOWN, PLAIN},
    {"XPWD", DIALOGUE_SHOWN, PLAIN},
    {"LIST", DIALOGUE_SHOWN, PLAIN},
    {"NLST", DIALOGUE_SHOWN, PLAIN},
    {"MLSD", DIALOGUE_SHOWN, PLAIN},
    {"MLST", DIALOGUE_SHOWN, PLAIN},
    {"SYST", DIALOGUE_SHOWN, PLAIN},
    {"STAT", DIALOGUE_SHOWN, PLAIN},
    {"HELP", DIALOGUE_SHOWN, PLAIN},
    {"NOOP", DIALOGUE_SHOWN, PLAIN},
    {"FEAT", DIALOGUE_SHOWN, PLAIN},
    {"OPTS", DIALOGUE_SHOWN, PLAIN},
    {"SIZE", DIALOGUE_SHOWN, PLAIN},
    {"MDTM", DIALOGUE_SHOWN, PLAIN},
    {"MFMT", DIALOGUE_SHOWN, PLAIN},
    {"PBSZ", DIALOGUE_SHOWN, PLAIN},
    {"PROT", DIALOGUE_SHOWN, PLAIN},
    {"CCC", DIALOGUE_SHOWN, PLAIN},
    {"HOST", DIALOGUE_SHOWN, PLAIN},
    {"LANG", DIALOGUE_SHOWN, PLAIN},
    {"CLNT", DIALOGUE_SHOWN, PLAIN},
    {NULL, DIALOGUE_HIDDEN, PLAIN},
};

struct reader {
    struct dialogue dialogue;
    struct replies replies;
};

/* ---- the data connection ---- */

/* A number below `limit` in front of the text, which is taken off with what comes behind it. */
static bool take_number(struct text *text, uint64_t limit, uint64_t *number)
{
    if (!dialogue_number(*text, number) || *number >= limit)
        return false;
    while (text->length > 0 && *text->at >= '0' && *text->at <= '9') {
        text->at++;
        text->length--;
    }
    if (text->length > 0) {
        text->at++;
        text->length--;
    }
    return true;
}

/* "h1,h2,h3,h4,p1,p2": RFC 959, section 4.1.2. */
static uint16_t port_of_six(struct text text)
{
    uint64_t number, port = 0;
    for (int i = 0; i < 6; i++) {
        if (!take_number(&text, 256, &number))
            return 0;
        port = (port << 8 | number) & 0xffff;
    }
    return (uint16_t)port;
}

/* "|1|address|port|", with any delimiter: RFC 2428. Only the port counts, the last of the parts. */
static uint16_t port_of_extended(struct text text)
{
    uint64_t number;
    const char *end = text.length > 1 ? memrchr(text.at, text.at[0], text.length) : NULL;
    if (end == NULL || end == text.at)
        return 0;
    const char *start = memrchr(text.at, text.at[0], (size_t)(end - text.at));
    text = text_from(start + 1, (size_t)(end - start) - 1);
    return take_number(&text, 65536, &number) ? (uint16_t)number : 0;
}

/* What stands in the last brackets of the line. */
static struct text in_brackets(struct text line)
{
    const char *start = line.length > 0 ? memrchr(line.at, '(', line.length) : NULL;
    const char *end = line.length > 0 ? memrchr(line.at, ')', line.length) : NULL;
    if (start == NULL || end == NULL || end < start)
        return (struct text){0};
    return text_from(start + 1, (size_t)(end - start) - 1);
}

static void note_port(struct dialogue_step *step, unsigned code, struct text line)
{
    if (code == 227)
        step->port = port_of_six(in_brackets(line));
    else if (code == 229)
        step->port = port_of_extended(in_brackets(line));
}

/* ---- the dialogue ---- */

/* Telnet's interrupt and synch (RFC 959, section 4.1.3) stand in front of ABOR. */
static struct text without_telnet(struct text line)
{
    while (line.length > 0 && (unsigned char)line.at[0] >= 0xf0) {
        line.at++;
        line.length--;
    }
    return line;
}

static bool read_command(struct reader *reader, const struct lines *lines)
{
    struct text line = without_telnet(lines_text(lines));
    struct text verb = dialogue_word(&line);
    struct dialogue_step *step = dialogue_ask(&reader->dialogue, (struct text){0}, verb, line);
    if (step == NULL)
        return false;
    step->is_active = step->meaning == ACTIVE || step->meaning == EXTENDED_ACTIVE;
    if (step->meaning == ACTIVE)
        step->port = port_of_six(line);
    else if (step->meaning == EXTENDED_ACTIVE)
        step->port = port_of_extended(line);
    return true;
}

/* RFC 959, section 4.2: 1yz is preliminary, another reply comes. */
static bool read_reply(struct reader *reader, const struct lines *lines)
{
    struct dialogue *dialogue = &reader->dialogue;
    struct reply reply;
    if (!replies_read(&reader->replies, lines_text(lines), &reply))
        return tap_fail(dialogue->tap, "a reply of FTP without a code");
    struct dialogue_step *step = dialogue->oldest;
    if (step == NULL)
        step = dialogue_unasked(dialogue);
    if (step == NULL)
        return false;
    dialogue_reply(dialogue, step, reply.code, reply.text, lines->cut);
    note_port(step, reply.code, reply.text);
    if (!reply.is_last || reader->replies.code < 200)
        return true;
    /* TLS in TLS: what follows is not for us. */
    bool goes_on = step->meaning != STARTS_TLS || reader->replies.code != SECURED;
    return dialogue_end(dialogue, step, NULL) && goes_on;
}

/* ---- the reader ---- */

static bool start(void *state, struct tap *tap)
{
    struct reader *reader = state;
    return dialogue_init(&reader->dialogue, tap, &ftp_tap, MESSAGE_FTP, verbs);
}

static bool read_bytes(void *state, bool to_server, const uint8_t *bytes, size_t length)
{
    struct reader *reader = state;
    struct lines *lines = &reader->dialogue.lines[to_server ? 1 : 0];
    while (lines_read(lines, &bytes, &length) == LINES_LINE)
        if (!(to_server ? read_command(reader, lines) : read_reply(reader, lines)))
            return false;
    return true;
}

static void fini(void *state)
{
    struct reader *reader = state;
    dialogue_fini(&reader->dialogue);
}

const struct tap_kind ftp_tap = {
    .name = "ftp", .size = sizeof(struct reader), .start = start, .read = read_bytes, .fini = fini};
