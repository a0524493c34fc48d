/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/tap.h"

#include "tap/detect.h"
#include "tap/dns_tap.h"
#include "tap/ftp_tap.h"
#include "tap/http1_tap.h"
#include "tap/http2_tap.h"
#include "tap/imap_tap.h"
#include "tap/mqtt_tap.h"
#include "tap/pop3_tap.h"
#include "tap/smtp_tap.h"
#include "tap/unknown_tap.h"

#include <stdalign.h>
#include <stdarg.h>

/* Fewer first bytes than that may yet be those of another protocol than the port's own. */
#define HINT_BYTES 8

static const struct tap_kind *const kinds[] = {&http1_tap, &http2_tap, &mqtt_tap,
                                               &dns_tap,   &smtp_tap,  &imap_tap,
                                               &pop3_tap,  &ftp_tap,   &unknown_tap};

static const struct tap_kind *find_kind(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (strcmp(kinds[i]->name, name) == 0)
            return kinds[i];
    return NULL;
}

/* ---- memory ---- */

/* Stands in front of what is given. */
struct block {
    alignas(max_align_t) size_t size;
};

void *tap_realloc(struct tap *tap, void *memory, size_t size)
{
    struct block *block = memory != NULL ? (struct block *)memory - 1 : NULL;
    size_t old = block != NULL ? block->size : 0;
    if (size > TAP_MEMORY - (tap->memory - old))
        return NULL;
    block = realloc(block, sizeof(*block) + size);
    if (block == NULL)
        return NULL;
    block->size = size;
    tap->memory += size - old;
    return block + 1;
}

void *tap_alloc(struct tap *tap, size_t size)
{
    void *memory = tap_realloc(tap, NULL, size);
    return memory != NULL ? memset(memory, 0, size) : NULL;
}

void tap_free(struct tap *tap, void *memory)
{
    if (memory == NULL)
        return;
    struct block *block = (struct block *)memory - 1;
    tap->memory -= block->size;
    free(block);
}

/* ---- telling ---- */

void tap_tell(struct tap *tap, const struct message *message)
{
    tap->tell(tap->context, message);
}

uint64_t tap_number(struct tap *tap)
{
    return tap->number++;
}

bool tap_fail(struct tap *tap, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(tap->reason, sizeof(tap->reason), format, arguments);
    va_end(arguments);
    return false;
}

static void tell_reason(struct tap *tap, bool to_server)
{
    const struct tap_note note = {
        .protocol = tap->protocol, .to_server = to_server, .reason = tap->reason};
    const struct message message = {
        .kind = MESSAGE_NOTE, .protocol = tap->protocol, .number = tap->number, .note = &note};
    tap_tell(tap, &message);
}

/* ---- the reader ---- */

static bool start(struct tap *tap, const struct tap_kind *kind, void **state)
{
    *state = arena_alloc(tap->arena, kind->size);
    return *state != NULL && (kind->start == NULL || kind->start(*state, tap));
}

static void stop(struct tap *tap)
{
    const struct tap_kind *kind = tap->kind;
    tap->kind = NULL;
    if (kind != NULL && kind->fini != NULL)
        kind->fini(tap->state);
}

static void begin(struct tap *tap, const struct tap_kind *kind)
{
    tap->over = !start(tap, kind, &tap->state);
    if (tap->over)
        return;
    tap->kind = kind;
    tap->protocol = kind->name;
}

void *tap_hand_over(struct tap *tap, const struct tap_kind *kind, size_t rest)
{
    if (!start(tap, kind, &tap->next_state)) {
        tap_fail(tap, "no memory is left for this connection");
        return NULL;
    }
    tap->next = kind;
    tap->rest = rest;
    return tap->next_state;
}

/* The reader has said that it will not go on. */
static void retire(struct tap *tap, bool to_server)
{
    stop(tap);
    if (tap->next == NULL) {
        tap->over = true;
        if (tap->reason[0] != '\0')
            tell_reason(tap, to_server);
        return;
    }
    tap->kind = tap->next;
    tap->state = tap->next_state;
    tap->protocol = tap->kind->name;
    tap->next = NULL;
}

