/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * inih splits the lines; what it cannot do is done here: it tells a handler no line number, and of
 * the lines that it cannot split it tells the first only. So its input passes through `next_line`,
 * which counts, and notices the lines that came to nothing. */
#include "policy/config.h"

#include "core/file.h"
#include "policy/pattern_file.h"
#include "policy/schema.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <string.h>

#define LONGEST_LINE 65500
#define LONGEST_SECTION 49 /* inih cuts there */

struct parser {
    struct config *config;
    struct report *report;
    const char *next, *end; /* of the input */
    const char *line;       /* the line that inih is reading */
    struct place place;     /* of that line */
    bool wants_key;         /* it is no comment and no section, so a key must come of it */
    bool at_line_start;     /* false while inih fetches a line in pieces */
    char *section;          /* a copy of its name; NULL before the first */
    bool section_valid;
    unsigned *first_use; /* line of each key's first use, by its place in the schema */
    const char *table;   /* "device" or "destination" in a section with a name, or NULL, */
    void *object;        /* and what that section fills */
    struct device_config **device_tail;
    struct destination_config **destination_tail;
};

static void complain(const struct parser *parser, const char *section, const char *name,
                     const char *text, const char *complaint)
{
    report_error(parser->report, parser->place, 0, "[%s] %s = %.100s: %s", section, name, text,
                 complaint);
}

/* Behind the last character of a line's text: comments and blanks are inih's to strip. */
static const char *line_end(const struct parser *parser)
{
    const char *newline = memchr(parser->next, '\n', (size_t)(parser->end - parser->next));
    return newline != NULL ? newline + 1 : parser->end;
}

static void finish_line(struct parser *parser)
{
    if (parser->wants_key)
        report_error(parser->report, parser->place, 0, "expected key = value");
    parser->wants_key = false;
}

/* Where on the line that inih is reading a value stands; 0 if it is a fallback of ours. */
static unsigned column_of(const struct parser *parser, const char *value)
{
    if (parser->line == NULL)
        return 0;
    const char *at = parser->line, *end = memchr(at, '\n', (size_t)(parser->end - at));
    if (end == NULL)
        end = parser->end;
    while (at < end && *at != '=' && *at != ':')
        at++;
    const char *found = memmem(at, (size_t)(end - at), value, strlen(value));
    return found != NULL ? (unsigned)(found - parser->line) + 1 : 0;
}

/* For whoever asks what is set, and where. Patterns are many, and listed elsewhere. */
static void note_given(struct parser *parser, const struct schema_key *key, const char *text)
{
    struct given *given = &parser->config->given[key - schema];
    struct arena *arena = &parser->config->arena;
    if (parser->object != NULL || strcmp(key->name, "pattern") == 0 ||
        strcmp(key->name, "file") == 0)
        return;
    if (given->text == NULL) {
        given->text = arena_strdup(arena, text);
        given->place = parser->line != NULL ? parser->place : (struct place){0};
        return;
    }
    const size_t size = strlen(given->text) + strlen(text) + 2;
    char *both = arena_alloc(arena, size);
    if (both != NULL)
        snprintf(both, size, "%s %s", given->text, text);
    given->text = both;
}

static void store(struct parser *parser, const struct schema_key *key, const char *text)
{
    struct value value = {
        .text = text,
        .place = parser->place,
        .column = column_of(parser, text),
        .config = parser->config,
        .report = parser->report,
    };
    note_given(parser, key, text);
    char *base = parser->object != NULL ? parser->object : (char *)parser->config;
    const char *complaint = key->parse(&value, base + key->offset);
    if (complaint != NULL)
        complain(parser, parser->section != NULL ? parser->section : key->section, key->name, text,
                 complaint);
}

/* Gives every key that was not used its fallback: in a section with a name those of that section,
 * otherwise those of all others. */
static void apply_fallbacks(struct parser *parser)
{
    parser->line = NULL;
    for (size_t i = 0; i < schema_size; i++) {
        const struct schema_key *key = &schema[i];
        bool belongs = parser->table != NULL ? strcmp(key->section, parser->table) == 0
                                             : !schema_is_named(key->section);
        if (belongs && key->fallback != NULL && parser->first_use[i] == 0)
            store(parser, key, key->fallback);
    }
}

