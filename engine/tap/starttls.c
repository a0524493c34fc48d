/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/starttls.h"

#include "core/reader.h"

#include <string.h>
#include <strings.h>

struct starttls_dialogue {
    const char *name;
    const char *start; /* what is said first */
    bool device_first;
    /* The next whole line or tag; false if it is not all there. */
    bool (*next)(struct reader *stream, struct reader *unit);
    void (*by_device)(struct starttls *starttls, struct reader unit);
    void (*by_origin)(struct starttls *starttls, struct reader unit);
};

/* ---- words ---- */

static bool next_line(struct reader *stream, struct reader *line)
{
    const uint8_t *end = stream->left > 0 ? memchr(stream->at, '\n', stream->left) : NULL;
    if (end == NULL)
        return false;
    *line = read_part(stream, (size_t)(end - stream->at) + 1);
    line->left--;
    if (line->left > 0 && line->at[line->left - 1] == '\r')
        line->left--;
    return true;
}

static struct reader read_word(struct reader *line)
{
    const uint8_t *end = line->left > 0 ? memchr(line->at, ' ', line->left) : NULL;
    struct reader word = read_part(line, end != NULL ? (size_t)(end - line->at) : line->left);
    while (line->left > 0 && *line->at == ' ')
        (void)read_u8(line);
    return word;
}

static bool is_word(struct reader word, const char *text)
{
    return word.left == strlen(text) && strncasecmp((const char *)word.at, text, word.left) == 0;
}

static bool starts_with(struct reader bytes, const char *text)
{
    size_t length = strlen(text);
    return bytes.left >= length && memcmp(bytes.at, text, length) == 0;
}

static bool ends_with(struct reader bytes, uint8_t last)
{
    return bytes.left > 0 && bytes.at[bytes.left - 1] == last;
}

/* Nothing that another reader might take for the end of a line. */
static bool is_plain(struct reader line)
{
    for (size_t i = 0; i < line.left; i++)
        if ((line.at[i] < ' ' && line.at[i] != '\t') || line.at[i] == 0x7f)
            return false;
    return true;
}

static void answered(struct starttls *starttls, bool yes)
{
    starttls->turn = starttls->turn == STARTTLS_ASKED && yes ? STARTTLS_BEGINS : STARTTLS_DEVICE;
}

/* ---- SMTP and FTP, which greet alike: the first command tells which it is ---- */

struct command {
    const char *verb;
    const char *argument; /* the only one; NULL: any */
    const char *name;     /* of the protocol that has it, NULL: of both */
    const char *yes;      /* the reply to it that lets TLS begin; NULL: none does */
};

static const struct command reply_commands[] = {
    {"EHLO", NULL, "smtp", NULL},  {"HELO", NULL, "smtp", NULL},    {"LHLO", NULL, "smtp", NULL},
    {"RSET", "", "smtp", NULL},    {"STARTTLS", "", "smtp", "220"}, {"AUTH", "TLS", "ftp", "234"},
    {"AUTH", "SSL", "ftp", "234"}, {"AUTH", "TLS-C", "ftp", "234"}, {"AUTH", "TLS-P", "ftp", "234"},
    {"FEAT", "", "ftp", NULL},     {"SYST", "", "ftp", NULL},       {"HOST", NULL, "ftp", NULL},
    {"CLNT", NULL, "ftp", NULL},   {"OPTS", NULL, "ftp", NULL},     {"NOOP", NULL, NULL, NULL},
    {"HELP", NULL, NULL, NULL},
};

static void reply_by_device(struct starttls *starttls, struct reader line)
{
    struct reader verb = read_word(&line);
    for (size_t i = 0; i < ARRAY_SIZE(reply_commands); i++) {
        const struct command *command = &reply_commands[i];
        if (!is_word(verb, command->verb) ||
            (command->argument != NULL && !is_word(line, command->argument)))
            continue;
        if (command->name != NULL)
            starttls->name = command->name;
        starttls->yes = command->yes;
        starttls->turn = command->yes != NULL ? STARTTLS_ASKED : STARTTLS_ORIGIN;
        return;
    }
    starttls->turn = STARTTLS_OVER;
}

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

