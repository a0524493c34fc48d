/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/exchange.h"

#include "tap/decode.h"
#include "tap/dns_packet.h"
#include "tap/doh.h"
#include "tap/field.h"
#include "tap/redact.h"

/* Most headers of a request fit in that; and it is small enough for what the C library keeps at
 * hand for a thread (1,032 bytes). */
#define FIRST_TEXT 1000

struct exchange *exchange_new(struct tap *tap, const char *protocol, unsigned version)
{
    struct exchange *exchange = tap_alloc(tap, sizeof(*exchange));
    if (exchange == NULL)
        return NULL;
    exchange->tap = tap;
    exchange->protocol = protocol;
    exchange->version = version;
    exchange->number = tap_number(tap);
    exchange->request.headers = exchange->request.few;
    exchange->response.headers = exchange->response.few;
    return exchange;
}

static void free_part(struct tap *tap, struct exchange_part *part)
{
    if (part->headers != part->few)
        tap_free(tap, part->headers);
    tap_free(tap, part->text);
    tap_free(tap, part->body);
    tap_free(tap, part->sse);
}

void exchange_free(struct exchange *exchange)
{
    if (exchange == NULL)
        return;
    free_part(exchange->tap, &exchange->request);
    free_part(exchange->tap, &exchange->response);
    tap_free(exchange->tap, exchange);
}

void exchange_start(struct exchange *exchange, struct exchange_part *part)
{
    part->start = exchange->tap->now;
}

/* ---- a message's text ---- */

/* Doubles, up to the limit. False if there is no more to be had. */
static bool make_room(struct exchange *exchange, struct exchange_part *part, size_t length)
{
    size_t size = part->text_size > 0 ? part->text_size : FIRST_TEXT;
    while (size < EXCHANGE_TEXT && size - part->text_length < length)
        size = 2 * size < EXCHANGE_TEXT ? 2 * size : EXCHANGE_TEXT;
    if (size - part->text_length < length)
        return false;
    char *text = tap_realloc(exchange->tap, part->text, size);
    if (text == NULL)
        return false;
    part->text = text;
    part->text_size = (uint16_t)size;
    return true;
}

/* Adds to the span that ends where the text ends. */
static bool add(struct exchange *exchange, struct exchange_part *part, struct exchange_span *span,
                const char *bytes, size_t length)
{
    bool has_room = part->text != NULL && length <= (size_t)part->text_size - part->text_length;
    if (!has_room && !make_room(exchange, part, length))
        return false;
    if (length > 0)
        memcpy(part->text + part->text_length, bytes, length);
    part->text_length = (uint16_t)(part->text_length + length);
    span->length = (uint16_t)(span->length + length);
    return true;
}

static struct text text_at(const struct exchange_part *part, struct exchange_span span)
{
    return part->text != NULL ? text_from(part->text + span.at, span.length) : (struct text){0};
}

/* The URL is the last thing in the text. */
static void redact_span(struct exchange *exchange, struct exchange_part *part,
                        struct exchange_span *span)
{
    char redacted[EXCHANGE_URL];
    if (exchange->tap->options.keep_credentials || span->length == 0 ||
        !redact_finds(text_at(part, *span)))
        return;
    if (span->length > sizeof(redacted))
        part->headers_cut = true;
    size_t length = redact_url(text_at(part, *span), redacted, sizeof(redacted));
    part->text_length = span->at;
    span->length = 0;
    if (!add(exchange, part, span, redacted, length))
        part->headers_cut = true;
}

void exchange_url(struct exchange *exchange, const char *bytes, size_t length)
{
    size_t room = (size_t)EXCHANGE_URL - exchange->url.length;
    size_t count = length < room ? length : room;
    if (!add(exchange, &exchange->request, &exchange->url, bytes, count) || count < length)
        exchange->request.headers_cut = true;
}

void exchange_url_end(struct exchange *exchange)
{
    redact_span(exchange, &exchange->request, &exchange->url);
}

/* ---- headers ---- */

/* The one that is read, behind those that are whole; NULL if it is not kept. */
static struct exchange_header *current(struct exchange_part *part)
{
    return part->dropping ? NULL : &part->headers[part->header_count];
}

static void drop(struct exchange_part *part)
{
    part->text_length = part->headers[part->header_count].name.at;
    part->dropping = part->headers_cut = true;
}