static void leave_section(struct parser *parser)
{
    const char *line = parser->line;
    if (parser->table != NULL)
        apply_fallbacks(parser);
    parser->line = line;
    parser->table = NULL;
    parser->object = NULL;
}

/* From here on keys are those of `table`, and fill the object. */
static void begin_object(struct parser *parser, const char *table, void *object,
                         struct tls_scope *scope, const char *title)
{
    scope->section = arena_strdup(&parser->config->arena, title);
    CHECK(scope->section != NULL);
    scope->place = parser->place;
    parser->table = table;
    parser->object = object;
    for (size_t i = 0; i < schema_size; i++)
        if (strcmp(schema[i].section, table) == 0)
            parser->first_use[i] = 0;
}

/* A name can be used once. */
static bool is_taken(const struct parser *parser, const struct tls_scope *scope, const char *title)
{
    if (strcmp(scope->section, title) != 0)
        return false;
    report_error(parser->report, parser->place, 0, "%s stands at line %u already", title,
                 scope->place.line);
    return true;
}

static bool enter_device(struct parser *parser, const char *title)
{
    struct config *config = parser->config;
    struct device_config *device = config->devices;
    size_t count = 0;
    for (; device != NULL; device = device->next, count++)
        if (is_taken(parser, &device->scope, title))
            return false;
    if (count == DEVICE_SECTIONS_LIMIT) {
        report_error(parser->report, parser->place, 0, "more than %d [device NAME] sections",
                     DEVICE_SECTIONS_LIMIT);
        return false;
    }
    device = arena_alloc(&config->arena, sizeof(*device));
    CHECK(device != NULL);
    *parser->device_tail = device;
    parser->device_tail = &device->next;
    begin_object(parser, "device", device, &device->scope, title);
    device->name =
        arena_copy(&config->arena, title + strlen("[device "), strlen(title) - strlen("[device ]"));
    CHECK(device->name != NULL);
    return true;
}

static bool enter_destination(struct parser *parser, const char *title)
{
    struct config *config = parser->config;
    struct destination_config *destination = config->destinations;
    for (; destination != NULL; destination = destination->next)
        if (is_taken(parser, &destination->scope, title))
            return false;
    destination = arena_alloc(&config->arena, sizeof(*destination));
    CHECK(destination != NULL);
    *parser->destination_tail = destination;
    parser->destination_tail = &destination->next;
    begin_object(parser, "destination", destination, &destination->scope, title);
    return true;
}

/* [device NAME] or [destination NAME]. */
static bool enter_named(struct parser *parser, const char *section)
{
    const char *blank = strchr(section, ' ');
    const int kind_length = (int)strcspn(section, " ");
    const char *name = blank != NULL ? blank + strspn(blank, " \t") : "";
    char title[LONGEST_SECTION + 3];
    if (*name == '\0') {
        report_error(parser->report, parser->place, 0, "expected [%.*s NAME]", kind_length,
                     section);
        return false;
    }
    snprintf(title, sizeof(title), "[%.*s %s]", kind_length, section, name);
    return strncmp(section, "device", 6) == 0 ? enter_device(parser, title)
                                              : enter_destination(parser, title);
}

static bool begins_with_kind(const char *section)
{
    char kind[LONGEST_SECTION];
    snprintf(kind, sizeof(kind), "%.*s", (int)strcspn(section, " "), section);
    return schema_is_named(kind);
}

/* False after the reason was reported. */
static bool enter_section(struct parser *parser, const char *section)
{
    free(parser->section);
    parser->section = strdup(section);
    if (strlen(section) >= LONGEST_SECTION)
        report_error(parser->report, parser->place, 0, "the name of the section is too long");
    else if (begins_with_kind(section))
        return enter_named(parser, section);
    else if (*section == '\0')
        report_error(parser->report, parser->place, 0, "a key before the first [section]");
    else if (!schema_has_section(section))
        report_error(parser->report, parser->place, 0, "unknown section [%s]", section);
    else
        return true;
    return false;
}