/* RFC 959, section 4.2: "250-" begins a reply of several lines, which "250 " ends; SMTP writes the
 * code before the lines between, too. */
static void reply_by_origin(struct starttls *starttls, struct reader line)
{
    bool has_code = line.left >= 3 && is_digit(line.at[0]) && is_digit(line.at[1]) &&
                    is_digit(line.at[2]) &&
                    (line.left == 3 || line.at[3] == ' ' || line.at[3] == '-');
    if (!starttls->in_reply && !has_code) {
        starttls->turn = STARTTLS_OVER;
        return;
    }
    if (!starttls->in_reply)
        memcpy(starttls->code, line.at, sizeof(starttls->code));
    else if (!has_code || memcmp(line.at, starttls->code, sizeof(starttls->code)) != 0)
        return;
    starttls->in_reply = line.left > 3 && line.at[3] == '-';
    if (!starttls->in_reply)
        answered(starttls, starttls->yes != NULL &&
                               memcmp(starttls->code, starttls->yes, sizeof(starttls->code)) == 0);
}

/* ---- IMAP: an answer carries its command's tag. A line that ends with "}" announces a literal
 * ---- */

static void imap_by_device(struct starttls *starttls, struct reader line)
{
    struct reader tag = read_word(&line), verb = read_word(&line);
    starttls->turn = STARTTLS_OVER;
    if (tag.left == 0 || tag.left > STARTTLS_TAG_LIMIT || is_word(tag, "*") || is_word(tag, "+") ||
        ends_with(line, '}'))
        return;
    memcpy(starttls->tag, tag.at, tag.left);
    starttls->tag_length = tag.left;
    if (is_word(verb, "STARTTLS") && line.left == 0)
        starttls->turn = STARTTLS_ASKED;
    else if (is_word(verb, "CAPABILITY") || is_word(verb, "NOOP") || is_word(verb, "ID"))
        starttls->turn = STARTTLS_ORIGIN;
}

static void imap_by_origin(struct starttls *starttls, struct reader line)
{
    bool is_literal = ends_with(line, '}');
    struct reader tag = read_word(&line), status = read_word(&line);
    bool is_untagged = is_word(tag, "*"), is_ok = is_word(status, "OK");
    if (is_untagged && starttls->tag_length == 0 && is_ok) /* the greeting */
        starttls->turn = STARTTLS_DEVICE;
    else if (!is_untagged && tag.left == starttls->tag_length && tag.left > 0 &&
             memcmp(tag.at, starttls->tag, tag.left) == 0)
        answered(starttls, is_ok);
    else if (!is_untagged || starttls->tag_length == 0 || is_literal || is_word(status, "BYE"))
        starttls->turn = STARTTLS_OVER;
}

/* ---- POP3: an answer is one line, but that of CAPA, which a line with a single dot ends ---- */

static void pop3_by_device(struct starttls *starttls, struct reader line)
{
    starttls->lists = is_word(line, "CAPA");
    if (is_word(line, "STLS"))
        starttls->turn = STARTTLS_ASKED;
    else
        starttls->turn = starttls->lists ? STARTTLS_ORIGIN : STARTTLS_OVER;
}

static void pop3_by_origin(struct starttls *starttls, struct reader line)
{
    bool is_ok = starts_with(line, "+OK");
    if (starttls->in_list) {
        starttls->in_list = !is_word(line, ".");
        if (!starttls->in_list)
            answered(starttls, false);
    } else if (starttls->lists && is_ok) {
        starttls->in_list = true;
    } else if (is_ok || starts_with(line, "-ERR")) {
        answered(starttls, is_ok);
    } else {
        starttls->turn = STARTTLS_OVER;
    }
}

/* ---- XMPP: an XML stream each way; the device's header is answered by the origin's features ----
 */