_Static_assert(EXCHANGE_FEW < EXCHANGE_HEADERS && EXCHANGE_HEADERS <= UINT8_MAX,
               "there are few, many, and no more than a byte can count");

/* False if there is none for one header more. */
static bool has_header_room(struct exchange *exchange, struct exchange_part *part)
{
    size_t limit = part->headers == part->few ? EXCHANGE_FEW : EXCHANGE_HEADERS;
    if (part->header_count < limit || limit == EXCHANGE_HEADERS)
        return part->header_count < limit;
    struct exchange_header *headers = tap_alloc(exchange->tap, EXCHANGE_HEADERS * sizeof(*headers));
    if (headers == NULL)
        return false;
    memcpy(headers, part->few, sizeof(part->few));
    part->headers = headers;
    return true;
}

static void begin_header(struct exchange *exchange, struct exchange_part *part)
{
    part->in_header = true;
    part->in_value = part->redacting = false;
    part->dropping = !has_header_room(exchange, part);
    if (part->dropping)
        part->headers_cut = true;
    else
        part->headers[part->header_count] = (struct exchange_header){.name.at = part->text_length};
}

void exchange_name(struct exchange *exchange, struct exchange_part *part, const char *bytes,
                   size_t length)
{
    if (!part->in_header)
        begin_header(exchange, part);
    struct exchange_header *header = current(part);
    if (header != NULL && !add(exchange, part, &header->name, bytes, length))
        drop(part);
}

static void begin_value(struct exchange *exchange, struct exchange_part *part)
{
    struct exchange_header *header = current(part);
    part->in_value = true;
    if (header == NULL)
        return;
    header->value.at = part->text_length;
    part->field = (uint8_t)field_of(text_at(part, header->name));
    part->redacting =
        !exchange->tap->options.keep_credentials && part->field == HTTP_FIELD_CREDENTIAL;
    if (part->redacting && !add(exchange, part, &header->value, REDACTED, strlen(REDACTED)))
        drop(part);
}

void exchange_value(struct exchange *exchange, struct exchange_part *part, const char *bytes,
                    size_t length)
{
    if (!part->in_value)
        begin_value(exchange, part);
    struct exchange_header *header = current(part);
    if (header != NULL && !part->redacting && !add(exchange, part, &header->value, bytes, length))
        drop(part);
}

void exchange_value_end(struct exchange *exchange, struct exchange_part *part)
{
    exchange_value(exchange, part, "", 0);
    part->in_header = part->in_value = false;
    struct exchange_header *header = current(part);
    if (header == NULL)
        return;
    if (field_is_url((enum http_field)part->field))
        redact_span(exchange, part, &header->value);
    part->header_count++;
    part->fields[part->field] = part->header_count;
}

void exchange_header(struct exchange *exchange, struct exchange_part *part, struct text name,
                     struct text value)
{
    exchange_name(exchange, part, name.at, name.length);
    exchange_value(exchange, part, value.at, value.length);
    exchange_value_end(exchange, part);
}

struct text exchange_find(const struct exchange_part *part, enum http_field field)
{
    size_t number = part->fields[field];
    return number > 0 ? text_at(part, part->headers[number - 1].value) : (struct text){0};
}

void exchange_forget(struct exchange_part *part)
{
    part->text_length = 0;
    part->header_count = 0;
    memset(part->fields, 0, sizeof(part->fields));
    part->in_header = part->headers_cut = false;
}

/* ---- bodies ---- */

void exchange_headers_end(struct exchange *exchange, struct exchange_part *part)
{
    struct text type = exchange_find(part, HTTP_FIELD_CONTENT_TYPE);
    struct text encoding = exchange_find(part, HTTP_FIELD_CONTENT_ENCODING);
    part->headers_ended = true;
    part->is_grpc = type.at != NULL && grpc_is(type);
    part->is_dns = type.at != NULL && doh_is(type);
    if (part == &exchange->response && type.at != NULL && encoding.at == NULL &&
        part->sse == NULL && text_starts_nocase(type, "text/event-stream"))
        part->sse = sse_new(exchange->tap, exchange->protocol, exchange->stream);
}

/* So much of a body is kept, though it may not all be told. */
static size_t body_limit(const struct exchange *exchange, const struct exchange_part *part)
{
    size_t limit = exchange->tap->options.bodies;
    return part->is_dns && limit < DNS_MESSAGE_LIMIT ? DNS_MESSAGE_LIMIT : limit;
}

