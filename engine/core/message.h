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

/* What a header's name stands for, where that means something to us (tap/field.h). */
enum http_field {
    HTTP_FIELD_OTHER,
    HTTP_FIELD_METHOD, /* this one and the next three are HTTP/2's pseudo-headers */
    HTTP_FIELD_PATH,
    HTTP_FIELD_AUTHORITY,
    HTTP_FIELD_STATUS,
    HTTP_FIELD_ACCEPT,
    HTTP_FIELD_CONTENT_ENCODING,
    HTTP_FIELD_CONTENT_TYPE,
    HTTP_FIELD_CREDENTIAL, /* any whose whole value is one */
    HTTP_FIELD_GRPC_MESSAGE,
    HTTP_FIELD_GRPC_STATUS,
    HTTP_FIELD_HOST,
    HTTP_FIELD_LOCATION,
    HTTP_FIELD_REFERER,
    HTTP_FIELD_UPGRADE,
    HTTP_FIELD_URL, /* any other whose value is one */
    HTTP_FIELD_USER_AGENT,
    HTTP_FIELD_WEBSOCKET_EXTENSIONS,
    HTTP_FIELD_X_FORWARDED_FOR,
    HTTP_FIELDS
};

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
    uint8_t fields[HTTP_FIELDS]; /* which header is the last of this kind, from 1; 0: none is */
    bool headers_cut;            /* there were more, or longer ones, than are kept */
    bool ended;                  /* all of it was seen */
    uint64_t length;             /* of the body: as it came, without the framing of chunks */
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
    int grpc_status;          /* -1: not known */
    struct text grpc_message; /* without its percent-encoding */
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

/* ---- MQTT 3.1, 3.1.1 and 5 ---- */

enum mqtt_type {
    MQTT_CONNECT = 1,
    MQTT_CONNACK,
    MQTT_PUBLISH,
    MQTT_PUBACK,
    MQTT_PUBREC,
    MQTT_PUBREL,
    MQTT_PUBCOMP,
    MQTT_SUBSCRIBE,
    MQTT_SUBACK,
    MQTT_UNSUBSCRIBE,
    MQTT_UNSUBACK,
    MQTT_PINGREQ,
    MQTT_PINGRESP,
    MQTT_DISCONNECT,
    MQTT_AUTH,
};

/* Of MQTT 5: a number, or a text, which may be any bytes. */
struct mqtt_property {
    struct text name;
    bool is_users; /* the name is the user's own, and may be any bytes, too */
    bool is_number;
    uint32_t number;
    struct text value;
};

struct mqtt_properties {
    const struct mqtt_property *list;
    size_t count;
};

struct mqtt_topic {
    struct text filter;
    unsigned qos; /* that is asked for */
};

/* Flags of CONNECT (MQTT 3.1.1, section 3.1.2.3). */
enum {
    MQTT_CLEAN_SESSION = 0x02,
    MQTT_WILL = 0x04,
    MQTT_WILL_RETAIN = 0x20,
    MQTT_PASSWORD = 0x40,
    MQTT_USERNAME = 0x80,
};

/* A control packet; what its type does not have is not known, or 0. */
struct mqtt_packet {
    enum mqtt_type type;
    bool to_server, retain, dup;
    unsigned qos;
    uint64_t length; /* of what follows the fixed header */
    bool truncated;  /* it was longer than is read: nothing below is known */
    bool cut;        /* of something below there was more */
    bool has_id;
    uint16_t id;
    int code;              /* the return or reason code; -1: none was given */
    bool session_present;  /* CONNACK */
    uint8_t connect_flags; /* CONNECT, to `will` */
    unsigned version;
    struct text protocol, client_id, username, password, will_topic, will_message;
    struct mqtt_properties will;
    struct text topic, message; /* PUBLISH; the message as far as it was asked for */
    uint64_t message_length;
    const struct mqtt_topic *topics; /* SUBSCRIBE and UNSUBSCRIBE */
    size_t topic_count;
    struct text codes; /* SUBACK and UNSUBACK: a byte for each topic */
    struct mqtt_properties properties;
};