/* A tag, or the text before the next one. A ">" in quotes ends no tag. */
static bool next_tag(struct reader *stream, struct reader *unit)
{
    uint8_t quote = 0;
    if (stream->left == 0)
        return false;
    if (*stream->at != '<') {
        const uint8_t *end = memchr(stream->at, '<', stream->left);
        *unit = read_part(stream, end != NULL ? (size_t)(end - stream->at) : stream->left);
        return true;
    }
    for (size_t i = 0; i < stream->left; i++) {
        uint8_t byte = stream->at[i];
        if (quote == 0 && byte == '>') {
            *unit = read_part(stream, i + 1);
            return true;
        }
        if (quote == 0 && (byte == '"' || byte == '\''))
            quote = byte;
        else if (byte == quote)
            quote = 0;
    }
    return false;
}

static bool is_space(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static bool is_blank(struct reader text)
{
    while (text.left > 0)
        if (!is_space(read_u8(&text)))
            return false;
    return true;
}

/* "starttls" of "<starttls xmlns='…'/>"; "/starttls" of "</starttls>". */
static bool is_tag(struct reader unit, const char *name)
{
    size_t length = strlen(name);
    if (unit.left < length + 2 || unit.at[0] != '<' || memcmp(unit.at + 1, name, length) != 0)
        return false;
    uint8_t next = unit.at[length + 1];
    return next == '>' || next == '/' || is_space(next);
}

static bool is_empty_element(struct reader tag)
{
    return tag.left >= 2 && tag.at[tag.left - 2] == '/';
}

/* One element, which comes as one tag or as two. True when it is all there. */
static bool whole_element(struct starttls *starttls, struct reader tag, const char *start,
                          const char *end)
{
    if (starttls->in_element) {
        if (!is_tag(tag, end))
            starttls->turn = STARTTLS_OVER;
        return is_tag(tag, end);
    }
    if (!is_tag(tag, start))
        starttls->turn = STARTTLS_OVER;
    starttls->in_element = is_tag(tag, start) && !is_empty_element(tag);
    return is_tag(tag, start) && !starttls->in_element;
}

/* Without a version there are no features (RFC 6120, section 4.7.5), and TLS is not to come. */
static void xmpp_by_device(struct starttls *starttls, struct reader unit)
{
    if (is_blank(unit) || starts_with(unit, "<?xml "))
        return;
    if (is_tag(unit, "stream:stream")) {
        bool has_version = memmem(unit.at, unit.left, "version=", 8) != NULL;
        starttls->turn = has_version ? STARTTLS_ORIGIN : STARTTLS_OVER;
        return;
    }
    if (whole_element(starttls, unit, "starttls", "/starttls")) {
        starttls->in_element = false;
        starttls->turn = STARTTLS_ASKED;
    }
}

static void xmpp_by_origin(struct starttls *starttls, struct reader unit)
{
    if (is_blank(unit))
        return;
    if (starttls->turn == STARTTLS_ASKED && is_tag(unit, "failure")) {
        starttls->turn = STARTTLS_OVER;
        starttls->asked = false; /* no client takes that for a yes */
    } else if (starttls->turn == STARTTLS_ASKED) {
        if (whole_element(starttls, unit, "proceed", "/proceed"))
            starttls->turn = STARTTLS_BEGINS;
    } else if (is_tag(unit, "/stream:features") ||
               (is_tag(unit, "stream:features") && is_empty_element(unit))) {
        starttls->turn = STARTTLS_DEVICE;
    } else if (is_tag(unit, "/stream:stream") || is_tag(unit, "stream:error") ||
               starts_with(unit, "<!")) {
        starttls->turn = STARTTLS_OVER;
    }
}

/* ---- the dialogue ---- */

static const struct starttls_dialogue dialogues[] = {
    {NULL, "220", false, next_line, reply_by_device, reply_by_origin},
    {"imap", "* OK", false, next_line, imap_by_device, imap_by_origin},
    {"pop3", "+OK", false, next_line, pop3_by_device, pop3_by_origin},
    {"xmpp", "<?xml ", true, next_tag, xmpp_by_device, xmpp_by_origin},
    {"xmpp", "<stream:stream", true, next_tag, xmpp_by_device, xmpp_by_origin},
};

static bool next_unit(struct starttls *starttls, struct reader *stream, struct reader *unit)
{
    size_t before = stream->left;
    bool is_whole = starttls->dialogue->next(stream, unit);
    if ((is_whole ? before - stream->left : before) > STARTTLS_UNIT_LIMIT)
        starttls->turn = STARTTLS_OVER;
    return is_whole && starttls->turn != STARTTLS_OVER;
}

size_t starttls_by_device(struct starttls *starttls, const uint8_t *bytes, size_t length)
{
    struct reader stream = reader_of(bytes, length), unit;
    size_t taken = 0;
    while (starttls->turn == STARTTLS_DEVICE && next_unit(starttls, &stream, &unit)) {
        if (starttls->dialogue->next == next_line && !is_plain(unit)) {
            starttls->turn = STARTTLS_OVER;
        } else {
            starttls->dialogue->by_device(starttls, unit);
            starttls->asked = starttls->turn == STARTTLS_ASKED;
        }
        taken = length - stream.left;
    }
    /* A part of a line has waited long enough when it is none. */
    if (ends_with(stream, '\r'))
        stream.left--;
    if (starttls->turn == STARTTLS_DEVICE && starttls->dialogue->next == next_line &&
        !is_plain(stream))
        starttls->turn = STARTTLS_OVER;
    return taken;
}

/* By what the one that speaks first has said so far. */
static const struct starttls_dialogue *find_dialogue(const uint8_t *bytes, size_t length,
                                                     bool by_device)
{
    for (size_t i = 0; i < ARRAY_SIZE(dialogues) && length > 0; i++) {
        size_t size = strlen(dialogues[i].start);
        if (dialogues[i].device_first == by_device &&
            memcmp(bytes, dialogues[i].start, length < size ? length : size) == 0)
            return &dialogues[i];
    }
    return NULL;
}

/* Some clients send their first command without waiting for the greeting. */
static bool is_early_command(const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < ARRAY_SIZE(dialogues); i++) {
        struct starttls early = {
            .turn = STARTTLS_DEVICE, .name = dialogues[i].name, .dialogue = &dialogues[i]};
        if (!dialogues[i].device_first && starttls_by_device(&early, bytes, length) > 0 &&
            early.turn != STARTTLS_OVER && early.name != NULL)
            return true;
    }
    return false;
}