static void keep_body(struct exchange *exchange, struct exchange_part *part, const uint8_t *bytes,
                      size_t length)
{
    size_t limit = body_limit(exchange, part);
    size_t count = limit - part->body_length < length ? limit - part->body_length : length;
    if (count > 0 && part->body == NULL)
        part->body = tap_alloc(exchange->tap, limit);
    if (count == 0 || part->body == NULL)
        return;
    memcpy(part->body + part->body_length, bytes, count);
    part->body_length += (uint32_t)count;
}

void exchange_body(struct exchange *exchange, struct exchange_part *part, const uint8_t *bytes,
                   size_t length)
{
    part->length += length;
    if (part->is_grpc)
        grpc_read(&part->grpc, bytes, length);
    if (part->sse != NULL)
        sse_read(part->sse, bytes, length);
    else
        keep_body(exchange, part, bytes, length);
}

void exchange_end(struct exchange *exchange, struct exchange_part *part)
{
    part->ended = true;
    part->end = exchange->tap->now;
}

bool exchange_is_whole(const struct exchange *exchange)
{
    return exchange->request.ended && exchange->response.ended;
}

/* ---- telling ---- */

/* `decoded` is as large as a body that is kept may be; NULL: there is no memory for it. */
static struct http_body body_of(const struct exchange_part *part, uint8_t *decoded, size_t size)
{
    struct http_body body = {.text = text_from(part->body, part->body_length),
                             .cut = part->body_length < part->length};
    struct text encoding = exchange_find(part, HTTP_FIELD_CONTENT_ENCODING);
    size_t length;
    if (part->body == NULL)
        return (struct http_body){.cut = part->length > 0};
    if (encoding.at == NULL || text_is_nocase(encoding, "identity"))
        return body;
    enum decode_result result = DECODE_FAILED;
    if (decoded != NULL)
        result = decode_body(encoding, part->body, part->body_length, decoded, size, &length);
    if (result == DECODE_FAILED) {
        body.encoded = true;
        return body;
    }
    body.text = text_from(decoded, length);
    body.cut = body.cut || result == DECODE_CUT;
    return body;
}

static uint8_t *room_for_decoding(struct exchange *exchange, const struct exchange_part *part)
{
    if (part->body == NULL || exchange_find(part, HTTP_FIELD_CONTENT_ENCODING).at == NULL)
        return NULL;
    return tap_alloc(exchange->tap, body_limit(exchange, part));
}

static struct http_message message_of(const struct exchange_part *part, struct http_header *headers)
{
    for (size_t i = 0; i < part->header_count; i++)
        headers[i] = (struct http_header){.name = text_at(part, part->headers[i].name),
                                          .value = text_at(part, part->headers[i].value)};
    struct http_message message = {
        .headers = headers,
        .header_count = part->header_count,
        .headers_cut = part->headers_cut,
        .ended = part->ended,
        .length = part->length,
        .start = part->start,
        .end = part->end,
        .grpc_messages = part->grpc.messages,
    };
    memcpy(message.fields, part->fields, sizeof(message.fields));
    return message;
}

/* RFC 9110, section 7.2: a name or an address, and perhaps a port. */
static void split_host(struct text host, struct http_exchange *told)
{
    const char *colon = host.length > 0 ? memrchr(host.at, ':', host.length) : NULL;
    const char *bracket = host.length > 0 ? memrchr(host.at, ']', host.length) : NULL;
    told->host = host;
    if (colon == NULL || (bracket != NULL && bracket > colon))
        return;
    unsigned port = 0;
    for (const char *at = colon + 1; at < host.at + host.length; at++) {
        if (*at < '0' || *at > '9' || port > 6553)
            return;
        port = port * 10 + (unsigned)(*at - '0');
    }
    told->host.length = (size_t)(colon - host.at);
    told->port = port;
}

/* Without what is kept for the sake of DNS alone. */
static struct http_body as_wanted(const struct exchange *exchange, struct http_body body)
{
    size_t limit = exchange->tap->options.bodies;
    if (body.text.at == NULL || body.text.length <= limit)
        return body;
    if (limit == 0)
        return (struct http_body){.cut = true};
    body.text.length = limit;
    body.cut = true;
    return body;
}

