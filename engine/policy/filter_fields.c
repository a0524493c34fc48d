/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/filter_fields.h"

#include "core/base64.h"
#include "policy/http_event.h"

static bool any_of(const json_t *event, const char *const *paths, size_t count, filter_found *found,
                   void *context)
{
    for (size_t i = 0; i < count; i++) {
        const struct text text = event_text(event, paths[i]);
        if (text.at != NULL && found(text, context))
            return true;
    }
    return false;
}

static const char *const host_paths[] = {"tls.sni",        "http.hostname",  "quic.sni",
                                         "intercept.name", "intercept.host", "dest_ip"};

static bool hosts(const json_t *event, filter_found *found, void *context)
{
    return any_of(event, host_paths, ARRAY_SIZE(host_paths), found, context);
}

/* host:port, an IPv6 address with brackets and without. */
static bool with_port(struct text host, const json_t *port, filter_found *found, void *context)
{
    char text[512];
    if (host.at == NULL)
        return false;
    snprintf(text, sizeof(text), "%.400s:%lld", host.at, (long long)json_integer_value(port));
    if (found(text_from(text, strlen(text)), context))
        return true;
    if (strchr(host.at, ':') == NULL)
        return false;
    snprintf(text, sizeof(text), "[%.400s]:%lld", host.at, (long long)json_integer_value(port));
    return found(text_from(text, strlen(text)), context);
}

static bool destinations(const json_t *event, filter_found *found, void *context)
{
    const json_t *port = event_value(event, "dest_port");
    for (size_t i = 0; i < ARRAY_SIZE(host_paths); i++)
        if (with_port(event_text(event, host_paths[i]), port, found, context))
            return true;
    return false;
}

static bool sources(const json_t *event, filter_found *found, void *context)
{
    return with_port(event_text(event, "src_ip"), event_value(event, "src_port"), found, context);
}

static bool devices(const json_t *event, filter_found *found, void *context)
{
    static const char *const paths[] = {"intercept.device.name", "intercept.device.mac",
                                        "intercept.device.vendor", "src_ip"};
    return any_of(event, paths, ARRAY_SIZE(paths), found, context);
}

/* Suricata has what the request asks for; a URL has the scheme and the host, too. */
static bool urls(const json_t *event, filter_found *found, void *context)
{
    char *url = http_event_url(event);
    bool any = url != NULL && found(text_from(url, strlen(url)), context);
    free(url);
    return any;
}

/* Where there is no URL there may be a host, which mitmproxy does not have. */
static bool urls_or_hosts(const json_t *event, filter_found *found, void *context)
{
    return event_value(event, "http.url") != NULL ? urls(event, found, context)
                                                  : hosts(event, found, context);
}

static bool methods(const json_t *event, filter_found *found, void *context)
{
    static const char *const path[] = {"http.http_method"};
    return any_of(event, path, 1, found, context);
}

/* ---- headers ---- */

static bool headers_of(const json_t *event, enum http_side side, filter_found *found, void *context)
{
    const json_t *headers = http_event_headers(event, side), *header;
    size_t index;
    bool any = false;
    json_array_foreach(headers, index, header)
    {
        const struct text name = event_text(header, "name"), value = event_text(header, "value");
        const size_t length = name.length + 2 + value.length;
        if (name.at == NULL)
            continue;
        char *line = malloc(length + 1);
        CHECK(line != NULL);
        snprintf(line, length + 1, "%s: %s", name.at, value.at != NULL ? value.at : "");
        any = found(text_from(line, strlen(line)), context);
        free(line);
        if (any)
            break;
    }
    return any;
}

static bool request_headers(const json_t *event, filter_found *found, void *context)
{
    return headers_of(event, HTTP_REQUEST, found, context);
}

static bool response_headers(const json_t *event, filter_found *found, void *context)
{
    return headers_of(event, HTTP_RESPONSE, found, context);
}

static bool all_headers(const json_t *event, filter_found *found, void *context)
{
    return request_headers(event, found, context) || response_headers(event, found, context);
}

static bool types_of(const json_t *event, enum http_side side, filter_found *found, void *context)
{
    const json_t *headers = http_event_headers(event, side), *header;
    size_t index;
    json_array_foreach(headers, index, header)
    {
        const struct text name = event_text(header, "name"), value = event_text(header, "value");
        if (name.at != NULL && value.at != NULL && text_is_nocase(name, "content-type") &&
            found(value, context))
            return true;
    }
    return false;
}

