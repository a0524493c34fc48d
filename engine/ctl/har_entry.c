/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/har_entry.h"

#include "core/base64.h"
#include "ctl/har_cookies.h"
#include "policy/http_event.h"

#include <ctype.h>
#include <inttypes.h>
#include <time.h>

/* A text that need not be UTF-8. */
static json_t *text_value(struct text text)
{
    return text.at != NULL ? json_stringn_nocheck(text.at, text.length) : json_string("");
}

static json_int_t number_of(const json_t *event, const char *path)
{
    return json_integer_value(event_value(event, path));
}

/* ---- times ---- */

/* EVE has no colon in the offset from UTC, and ISO 8601 has to. */
static json_t *start_of(const json_t *event)
{
    struct text start = event_text(event, "intercept.http.start");
    if (start.at == NULL)
        start = event_text(event, "timestamp");
    json_t *time = start.length > 5 ? json_sprintf("%.*s:%s", (int)start.length - 2, start.at,
                                                   start.at + start.length - 2)
                                    : NULL;
    return time != NULL ? time : json_string("1970-01-01T00:00:00Z");
}

static json_int_t at_least(json_int_t number, json_int_t least)
{
    return number > least ? number : least;
}

/* A server may answer before all was sent, and what was not seen took no time. */
static json_t *timings_of(const json_t *event)
{
    const json_int_t sent = number_of(event, "intercept.http.send_ms");
    const json_int_t answered = at_least(number_of(event, "intercept.http.wait_ms"), sent);
    const json_int_t ended = at_least(number_of(event, "intercept.http.total_ms"), answered);
    return json_pack("{s:i, s:i, s:i, s:i, s:I, s:I, s:I}", "blocked", -1, "dns", -1, "connect", -1,
                     "ssl", -1, "send", sent, "wait", answered - sent, "receive", ended - answered);
}

static json_int_t time_of(const json_t *timings)
{
    return number_of(timings, "send") + number_of(timings, "wait") + number_of(timings, "receive");
}

/* ---- the URL ---- */

static bool is_escape(const char *at)
{
    return at[0] == '%' && isxdigit((unsigned char)at[1]) && isxdigit((unsigned char)at[2]);
}

/* RFC 3986: what may not be in a URI is escaped. */
static json_t *uri_of(const char *url)
{
    static const char others[] = "-._~:/?#[]@!$&'()*+,;=";
    char *uri = malloc(3 * strlen(url) + 1);
    size_t length = 0;
    CHECK(uri != NULL);
    for (; *url != '\0'; url++) {
        if (isalnum((unsigned char)*url) || strchr(others, *url) != NULL || is_escape(url))
            uri[length++] = *url;
        else
            length += (size_t)sprintf(uri + length, "%%%02X", (unsigned)(unsigned char)*url);
    }
    json_t *value = json_stringn_nocheck(uri, length);
    free(uri);
    return value;
}

/* As it was written, nothing decoded. */
static json_t *query_of(const char *url)
{
    json_t *query = json_array();
    const char *at = strchr(url, '?');
    const char *end = at != NULL ? at + strcspn(at, "#") : url;
    for (at = at != NULL ? at + 1 : end; at < end; at++) {
        const size_t length = strcspn(at, "&#"), name = strcspn(at, "=&#");
        const size_t value = name < length ? name + 1 : length;
        if (length > 0)
            json_array_append_new(query, json_pack("{s:s%, s:s%}", "name", at, name, "value",
                                                   at + value, length - value));
        at += length;
    }
    return query;
}

/* ---- headers and bodies ---- */

static json_t *headers_of(const json_t *event, enum http_side side)
{
    json_t *headers = json_array();
    const json_t *all = http_event_headers(event, side), *header;
    size_t index;
    json_array_foreach(all, index, header)
    {
        json_array_append_new(headers, json_pack("{s:o, s:o}", "name",
                                                 text_value(event_text(header, "name")), "value",
                                                 text_value(event_text(header, "value"))));
    }
    return headers;
}

/* As text, where it is one; else in base64, as the event has it, which `encoding_key` then says. */
static void add_body(json_t *object, const char *encoding_key, struct text coded,
                     const struct http_event_body *body)
{
    json_t *text = json_stringn(body->bytes, body->length);
    if (text == NULL) {
        text = text_value(coded);
        json_object_set_new(object, encoding_key, json_string("base64"));
    }
    json_object_set_new(object, "text", text);
    if (body->cut)
        json_object_set_new(object, "comment",
                            json_sprintf("only its first %zu bytes were recorded", body->length));
    else if (body->encoded)
        json_object_set_new(object, "comment", json_string("its Content-Encoding is not undone"));
}

static json_t *post_data_of(const json_t *event)
{
    struct http_event_body body;
    if (!http_event_body(event, HTTP_REQUEST, &body))
        return NULL;
    json_t *data = json_pack("{s:o}", "mimeType",
                             text_value(http_event_header(event, HTTP_REQUEST, "content-type")));
    add_body(data, "_encoding", http_event_coded_body(event, HTTP_REQUEST), &body);
    free(body.bytes);
    return data;
}

/* The size is that of the body as it was meant, and `compression` what Content-Encoding has saved:
 * known only where all of it was recorded. */