static void tell_dns(struct exchange *exchange, const struct http_exchange *http,
                     const struct http_body *query, const struct http_body *answer)
{
    struct text accepted = exchange_find(&exchange->request, HTTP_FIELD_ACCEPT);
    bool is_get = text_is(http->method, "GET") &&
                  (exchange->response.is_dns || (accepted.at != NULL && doh_is(accepted)));
    const struct doh doh = {
        .tap = exchange->tap,
        .version = exchange->version,
        .number = exchange->number,
        .stream = exchange->stream,
        .url = is_get ? http->url : (struct text){0},
        .query = exchange->request.is_dns && !query->encoded ? query->text : (struct text){0},
        .query_length = query->cut ? http->request.length : query->text.length,
        .answer = exchange->response.is_dns && !answer->encoded ? answer->text : (struct text){0},
        .answer_length = answer->cut ? http->response.length : answer->text.length,
        .has_wait = http->request.start != 0 && http->response.start >= http->request.start,
        .wait = http->response.start - http->request.start,
    };
    if (is_get || exchange->request.is_dns || exchange->response.is_dns)
        doh_tell(&doh);
}

static int grpc_status_of(const struct exchange *exchange)
{
    struct text status = exchange_find(&exchange->response, HTTP_FIELD_GRPC_STATUS);
    if (status.length == 0 || status.length > 3)
        return -1;
    int number = 0;
    for (size_t i = 0; i < status.length; i++) {
        if (status.at[i] < '0' || status.at[i] > '9')
            return -1;
        number = number * 10 + status.at[i] - '0';
    }
    return number;
}

static struct http_exchange start_line_of(const struct exchange *exchange)
{
    static const char *const protocols[] = {"HTTP/1.0", "HTTP/1.1", "HTTP/2"};
    const struct exchange_part *request = &exchange->request;
    bool is_2 = exchange->version == 20;
    struct http_exchange told = {
        .version = exchange->version,
        .stream = exchange->stream,
        .status = exchange->status,
        .protocol = text_from(protocols[exchange->version - (is_2 ? 18 : 10)], is_2 ? 6 : 8),
    };
    if (is_2) {
        told.method = exchange_find(request, HTTP_FIELD_METHOD);
        told.url = exchange_find(request, HTTP_FIELD_PATH);
    } else if (exchange->method != NULL) {
        told.method = text_from(exchange->method, strlen(exchange->method));
        told.url = text_at(request, exchange->url);
    }
    struct text authority = exchange_find(request, HTTP_FIELD_AUTHORITY);
    split_host(authority.at != NULL ? authority : exchange_find(request, HTTP_FIELD_HOST), &told);
    return told;
}

static void tell_http(struct exchange *exchange, struct http_exchange *told)
{
    const struct exchange_part *request = &exchange->request, *response = &exchange->response;
    char grpc[GRPC_MESSAGE];
    told->pushed = exchange->pushed;
    told->is_reset = exchange->is_reset;
    told->reset_code = exchange->reset_code;
    told->reset_by_server = exchange->reset_by_server;
    told->is_grpc = request->is_grpc || response->is_grpc;
    told->grpc_status = grpc_status_of(exchange);
    told->grpc_message = grpc_message(exchange_find(response, HTTP_FIELD_GRPC_MESSAGE), grpc);
    const struct message message = {.kind = MESSAGE_HTTP,
                                    .protocol = exchange->protocol,
                                    .number = exchange->number,
                                    .http = told};
    tap_tell(exchange->tap, &message);
}

void exchange_tell(struct exchange *exchange)
{
    struct http_header request_headers[EXCHANGE_HEADERS], response_headers[EXCHANGE_HEADERS];
    const struct exchange_part *request = &exchange->request, *response = &exchange->response;
    uint8_t *request_room = room_for_decoding(exchange, request);
    uint8_t *response_room = room_for_decoding(exchange, response);
    const struct http_body sent = body_of(request, request_room, body_limit(exchange, request));
    const struct http_body got = body_of(response, response_room, body_limit(exchange, response));
    struct http_exchange told = start_line_of(exchange);
    told.request = message_of(request, request_headers);
    told.request.body = as_wanted(exchange, sent);
    told.response = message_of(response, response_headers);
    told.response.body = as_wanted(exchange, got);
    tell_http(exchange, &told);
    tell_dns(exchange, &told, &sent, &got);
    tap_free(exchange->tap, request_room);
    tap_free(exchange->tap, response_room);
}