/* A line that starts with '['. What stands behind ']' would go unnoticed by inih. */
static void start_section(struct parser *parser, const char *start, const char *end)
{
    const char *close = memchr(start, ']', (size_t)(end - start));
    char name[LONGEST_SECTION + 1];
    leave_section(parser);
    parser->section_valid = false;
    if (close == NULL) {
        report_error(parser->report, parser->place, 0, "expected [section]");
        return;
    }
    size_t length = (size_t)(close - start) - 1;
    snprintf(name, sizeof(name), "%.*s", (int)(length < sizeof(name) ? length : sizeof(name)),
             start + 1);
    const char *rest = close + 1;
    while (rest < end && isspace((unsigned char)*rest))
        rest++;
    if (rest < end && *rest != '#' && *rest != ';')
        report_error(parser->report, parser->place, (unsigned)(rest - parser->line) + 1,
                     "unexpected text behind [%s]", name);
    parser->section_valid = enter_section(parser, name);
}

/* Looks at a line before inih does. False if inih shall not see it. */
static bool start_line(struct parser *parser)
{
    const char *end = line_end(parser);
    parser->line = parser->next;
    parser->place.line++;
    size_t length = (size_t)(end - parser->next);
    if (memchr(parser->line, '\0', length) != NULL || length > LONGEST_LINE) {
        report_error(parser->report, parser->place, 0,
                     length > LONGEST_LINE ? "the line is too long" : "a NUL byte in the line");
        return false;
    }
    const char *first = parser->line;
    while (first < end && isspace((unsigned char)*first))
        first++;
    if (first == end || *first == '#' || *first == ';')
        return true;
    parser->wants_key = *first != '[';
    if (*first == '[')
        start_section(parser, first, end);
    return true;
}

/* An ini_reader, with the contract of fgets(3). */
static char *next_line(char *buffer, int size, void *user)
{
    struct parser *parser = user;
    if (parser->at_line_start) {
        finish_line(parser);
        while (parser->next < parser->end && !start_line(parser))
            parser->next = line_end(parser);
    }
    if (parser->next == parser->end)
        return NULL;
    size_t length = (size_t)(line_end(parser) - parser->next);
    if (length > (size_t)size - 1)
        length = (size_t)size - 1;
    memcpy(buffer, parser->next, length);
    buffer[length] = '\0';
    parser->next += length;
    parser->at_line_start = parser->next == parser->end || parser->next[-1] == '\n';
    return buffer;
}

static void report_unknown_key(const struct parser *parser, const char *section, const char *name)
{
    char known[256] = "";
    size_t length = 0;
    for (size_t i = 0; i < schema_size; i++)
        if (strcmp(schema[i].section, section) == 0 && length < sizeof(known))
            length += (size_t)snprintf(known + length, sizeof(known) - length, "%s%s",
                                       length > 0 ? ", " : "", schema[i].name);
    report_error(parser->report, parser->place, 0, "unknown key %s in [%s]; known are: %s", name,
                 section, known);
}

/* An ini_handler. Errors are ours to report, so it never tells inih of one. */
static int use_key(void *user, const char *section, const char *name, const char *text)
{
    struct parser *parser = user;
    parser->wants_key = false;
    if (parser->section == NULL && *section == '\0')
        parser->section_valid = enter_section(parser, section);
    if (!parser->section_valid)
        return 1; /* it was complained about once */
    const char *table = parser->table != NULL ? parser->table : section;
    const struct schema_key *key = schema_find(table, name);
    if (key == NULL) {
        report_unknown_key(parser, table, name);
        return 1;
    }
    unsigned *first_use = &parser->first_use[key - schema];
    if (*first_use > 0 && !key->repeats) {
        report_error(parser->report, parser->place, 0, "[%s] %s was given at line %u already",
                     section, name, *first_use);
        return 1;
    }
    if (*first_use == 0)
        *first_use = parser->place.line;
    if (*text == '\0')
        complain(parser, section, name, "", "expected a value");
    else
        store(parser, key, text);
    return 1;
}

static struct place place_of(const struct parser *parser, const char *section, const char *name)
{
    const struct schema_key *key = schema_find(section, name);
    return (struct place){parser->place.file, parser->first_use[key - schema]};
}

/* A list of what is to be intercepted that is empty is nobody's wish. */
static void check_allow(const struct parser *parser)
{
    const struct place place = place_of(parser, "allow", "file");
    if (place.line > 0 && parser->config->allow.patterns.count == 0)
        report_error(parser->report, place, 0,
                     "[allow] has no pattern: everything would be intercepted");
}

