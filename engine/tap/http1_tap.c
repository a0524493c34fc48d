/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/http1_tap.h"

#include "tap/exchange.h"
#include "tap/websocket_tap.h"

#include <llhttp.h>

struct reader {
    struct tap *tap;
    llhttp_t requests, responses;
    struct exchange *oldest, *newest; /* those that are not told yet, in the order of requests */
    struct exchange *asking;          /* the one whose request goes on */
    unsigned waiting;
    bool tunnel_asked; /* CONNECT was sent, and not answered yet */
    bool upgraded;     /* the server has agreed to another protocol */
};

/* What a callback of llhttp's returns. */
enum { GO_ON = 0, STOP = -1 };
enum { BODY_AS_FRAMED = 0, NO_BODY = 1, NO_MORE_HTTP = 2 };

/* ---- exchanges ---- */

static struct exchange *append(struct reader *reader)
{
    if (reader->waiting == HTTP1_WAITING) {
        tap_fail(reader->tap, "more than %d requests wait for a response", HTTP1_WAITING);
        return NULL;
    }
    struct exchange *exchange = exchange_new(reader->tap, "http", 11);
    if (exchange == NULL) {
        tap_fail(reader->tap, "no memory is left for this connection");
        return NULL;
    }
    if (reader->newest != NULL)
        reader->newest->next = exchange;
    else
        reader->oldest = exchange;
    reader->newest = exchange;
    reader->waiting++;
    return exchange;
}

/* One that is not even a request line is none. */
static void tell_oldest(struct reader *reader)
{
    struct exchange *exchange = reader->oldest;
    reader->oldest = exchange->next;
    if (reader->oldest == NULL)
        reader->newest = NULL;
    reader->waiting--;
    if (exchange->method != NULL || exchange->status != 0)
        exchange_tell(exchange);
    exchange_free(exchange);
}

/* The one that a response is for: the oldest, unless that has had one, and its request goes on. */
static struct exchange *answered(const struct reader *reader)
{
    return reader->oldest != NULL && !reader->oldest->response.ended ? reader->oldest : NULL;
}

static bool is_request(const llhttp_t *parser)
{
    return parser->type == HTTP_REQUEST;
}

static struct exchange *exchange_of(const llhttp_t *parser)
{
    const struct reader *reader = parser->data;
    return is_request(parser) ? reader->asking : reader->oldest;
}

static struct exchange_part *part_of(const llhttp_t *parser)
{
    struct exchange *exchange = exchange_of(parser);
    return is_request(parser) ? &exchange->request : &exchange->response;
}

/* ---- what llhttp finds ---- */

static int see_start(llhttp_t *parser)
{
    struct reader *reader = parser->data;
    bool is_unasked = !is_request(parser) && answered(reader) == NULL;
    if (is_unasked && reader->oldest != NULL) {
        tap_fail(reader->tap, "a second response to one request");
        return STOP;
    }
    if ((is_request(parser) || is_unasked) && append(reader) == NULL)
        return STOP;
    if (is_request(parser))
        reader->asking = reader->newest;
    exchange_start(exchange_of(parser), part_of(parser));
    return GO_ON;
}

static int see_url(llhttp_t *parser, const char *bytes, size_t length)
{
    exchange_url(exchange_of(parser), bytes, length);
    return GO_ON;
}

static int see_url_end(llhttp_t *parser)
{
    exchange_url_end(exchange_of(parser));
    return GO_ON;
}

static int see_name(llhttp_t *parser, const char *bytes, size_t length)
{
    exchange_name(exchange_of(parser), part_of(parser), bytes, length);
    return GO_ON;
}

static int see_value(llhttp_t *parser, const char *bytes, size_t length)
{
    exchange_value(exchange_of(parser), part_of(parser), bytes, length);
    return GO_ON;
}

static int see_value_end(llhttp_t *parser)
{
    exchange_value_end(exchange_of(parser), part_of(parser));
    return GO_ON;
}

static int see_request_headers(struct reader *reader, struct exchange *exchange)
{
    const llhttp_t *parser = &reader->requests;
    exchange->method = llhttp_method_name((llhttp_method_t)parser->method);
    exchange->version = parser->http_major == 1 && parser->http_minor == 0 ? 10 : 11;
    exchange_headers_end(exchange, &exchange->request);
    reader->tunnel_asked = parser->method == HTTP_CONNECT;
    return BODY_AS_FRAMED;
}

static bool is_method(const struct exchange *exchange, const char *method)
{
    return exchange->method != NULL && strcmp(exchange->method, method) == 0;
}