static void feed(struct tap *tap, bool to_server, const uint8_t *bytes, size_t length)
{
    while (length > 0 && tap->kind != NULL &&
           !tap->kind->read(tap->state, to_server, bytes, length)) {
        size_t rest = tap->next != NULL ? tap->rest : 0;
        retire(tap, to_server);
        bytes += length - rest;
        length = rest;
    }
}

/* ---- which reader ---- */

/* What is kept of both directions, and is not needed any longer. */
static void feed_first(struct tap *tap)
{
    for (int to_server = 1; to_server >= 0; to_server--) {
        size_t length = tap->first_length[to_server];
        tap->first_length[to_server] = 0;
        feed(tap, to_server == 1, tap->first[to_server], length);
        explicit_bzero(tap->first[to_server], length);
    }
}

/* There are protocols that are known, but not read. */
static void use(struct tap *tap, const char *name)
{
    const struct tap_kind *kind = find_kind(name);
    tap->protocol = name;
    if (kind != NULL)
        begin(tap, kind);
    else
        tap->over = true;
}

/* By all that was seen of one direction. False if more of it may tell. */
static bool choose(struct tap *tap, bool to_server, const uint8_t *bytes, size_t length)
{
    const char *name = detect_protocol(bytes, length, to_server);
    if (strcmp(name, unknown_tap.name) == 0) {
        const char *hint = length >= HINT_BYTES ? detect_by_port(tap->port) : NULL;
        if (hint == NULL && length < TAP_FIRST_BYTES)
            return false;
        name = hint != NULL ? hint : name;
    }
    use(tap, name);
    return true;
}

/* Keeps what is needed to choose, and chooses. What is not kept is read at once. */
static void look(struct tap *tap, bool to_server, const uint8_t *bytes, size_t length)
{
    uint8_t *first = tap->first[to_server ? 1 : 0], *kept = &tap->first_length[to_server ? 1 : 0];
    size_t room = (size_t)TAP_FIRST_BYTES - *kept;
    size_t count = room < length ? room : length;
    memcpy(first + *kept, bytes, count);
    *kept = (uint8_t)(*kept + count);
    if (!choose(tap, to_server, first, *kept))
        return;
    feed_first(tap);
    feed(tap, to_server, bytes + count, length - count);
}

void tap_init(struct tap *tap, const struct tap_options *options, struct arena *arena,
              struct text alpn, uint16_t port)
{
    tap->options = *options;
    tap->arena = arena;
    tap->port = port;
    tap->protocol = detect_by_alpn(alpn);
}

void tap_upgraded(struct tap *tap, const char *protocol)
{
    tap->protocol = protocol;
    tap->upgraded = true;
}

void tap_listen(struct tap *tap, tap_teller tell, void *context)
{
    tap->tell = tell;
    tap->context = context;
}

void tap_read(struct tap *tap, bool to_server, const uint8_t *bytes, size_t length, uint64_t now)
{
    tap->now = now;
    if (tap->kind == NULL && !tap->over && tap->protocol != NULL)
        use(tap, tap->protocol);
    if (tap->kind != NULL)
        feed(tap, to_server, bytes, length);
    else if (!tap->over && length > 0)
        look(tap, to_server, bytes, length);
}

void tap_end(struct tap *tap, bool to_server, uint64_t now)
{
    tap->now = now;
    if (tap->kind != NULL && tap->kind->end != NULL)
        tap->kind->end(tap->state, to_server);
}

void tap_fini(struct tap *tap, uint64_t now)
{
    tap->now = now;
    if (!tap->over && tap->kind == NULL && tap->first_length[0] + tap->first_length[1] > 0) {
        use(tap, unknown_tap.name);
        feed_first(tap);
    }
    tap->over = true;
    stop(tap);
}
