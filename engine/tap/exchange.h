/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * exchange.h - an HTTP request and its response, put together as they are read, and told.
 *
 * For HTTP/1 and HTTP/2 alike. What is a credential is not even kept, unless it is to be
 * (tap_options). A body's start is kept where that was asked for; a body of server-sent events is
 * told event by event, gRPC's messages are counted, and DNS messages (RFC 8484) are told besides.
 *
 * Memory: the structure of 0.7 KiB; for the request and for the response each up to EXCHANGE_TEXT
 * of headers and 0.5 KiB to find them by, as much of the body as is wanted (of a DNS message
 * DNS_MESSAGE_LIMIT at least), and for server-sent events as much again. Headers beyond that, or
 * for which the connection has no memory left, are left out: `headers_cut`. */
#ifndef TAP_EXCHANGE_H
#define TAP_EXCHANGE_H

#include "tap/grpc.h"
#include "tap/sse.h"
#include "tap/tap.h"

/* Of a message. */
#define EXCHANGE_HEADERS 64
#define EXCHANGE_FEW 20 /* most messages have no more */
#define EXCHANGE_TEXT 16384
/* A longer target of a request is cut. */
#define EXCHANGE_URL 8192

/* Where a piece of text stands in a message's. */
struct exchange_span {
    uint16_t at, length;
};

struct exchange_header {
    struct exchange_span name, value;
};

struct exchange_part {
    char *text; /* names and values, one behind the other; grows */
    uint16_t text_length, text_size;
    uint8_t header_count;
    bool in_header, in_value; /* a header is read, which is not one yet; its value is */
    uint8_t field;            /* enum http_field: what its name stands for */
    bool dropping;            /* the header that is read is not kept; */
    bool redacting;           /* its value is not */
    bool headers_cut;
    bool headers_ended;
    bool is_grpc;
    bool is_dns;
    bool ended;
    uint64_t length, start, end;
    uint8_t *body;
    uint32_t body_length;
    struct sse *sse;
    struct grpc grpc;
    uint8_t fields[HTTP_FIELDS];     /* as in struct http_message */
    struct exchange_header *headers; /* the few, until there are more */
    struct exchange_header few[EXCHANGE_FEW];
};

struct exchange {
    struct tap *tap;
    struct exchange *next; /* for whoever has it */
    const char *protocol;  /* "http", "http2" */
    uint64_t number;
    unsigned version;
    uint32_t stream;
    const char *method;       /* HTTP/1's: a string that lives forever; in HTTP/2 a header */
    struct exchange_span url; /* likewise, in the request's text */
    unsigned status;
    bool pushed, is_reset, reset_by_server;
    uint32_t reset_code;
    struct exchange_part request, response;
};

/* NULL if there is no memory; `protocol` lives forever. */
struct exchange *exchange_new(struct tap *tap, const char *protocol, unsigned version) must_check;
void exchange_free(struct exchange *exchange);

/* The message begins now. */
void exchange_start(struct exchange *exchange, struct exchange_part *part);

/* Of a request's target, in pieces; whole, before the first header. */
void exchange_url(struct exchange *exchange, const char *bytes, size_t length);
void exchange_url_end(struct exchange *exchange);

/* A header: as a whole, or in pieces, name first. It is one when its value has ended. */
void exchange_header(struct exchange *exchange, struct exchange_part *part, struct text name,
                     struct text value);
void exchange_name(struct exchange *exchange, struct exchange_part *part, const char *bytes,
                   size_t length);
void exchange_value(struct exchange *exchange, struct exchange_part *part, const char *bytes,
                    size_t length);
void exchange_value_end(struct exchange *exchange, struct exchange_part *part);

/* The value of the last header of this kind, if it is kept. */
struct text exchange_find(const struct exchange_part *part, enum http_field field);

/* What was kept of the headers is forgotten: they were those of an interim response. */
void exchange_forget(struct exchange_part *part);

/* The headers are whole; a body may follow. */
void exchange_headers_end(struct exchange *exchange, struct exchange_part *part);
void exchange_body(struct exchange *exchange, struct exchange_part *part, const uint8_t *bytes,
                   size_t length);

/* The message has ended as it should. */
void exchange_end(struct exchange *exchange, struct exchange_part *part);

/* True if both messages have ended. */
bool exchange_is_whole(const struct exchange *exchange);

/* Tells it as it is, whole or not. */
void exchange_tell(struct exchange *exchange);

#endif