/* NULL: nothing that is known. */
static void start_dialogue(struct starttls *starttls, const struct starttls_dialogue *dialogue)
{
    starttls->dialogue = dialogue;
    starttls->name = dialogue != NULL ? dialogue->name : NULL;
}

bool starttls_init(struct starttls *starttls, const uint8_t *bytes, size_t length, bool by_device)
{
    const struct starttls_dialogue *dialogue = find_dialogue(bytes, length, by_device);
    *starttls = (struct starttls){.turn = STARTTLS_ORIGIN};
    start_dialogue(starttls, dialogue);
    if (dialogue != NULL && by_device)
        starttls->turn = STARTTLS_DEVICE;
    starttls->greeted = dialogue != NULL && by_device; /* by the device, then */
    return dialogue != NULL || (by_device && is_early_command(bytes, length));
}

/* Out of its turn an origin says nothing but, in an XML stream, blanks. */
size_t starttls_by_origin(struct starttls *starttls, const uint8_t *bytes, size_t length)
{
    struct reader stream = reader_of(bytes, length), unit;
    size_t taken = 0;
    if (starttls->turn == STARTTLS_ORIGIN && !starttls->greeted && length > 0) {
        start_dialogue(starttls, find_dialogue(bytes, length, false));
        if (starttls->dialogue == NULL)
            starttls->turn = STARTTLS_OVER;
    }
    while ((starttls->turn == STARTTLS_ORIGIN || starttls->turn == STARTTLS_ASKED) &&
           next_unit(starttls, &stream, &unit)) {
        starttls->dialogue->by_origin(starttls, unit);
        starttls->greeted = true;
        taken = length - stream.left;
    }
    if (starttls->turn == STARTTLS_DEVICE && stream.left > 0) {
        if (starttls->dialogue->next == next_tag && is_blank(stream))
            return length;
        starttls->turn = STARTTLS_OVER;
    }
    return taken;
}
