/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * message.h - what is told of the protocols that are spoken inside a connection.
 *
 * Taps fill these (tap/tap.h), events are made of them (event/eve_message.c). Plain values: all
 * that they point to is borrowed from the tap, for the call in which they are told. A text whose
 * `at` is NULL is not known. Times are those of the loop's clock, in ms; 0 is not known. */
#ifndef CORE_MESSAGE_H
#define CORE_MESSAGE_H

#include "core/text.h"

/* ---- HTTP ---- */

struct http_header {
    struct text name, value;
};

/* A body's start, as far as it was asked for: what Content-Encoding had done to it is undone. */
struct http_body {
    struct text text;
    bool cut;     /* there was more */
    bool encoded; /* it could not be decoded: these are the bytes as they came */
};

/* A request, or a response. */
struct http_message {
    const struct http_header *headers; /* in their order, trailers behind them */
    size_t header_count;
    bool headers_cut; /* there were more, or longer ones, than are kept */
    bool ended;       /* all of it was seen */
    uint64_t length;  /* of the body: as it came, without the framing of chunks */
    uint64_t start, end;
    struct http_body body;
    uint64_t grpc_messages;
};

/* A request and its response. */
struct http_exchange {
    unsigned version;     /* 10 and 11 for HTTP/1.0 and 1.1, 20 for HTTP/2 */
    uint32_t stream;      /* HTTP/2's; 0 in HTTP/1 */
    struct text method;   /* not known: the server has spoken unasked */
    struct text url;      /* the request's target, as it came */
    struct text host;     /* without its port */
    unsigned port;        /* that the host was given with; 0: none */
    struct text protocol; /* "HTTP/1.1", "HTTP/2" */
    unsigned status;      /* 0: there was no response */
    bool pushed;          /* the server has promised it (RFC 9113, section 8.4) */
    bool is_reset;        /* the stream was reset */
    uint32_t reset_code;  /* with this error (RFC 9113, section 7) */
    bool reset_by_server;
    bool is_grpc;
    int grpc_status; /* -1: not known */
    struct http_message request, response;
};

/* ---- WebSocket (RFC 6455) ---- */

enum websocket_opcode {
    WEBSOCKET_CONTINUATION = 0,
    WEBSOCKET_TEXT = 1,
    WEBSOCKET_BINARY = 2,
    WEBSOCKET_CLOSE = 8,
    WEBSOCKET_PING = 9,
    WEBSOCKET_PONG = 10,
};

/* A message, its fragments put together, or a control frame. */
struct websocket_message {
    bool to_server;
    unsigned opcode; /* of its first frame; others than those above are reserved */
    bool fin;        /* its last frame was seen */
    bool masked;
    uint32_t mask; /* of its last frame */
    unsigned frames;
    uint64_t length;     /* as it came: compressed, if it was */
    bool compressed;     /* by permessage-deflate (RFC 7692) */
    struct text payload; /* its start, as far as it was asked for, not compressed */
    bool cut;            /* there was more */
    unsigned close_code; /* of CLOSE; 0: none was given */
    struct text close_reason;
};

/* ---- server-sent events (HTML, section 9.2) ---- */

struct sse_event {
    uint32_t stream;
    struct text type, id; /* as they were given; not known: they were not */
    uint64_t length;      /* of its data */
    struct text data;     /* its start, as far as it was asked for */
    bool cut;
};

/* ---- a tap's last word ---- */

/* It has stopped reading, since it could not understand what it saw. The bytes flow on. */
struct tap_note {
    const char *protocol;
    bool to_server;     /* the direction in which that was */
    const char *reason; /* a sentence's end, for people */
};

enum message_kind {
    MESSAGE_HTTP,
    MESSAGE_WEBSOCKET,
    MESSAGE_SSE,
    MESSAGE_NOTE,
};

struct message {
    enum message_kind kind;
    const char *protocol; /* Suricata's name: "http", "http2", "websocket" */
    uint64_t number;      /* of the transaction in its connection, from 0: Suricata's tx_id */
    union {
        const struct http_exchange *http;
        const struct websocket_message *websocket;
        const struct sse_event *sse;
        const struct tap_note *note;
    };
};

#endif
