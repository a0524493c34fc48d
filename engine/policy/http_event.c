/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/http_event.h"

#include "core/base64.h"

#include <stdio.h>

/* ---- the URL ---- */

const char *http_event_scheme(const json_t *event)
{
    const struct text scheme = event_text(event, "intercept.http.scheme");
    if (scheme.at != NULL)
        return text_is(scheme, "https") ? "https" : "http";
    return json_integer_value(event_value(event, "dest_port")) == 443 ? "https" : "http";
}

/* The host, and a port that is not the scheme's. */
static int write_authority(const json_t *event, char *text, size_t size)
{
    struct text host = event_text(event, "http.hostname");
    const json_t *port = event_value(event, "http.http_port");
    if (host.length == 0) {
        host = event_text(event, "dest_ip");
        port = event_value(event, "dest_port");
    }
    const json_int_t usual = strcmp(http_event_scheme(event), "https") == 0 ? 443 : 80;
    const bool bare = host.length > 0 && host.at[0] != '[' && strchr(host.at, ':') != NULL;
    const char *open = bare ? "[" : "", *close = bare ? "]" : "";
    if (!json_is_integer(port) || json_integer_value(port) == usual)
        return snprintf(text, size, "%s%s%s", open, host.at, close);
    return snprintf(text, size, "%s%s%s:%lld", open, host.at, close,
                    (long long)json_integer_value(port));
}

/* RFC 9112, section 3.2: what a proxy is asked for. */
static bool is_whole(struct text target)
{
    return target.at[0] != '/' && target.at[0] != '*' && strstr(target.at, "://") != NULL;
}

static bool has_host(const json_t *event)
{
    return event_text(event, "http.hostname").length > 0 || event_text(event, "dest_ip").length > 0;
}

char *http_event_url(const json_t *event)
{
    const struct text target = event_text(event, "http.url");
    char authority[2200], *url;
    if (target.at == NULL)
        return NULL;
    if (is_whole(target) || !has_host(event)) {
        url = strdup(target.at);
    } else {
        (void)write_authority(event, authority, sizeof(authority));
        /* Of "*", and of CONNECT, there is no more. */
        if (asprintf(&url, "%s://%s%s", http_event_scheme(event), authority,
                     target.at[0] == '/' ? target.at : "") < 0)
            url = NULL;
    }
    CHECK(url != NULL);
    return url;
}

/* ---- headers and bodies ---- */

const json_t *http_event_headers(const json_t *event, enum http_side side)
{
    const json_t *headers =
        event_value(event, side == HTTP_REQUEST ? "http.request_headers" : "http.response_headers");
    return json_is_array(headers) ? headers : NULL;
}

struct text http_event_header(const json_t *event, enum http_side side, const char *name)
{
    const json_t *headers = http_event_headers(event, side);
    for (size_t i = json_array_size(headers); i > 0; i--) {
        const json_t *header = json_array_get(headers, i - 1);
        const struct text found = event_text(header, "name");
        if (found.at != NULL && text_is_nocase(found, name))
            return event_text(header, "value");
    }
    return (struct text){0};
}

/* Suricata's schema has a place for the response's; the request's may be there, or among ours. */
struct text http_event_coded_body(const json_t *event, enum http_side side)
{
    if (side == HTTP_RESPONSE)
        return event_text(event, "http.http_response_body");
    const struct text ours = event_text(event, "intercept.http.request_body.base64");
    return ours.at != NULL ? ours : event_text(event, "http.http_request_body");
}

bool http_event_body(const json_t *event, enum http_side side, struct http_event_body *body)
{
    const struct text text = http_event_coded_body(event, side);
    const json_t *facts = event_value(event, side == HTTP_REQUEST ? "intercept.http.request_body"
                                                                  : "intercept.http.response_body");
    *body = (struct http_event_body){0};
    if (text.at == NULL)
        return false;
    body->bytes = base64_decode(text.at, text.length, &body->length);
    body->cut = json_is_true(json_object_get(facts, "cut"));
    body->encoded = json_is_true(json_object_get(facts, "encoded"));
    return body->bytes != NULL;
}
