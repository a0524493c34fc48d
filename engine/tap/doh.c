/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/doh.h"

#include "tap/dns_packet.h"
#include "tap/dns_told.h"

#define TYPE "application/dns-message"
#define PARAMETER "dns="

bool doh_is(struct text content_type)
{
    size_t length = strlen(TYPE);
    if (!text_starts_nocase(content_type, TYPE))
        return false;
    char next = content_type.length > length ? content_type.at[length] : ';';
    return next == ';' || next == ' ' || next == '\t';
}

static void tell_message(const struct doh *doh, const uint8_t *bytes, size_t kept, uint64_t length)
{
    struct dns_told told;
    if (kept != length && (kept < DNS_MESSAGE_LIMIT || length < kept))
        return;
    bool is_one = dns_told_init(&told, bytes, length);
    told.event.is_https = true;
    told.event.stream = doh->stream;
    told.event.has_query = told.event.is_answer && doh->has_wait;
    told.event.wait = doh->wait;
    /* As Suricata calls it. */
    const struct message message = {.kind = MESSAGE_DNS,
                                    .protocol = doh->version == 20 ? "doh2" : "http",
                                    .number = doh->number,
                                    .dns = &told.event};
    if (is_one)
        tap_tell(doh->tap, &message);
    dns_told_fini(&told);
}

/* ---- base64url (RFC 4648, section 5), without padding ---- */

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

/* Returns the length of what is decoded; 0 if it is none, or longer than `size`. */
static size_t decode(struct text text, uint8_t *out, size_t size)
{
    uint32_t bits = 0;
    size_t length = 0;
    unsigned count = 0;
    for (size_t i = 0; i < text.length && text.at[i] != '='; i++) {
        int value = value_of(text.at[i]);
        if (value < 0)
            return 0;
        bits = bits << 6 | (uint32_t)value;
        count += 6;
        if (count < 8)
            continue;
        if (length == size)
            return 0;
        count -= 8;
        out[length++] = (uint8_t)(bits >> count);
    }
    return length;
}

/* The value of "dns" in the URL's query; not known if there is none. */
static struct text find_parameter(struct text url)
{
    if (url.length == 0)
        return (struct text){0};
    const char *end = url.at + url.length;
    const char *at = memchr(url.at, '?', url.length);
    while (at != NULL) {
        at++;
        const char *next = memchr(at, '&', (size_t)(end - at));
        struct text part = text_from(at, (size_t)((next != NULL ? next : end) - at));
        if (part.length >= strlen(PARAMETER) && memcmp(part.at, PARAMETER, strlen(PARAMETER)) == 0)
            return text_from(part.at + strlen(PARAMETER), part.length - strlen(PARAMETER));
        at = next;
    }
    return (struct text){0};
}

static void tell_url(const struct doh *doh)
{
    uint8_t bytes[DNS_MESSAGE_LIMIT];
    size_t length = decode(find_parameter(doh->url), bytes, sizeof(bytes));
    if (length > 0)
        tell_message(doh, bytes, length, length);
}

void doh_tell(const struct doh *doh)
{
    if (doh->query.at != NULL)
        tell_message(doh, (const uint8_t *)doh->query.at, doh->query.length, doh->query_length);
    else
        tell_url(doh);
    if (doh->answer.at != NULL)
        tell_message(doh, (const uint8_t *)doh->answer.at, doh->answer.length, doh->answer_length);
}