static json_t *content_of(const json_t *event)
{
    const json_int_t length = number_of(event, "http.length");
    struct http_event_body body;
    json_t *content =
        json_pack("{s:I, s:o}", "size", length, "mimeType",
                  text_value(http_event_header(event, HTTP_RESPONSE, "content-type")));
    if (!http_event_body(event, HTTP_RESPONSE, &body))
        return content;
    add_body(content, "encoding", http_event_coded_body(event, HTTP_RESPONSE), &body);
    if (!body.cut && !body.encoded) {
        json_object_set_new(content, "size", json_integer((json_int_t)body.length));
        json_object_set_new(content, "compression", json_integer((json_int_t)body.length - length));
    }
    free(body.bytes);
    return content;
}

/* ---- the entry ---- */

static json_t *request_of(const json_t *event, const char *url)
{
    json_t *request = json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:i, s:I}", "method",
        text_value(event_text(event, "http.http_method")), "url", uri_of(url), "httpVersion",
        text_value(event_text(event, "http.protocol")), "cookies", har_cookies_sent(event),
        "headers", headers_of(event, HTTP_REQUEST), "queryString", query_of(url), "headersSize", -1,
        "bodySize", number_of(event, "intercept.http.request_length"));
    json_t *data = post_data_of(event);
    if (data != NULL)
        json_object_set_new(request, "postData", data);
    return request;
}

/* Where there was none its status is 0, as browsers have it. */
static json_t *response_of(const json_t *event)
{
    const bool is_there = event_value(event, "http.status") != NULL;
    return json_pack("{s:I, s:s, s:o, s:o, s:o, s:o, s:o, s:i, s:I}", "status",
                     number_of(event, "http.status"), "statusText", "", "httpVersion",
                     text_value(event_text(event, "http.protocol")), "cookies",
                     har_cookies_set(event), "headers", headers_of(event, HTTP_RESPONSE), "content",
                     content_of(event), "redirectURL",
                     text_value(http_event_header(event, HTTP_RESPONSE, "location")), "headersSize",
                     -1, "bodySize", is_there ? number_of(event, "http.length") : (json_int_t)-1);
}

static void add_whose(json_t *entry, const json_t *event, int64_t id)
{
    const json_t *flow_id = event_value(event, "flow_id");
    const struct text address = event_text(event, "dest_ip");
    const json_t *device = event_value(event, "intercept.device");
    if (address.at != NULL)
        json_object_set_new(entry, "serverIPAddress", text_value(address));
    if (json_is_integer(flow_id))
        json_object_set_new(entry, "connection",
                            json_sprintf("%" JSON_INTEGER_FORMAT, json_integer_value(flow_id)));
    json_object_set_new(entry, "_id", json_integer(id));
    if (device != NULL)
        json_object_set_new(entry, "_device", json_deep_copy(device));
}

json_t *har_entry_new(const json_t *event, int64_t id)
{
    char *url = http_event_url(event);
    if (url == NULL)
        return NULL;
    json_t *timings = timings_of(event);
    json_t *entry = json_pack("{s:o, s:I, s:o, s:o, s:{}, s:o}", "startedDateTime", start_of(event),
                              "time", time_of(timings), "request", request_of(event, url),
                              "response", response_of(event), "cache", "timings", timings);
    CHECK(entry != NULL);
    free(url);
    add_whose(entry, event, id);
    if (har_entry_is_websocket(event))
        json_object_set_new(entry, "_resourceType", json_string("websocket"));
    return entry;
}

/* ---- WebSocket ---- */

bool har_entry_is_websocket(const json_t *event)
{
    const struct text protocol = http_event_header(event, HTTP_RESPONSE, "upgrade");
    return number_of(event, "http.status") == 101 && protocol.at != NULL &&
           text_is_nocase(protocol, "websocket");
}

static int opcode_of(const json_t *event)
{
    static const struct {
        const char *name;
        int code;
    } opcodes[] = {{"continuation", 0}, {"text", 1}, {"binary", 2},
                   {"close", 8},        {"ping", 9}, {"pong", 10}};
    const struct text name = event_text(event, "websocket.opcode");
    for (size_t i = 0; name.at != NULL && i < ARRAY_SIZE(opcodes); i++)
        if (text_is(name, opcodes[i].name))
            return opcodes[i].code;
    return -1;
}

/* Seconds since 1970. */
static double moment_of(const json_t *event)
{
    struct tm parts = {0};
    const struct text time = event_text(event, "timestamp");
    const char *rest = time.at != NULL ? strptime(time.at, "%Y-%m-%dT%H:%M:%S", &parts) : NULL;
    return rest != NULL ? (double)timegm(&parts) + strtod(rest, NULL) : 0;
}

/* What is text is told as text, all else in base64. */
json_t *har_entry_message(const json_t *event)
{
    const struct text coded = event_text(event, "websocket.payload_base64");
    const struct text direction = event_text(event, "direction");
    const bool is_sent = direction.at != NULL && text_is(direction, "to_server");
    const int opcode = opcode_of(event);
    size_t length = 0;
    char *bytes = coded.at != NULL ? base64_decode(coded.at, coded.length, &length) : NULL;
    json_t *data = opcode == 1 && bytes != NULL ? json_stringn(bytes, length) : NULL;
    free(bytes);
    return json_pack("{s:s, s:f, s:i, s:o}", "type", is_sent ? "send" : "receive", "time",
                     moment_of(event), "opcode", opcode, "data",
                     data != NULL ? data : text_value(coded));
}