static int see_response_headers(struct reader *reader, struct exchange *exchange)
{
    unsigned status = reader->responses.status_code;
    if (status < 200 && status != HTTP_STATUS_SWITCHING_PROTOCOLS) {
        exchange_forget(&exchange->response);
        return NO_BODY;
    }
    exchange->status = status;
    exchange_headers_end(exchange, &exchange->response);
    if (is_method(exchange, "CONNECT"))
        reader->tunnel_asked = false;
    reader->upgraded = status == HTTP_STATUS_SWITCHING_PROTOCOLS ||
                       (is_method(exchange, "CONNECT") && status < 300);
    if (reader->upgraded)
        return NO_MORE_HTTP;
    /* RFC 9112, section 6.3; llhttp believes a length in spite of the status. */
    bool has_none = is_method(exchange, "HEAD") || status == HTTP_STATUS_NO_CONTENT ||
                    status == HTTP_STATUS_NOT_MODIFIED;
    return has_none ? NO_BODY : BODY_AS_FRAMED;
}

static int see_headers(llhttp_t *parser)
{
    struct reader *reader = parser->data;
    return is_request(parser) ? see_request_headers(reader, reader->asking)
                              : see_response_headers(reader, reader->oldest);
}

static int see_body(llhttp_t *parser, const char *bytes, size_t length)
{
    exchange_body(exchange_of(parser), part_of(parser), (const uint8_t *)bytes, length);
    return GO_ON;
}

static int see_end(llhttp_t *parser)
{
    struct reader *reader = parser->data;
    struct exchange *exchange = exchange_of(parser);
    if (!is_request(parser) && exchange->status == 0)
        return GO_ON; /* an interim response */
    exchange_end(exchange, part_of(parser));
    if (is_request(parser))
        reader->asking = NULL;
    else if (exchange->method == NULL && exchange != reader->asking)
        exchange_end(exchange, &exchange->request); /* there was none */
    if (exchange_is_whole(exchange) && !reader->upgraded)
        tell_oldest(reader);
    return GO_ON;
}

static llhttp_settings_t settings = {
    .on_message_begin = see_start,
    .on_url = see_url,
    .on_url_complete = see_url_end,
    .on_header_field = see_name,
    .on_header_value = see_value,
    .on_header_value_complete = see_value_end,
    .on_headers_complete = see_headers,
    .on_body = see_body,
    .on_message_complete = see_end,
};

/* ---- the reader ---- */

static bool start(void *state, struct tap *tap)
{
    struct reader *reader = state;
    reader->tap = tap;
    llhttp_init(&reader->requests, HTTP_REQUEST, &settings);
    llhttp_init(&reader->responses, HTTP_RESPONSE, &settings);
    reader->requests.data = reader->responses.data = reader;
    return true;
}

/* The server speaks another protocol from here on. */
static bool switch_protocol(struct reader *reader, size_t rest)
{
    const struct exchange_part *response = &reader->oldest->response;
    if (text_is_nocase(exchange_find(response, HTTP_FIELD_UPGRADE), "websocket"))
        websocket_tap_begin(reader->tap, exchange_find(response, HTTP_FIELD_WEBSOCKET_EXTENSIONS),
                            rest);
    return false;
}

/* llhttp stops where a request would have it stop speaking HTTP; but that is the server's choice.
 * After CONNECT nothing is HTTP any more, whoever agrees. */
static bool read_requests(struct reader *reader, const char *bytes, size_t length)
{
    llhttp_t *parser = &reader->requests;
    while (length > 0) {
        if (reader->tunnel_asked)
            return false;
        llhttp_errno_t error = llhttp_execute(parser, bytes, length);
        if (error == HPE_OK)
            return true;
        if (error != HPE_PAUSED_UPGRADE)
            return reader->tap->reason[0] == '\0'
                       ? tap_fail(reader->tap, "a request: %s", llhttp_get_error_reason(parser))
                       : false;
        const char *stopped = llhttp_get_error_pos(parser);
        length -= (size_t)(stopped - bytes);
        bytes = stopped;
        llhttp_resume_after_upgrade(parser);
    }
    return true;
}

static bool read_responses(struct reader *reader, const char *bytes, size_t length)
{
    llhttp_t *parser = &reader->responses;
    llhttp_errno_t error = llhttp_execute(parser, bytes, length);
    if (error == HPE_OK)
        return true;
    if (error == HPE_PAUSED_UPGRADE && reader->upgraded)
        return switch_protocol(reader, length - (size_t)(llhttp_get_error_pos(parser) - bytes));
    if (reader->tap->reason[0] == '\0')
        tap_fail(reader->tap, "a response: %s", llhttp_get_error_reason(parser));
    return false;
}

static bool read_bytes(void *state, bool to_server, const uint8_t *bytes, size_t length)
{
    struct reader *reader = state;
    return to_server ? read_requests(reader, (const char *)bytes, length)
                     : read_responses(reader, (const char *)bytes, length);
}

/* The end of its stream ends a response whose length nobody has told. */
static void end(void *state, bool to_server)
{
    struct reader *reader = state;
    (void)llhttp_finish(to_server ? &reader->requests : &reader->responses);
}

static void fini(void *state)
{
    struct reader *reader = state;
    while (reader->oldest != NULL)
        tell_oldest(reader);
}

const struct tap_kind http1_tap = {.name = "http",
                                   .size = sizeof(struct reader),
                                   .start = start,
                                   .read = read_bytes,
                                   .end = end,
                                   .fini = fini};
