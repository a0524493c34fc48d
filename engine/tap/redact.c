/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/redact.h"

#define NAME(literal)                \
    {                                \
        literal, sizeof(literal) - 1 \
    }

static bool is_among(struct text name, const struct text *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (text_equals_nocase(name, names[i]))
            return true;
    return false;
}

static bool is_secret(struct text name)
{
    static const struct text names[] = {NAME("access_token"),
                                        NAME("id_token"),
                                        NAME("refresh_token"),
                                        NAME("token"),
                                        NAME("auth_token"),
                                        NAME("authtoken"),
                                        NAME("api_key"),
                                        NAME("apikey"),
                                        NAME("api-key"),
                                        NAME("client_secret"),
                                        NAME("secret"),
                                        NAME("password"),
                                        NAME("passwd"),
                                        NAME("pwd"),
                                        NAME("pass"),
                                        NAME("sig"),
                                        NAME("signature"),
                                        NAME("jwt"),
                                        NAME("session"),
                                        NAME("sessionid"),
                                        NAME("session_id"),
                                        NAME("sid"),
                                        NAME("auth"),
                                        NAME("key"),
                                        NAME("X-Amz-Signature"),
                                        NAME("X-Amz-Credential"),
                                        NAME("X-Amz-Security-Token"),
                                        NAME("X-Goog-Signature"),
                                        NAME("X-Goog-Credential")};
    return is_among(name, names, ARRAY_SIZE(names));
}

/* ---- one pass over a URL, which tells each part that stays, and that something else did not ----
 */

struct output {
    char *at; /* NULL: nobody wants it */
    size_t length, size;
    bool found;
};

static void put(struct output *output, const char *bytes, size_t length)
{
    if (length > output->size - output->length)
        length = output->size - output->length;
    if (output->at != NULL && length > 0)
        memcpy(output->at + output->length, bytes, length);
    output->length += length;
}

static void put_redacted(struct output *output)
{
    output->found = true;
    put(output, REDACTED, strlen(REDACTED));
}

static size_t find_any(struct text url, size_t from, const char *stops)
{
    while (from < url.length && (url.at[from] == '\0' || strchr(stops, url.at[from]) == NULL))
        from++;
    return from;
}

/* RFC 3986, section 3.2.1: what stands between "//" and the last "@" of the authority. */
static size_t put_start(struct output *output, struct text url)
{
    const char *slashes = url.length > 0 ? memmem(url.at, url.length, "//", 2) : NULL;
    size_t query = find_any(url, 0, "?#");
    if (slashes == NULL || (size_t)(slashes - url.at) >= query)
        return 0;
    size_t start = (size_t)(slashes - url.at) + 2;
    /* In a path that begins with a slash there is no authority. */
    if (start > 2 && memchr(url.at, '/', start - 2) != NULL)
        return 0;
    size_t end = find_any(url, start, "/?#");
    const char *sign = end > start ? memrchr(url.at + start, '@', end - start) : NULL;
    if (sign == NULL)
        return 0;
    put(output, url.at, start);
    put_redacted(output);
    return (size_t)(sign - url.at);
}

/* A name and its value, up to the next separator. */
static size_t put_parameter(struct output *output, struct text url, size_t at)
{
    size_t end = find_any(url, at, "&;#?");
    size_t sign = at;
    while (sign < end && url.at[sign] != '=')
        sign++;
    if (sign + 1 < end && is_secret(text_from(url.at + at, sign - at))) {
        put(output, url.at + at, sign + 1 - at);
        put_redacted(output);
    } else {
        put(output, url.at + at, end - at);
    }
    return end;
}

static void pass_over(struct output *output, struct text url)
{
    size_t at = put_start(output, url);
    size_t query = find_any(url, at, "?#");
    put(output, url.at + at, query - at);
    at = query;
    while (at < url.length) {
        put(output, url.at + at, 1); /* the separator */
        at = put_parameter(output, url, at + 1);
    }
}

bool redact_finds(struct text url)
{
    struct output output = {.size = SIZE_MAX};
    pass_over(&output, url);
    return output.found;
}

size_t redact_url(struct text url, char *out, size_t size)
{
    struct output output = {.at = out, .size = size};
    pass_over(&output, url);
    return output.length;
}