/* A packet, and what answers it. */
struct mqtt_transaction {
    const struct mqtt_packet *packets;
    size_t count;
    bool complete; /* nothing more belongs to it */
};

/* ---- DNS (RFC 1035) ---- */

struct dns_record {
    struct text name, type; /* without the last dot; "AAAA" */
    uint32_t ttl;
    struct text data;     /* in the form of master files; of MX the name alone */
    uint32_t numbers[5];  /* SOA: serial to minimum. SRV: priority, weight, port */
    struct text names[2]; /* SOA: mname, rname. SRV: the target. No `data` then */
};

/* A query, or an answer. */
struct dns_event {
    bool is_answer;
    uint16_t id, flags; /* all 16 bits: RFC 1035, section 4.1.1 */
    struct text name, type;
    const struct dns_record *answers, *authorities;
    size_t answer_count, authority_count;
    bool cut;        /* there were more, or they were too long to be read */
    bool is_https;   /* in HTTP (RFC 8484), else in TLS (RFC 7858) */
    uint32_t stream; /* HTTP/2's */
    bool has_query;  /* of an answer: its query was seen, */
    uint64_t wait;   /* so many ms before */
};

/* ---- SMTP, IMAP, POP3 and FTP: commands and their replies ---- */

/* A line of it. */
struct spoken_reply {
    unsigned code; /* 0: this line has none */
    struct text text;
};

/* SMTP: what is known of a mail when a command is told. */
struct spoken_mail {
    struct text helo, from;        /* of length 0: nothing was said */
    const struct text *recipients; /* that were not refused */
    size_t recipient_count;
    bool cut; /* there were more */
};

/* A command, or what was said unasked. Mails, literals and lists are counted, and not read. */
struct spoken_command {
    struct text tag;            /* IMAP's */
    struct text verb, argument; /* in upper case, and as it came; no verb: nothing was asked */
    bool cut;                   /* the argument or the replies were longer */
    const char *status;         /* IMAP: "OK", "NO", "BAD", …; POP3: "OK", "ERR"; else NULL */
    const struct spoken_reply *replies;
    size_t reply_count;
    bool answered;
    uint64_t start, end;            /* what it says was sent, and its last reply came */
    uint64_t untagged;              /* IMAP: so many responses came before it */
    uint64_t sent, received;        /* bytes that were counted: to the server, to the client */
    unsigned port;                  /* FTP: of the data connection; 0: none was agreed on */
    bool is_active;                 /* and the server opens it */
    const struct spoken_mail *mail; /* SMTP's; else NULL */
};

/* ---- a protocol that nobody knows ---- */

struct unknown_side {
    struct text first; /* its first bytes */
    uint64_t length;   /* of those that were counted; there may be more */
    unsigned entropy;  /* of these, in thousandths of a bit for each byte: 0 to 8000 */
};

struct unknown_talk {
    struct unknown_side to_server, to_client;
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
    MESSAGE_MQTT,
    MESSAGE_DNS,
    MESSAGE_SMTP,
    MESSAGE_IMAP,
    MESSAGE_POP3,
    MESSAGE_FTP,
    MESSAGE_UNKNOWN,
    MESSAGE_NOTE,
};

struct message {
    enum message_kind kind;
    const char *protocol; /* Suricata's name: "http", "http2", "mqtt", "failed" */
    uint64_t number;      /* of the transaction in its connection, from 0: Suricata's tx_id */
    union {
        const struct http_exchange *http;
        const struct websocket_message *websocket;
        const struct sse_event *sse;
        const struct mqtt_transaction *mqtt;
        const struct dns_event *dns;
        const struct spoken_command *command; /* of SMTP, IMAP, POP3, FTP */
        const struct unknown_talk *unknown;
        const struct tap_note *note;
    };
};

#endif