static void check_revocation(const struct parser *parser)
{
    const struct tls_config *tls = &parser->config->tls;
    const bool wants_crl = tls->revocation == REVOCATION_CRL;
    if (wants_crl && tls->crl_directory == NULL)
        report_error(parser->report, place_of(parser, "tls", "revocation"), 0,
                     "[tls] revocation = crl needs crl-directory");
    if (!wants_crl && tls->crl_directory != NULL)
        report_error(parser->report, place_of(parser, "tls", "crl-directory"), 0,
                     "[tls] crl-directory is of no use without revocation = crl");
}

/* The one would be opened in place of the other. */
static void check_sockets(const struct parser *parser)
{
    const struct config *config = parser->config;
    if (config->read_socket != NULL && strcmp(config->read_socket, config->control_socket) == 0)
        report_error(parser->report, place_of(parser, "control", "read-socket"), 0,
                     "[control] read-socket is the same as socket");
}

static void check_devices(const struct parser *parser)
{
    const struct device_config *device = parser->config->devices;
    for (; device != NULL; device = device->next)
        if (!device->has_mac && !device->has_address && device->interface == NULL)
            report_error(parser->report, device->scope.place, 0,
                         "%s needs mac, address or interface, to know it by",
                         device->scope.section);
}

static void check_destinations(const struct parser *parser)
{
    const struct destination_config *destination = parser->config->destinations;
    for (; destination != NULL; destination = destination->next)
        if (destination->rules.patterns.count == 0)
            report_error(parser->report, destination->scope.place, 0,
                         "%s has no pattern: it would be found in nothing",
                         destination->scope.section);
}

static void add_command_line(struct parser *parser, const char *const *ignore, size_t count)
{
    struct config *config = parser->config;
    for (size_t i = 0; i < count; i++) {
        struct pattern_source source = {
            .text = arena_strdup(&config->arena, ignore[i]),
            .place = {.file = "--ignore", .line = (unsigned)i + 1},
            .column = 1,
        };
        if (source.text == NULL ||
            !pattern_list_add(&config->ignore.patterns, &config->arena, source))
            report_error(parser->report, source.place, 0, "out of memory");
    }
}

static void run_parser(struct parser *parser)
{
    ini_allow_multiline = false;
    ini_allow_inline_comments = false;
    ini_stop_on_first_error = false;
    ini_use_stack = false;
    ini_allow_realloc = true;
    ini_max_line = LONGEST_LINE + 3;
    parser->at_line_start = true;
    parser->device_tail = &parser->config->devices;
    parser->destination_tail = &parser->config->destinations;
    if (ini_parse_stream(next_line, parser, use_key, parser) == -2)
        report_error(parser->report, parser->place, 0, "out of memory");
    leave_section(parser);
    apply_fallbacks(parser);
    parser->config->tls.scope.section = "[tls]";
    check_devices(parser);
    check_revocation(parser);
    check_sockets(parser);
    check_destinations(parser);
    check_allow(parser);
}

struct config *config_parse(const char *text, size_t length, const char *path,
                            const char *const *ignore, size_t ignore_count, struct report *report)
{
    struct config *config = calloc(1, sizeof(*config));
    unsigned *first_use = calloc(schema_size, sizeof(*first_use));
    CHECK(config != NULL && first_use != NULL);
    config->path = arena_strdup(&config->arena, path);
    config->given = arena_alloc(&config->arena, schema_size * sizeof(*config->given));
    CHECK(config->path != NULL && config->given != NULL);

    /* Some editors put a byte order mark in front. */
    size_t mark = length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    struct parser parser = {
        .config = config,
        .report = report,
        .next = text + mark,
        .end = text + length,
        .place = {.file = config->path},
        .first_use = first_use,
    };
    run_parser(&parser);
    add_command_line(&parser, ignore, ignore_count);
    free(parser.section);
    free(first_use);
    return config;
}

struct config *config_load(const char *path, const char *const *ignore, size_t ignore_count,
                           struct report *report)
{
    size_t length;
    char *text = file_read(path, &length);
    if (text == NULL) {
        report_error(report, (struct place){.file = path}, 0, "%s", strerror(errno));
        return NULL;
    }
    struct config *config = config_parse(text, length, path, ignore, ignore_count, report);
    free(text);
    return config;
}

void config_free(struct config *config)
{
    if (config == NULL)
        return;
    while (config->credentials != NULL) {
        struct credentials *next = config->credentials->next;
        credentials_free(config->credentials);
        config->credentials = next;
    }
    arena_fini(&config->arena);
    free(config);
}