static bool request_type(const json_t *event, filter_found *found, void *context)
{
    return types_of(event, HTTP_REQUEST, found, context);
}

/* Where the headers were too long to be told there is what Suricata tells of it. */
static bool response_type(const json_t *event, filter_found *found, void *context)
{
    static const char *const path[] = {"http.http_content_type"};
    return http_event_headers(event, HTTP_RESPONSE) != NULL
               ? types_of(event, HTTP_RESPONSE, found, context)
               : any_of(event, path, 1, found, context);
}

static bool types(const json_t *event, filter_found *found, void *context)
{
    return request_type(event, found, context) || response_type(event, found, context);
}

/* ---- bodies, as far as they were kept ---- */

static bool body_of(const json_t *event, enum http_side side, filter_found *found, void *context)
{
    struct http_event_body body;
    bool any =
        http_event_body(event, side, &body) && found(text_from(body.bytes, body.length), context);
    free(body.bytes);
    return any;
}

static bool payload(const json_t *event, bool to_server, filter_found *found, void *context)
{
    const struct text coded = event_text(event, "websocket.payload_base64");
    const struct text direction = event_text(event, "direction");
    size_t length;
    if (coded.at == NULL || direction.at == NULL || text_is(direction, "to_server") != to_server)
        return false;
    char *bytes = base64_decode(coded.at, coded.length, &length);
    bool any = bytes != NULL && found(text_from(bytes, length), context);
    free(bytes);
    return any;
}

static bool request_body(const json_t *event, filter_found *found, void *context)
{
    return body_of(event, HTTP_REQUEST, found, context) || payload(event, true, found, context);
}

static bool response_body(const json_t *event, filter_found *found, void *context)
{
    static const char *const data[] = {"intercept.sse.data"};
    return body_of(event, HTTP_RESPONSE, found, context) || payload(event, false, found, context) ||
           any_of(event, data, 1, found, context);
}

static bool bodies(const json_t *event, filter_found *found, void *context)
{
    return request_body(event, found, context) || response_body(event, found, context);
}

/* ---- what is or is not ---- */

static bool is_any(const json_t *event)
{
    (void)event;
    return true;
}

static bool is_http(const json_t *event)
{
    return event_value(event, "http") != NULL;
}

static bool is_websocket(const json_t *event)
{
    const struct text type = event_text(event, "event_type");
    return type.at != NULL && text_is(type, "websocket");
}

static bool has_response(const json_t *event)
{
    return event_value(event, "http.status") != NULL;
}

static bool has_request_alone(const json_t *event)
{
    return is_http(event) && !has_response(event);
}

static bool has_failed(const json_t *event)
{
    static const char *const good[] = {"open", "closed", "shutdown", "cut"};
    const struct text ending = event_text(event, "intercept.ending");
    for (size_t i = 0; ending.at != NULL && i < ARRAY_SIZE(good); i++)
        if (text_is(ending, good[i]))
            return false;
    return ending.at != NULL;
}

const struct filter_field *filter_field_find(const char *name)
{
    static const struct filter_field fields[] = {
        {"", .texts = urls_or_hosts},
        {"d", .texts = hosts},
        {"dst", .texts = destinations},
        {"src", .texts = sources},
        {"dev", .texts = devices},
        {"u", .texts = urls, .later = true},
        {"m", .texts = methods, .later = true},
        {"t", .texts = types, .later = true},
        {"tq", .texts = request_type, .later = true},
        {"ts", .texts = response_type, .later = true},
        {"h", .texts = all_headers, .later = true},
        {"hq", .texts = request_headers, .later = true},
        {"hs", .texts = response_headers, .later = true},
        {"b", .texts = bodies, .dotall = true, .later = true},
        {"bq", .texts = request_body, .dotall = true, .later = true},
        {"bs", .texts = response_body, .dotall = true, .later = true},
        {"s", .holds = has_response, .later = true},
        {"q", .holds = has_request_alone, .later = true},
        {"e", .holds = has_failed, .later = true},
        {"http", .holds = is_http, .later = true},
        {"websocket", .holds = is_websocket, .later = true},
        {"all", .holds = is_any},
    };
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
        if (strcmp(fields[i].name, name) == 0)
            return &fields[i];
    return NULL;
}

bool filter_has_status(const json_t *event, json_int_t status)
{
    const json_t *value = event_value(event, "http.status");
    return json_is_integer(value) && json_integer_value(value) == status;
}
