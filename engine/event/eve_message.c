/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "event/eve_message.h"

#include "core/loop.h"
#include "event/eve_command.h"
#include "event/eve_dns.h"
#include "event/eve_mqtt.h"

/* Suricata's own limits. */
#define NAME_LIMIT 256
#define VALUE_LIMIT 2048

/* An event on its way. */
struct writing {
    struct jsonw json;
    const struct record *record;
    const struct message *message;
    struct timeval now;
    bool briefly; /* without headers and bodies: they were too long */
    bool has_cut; /* headers were longer than is told */
};

static struct text cut(struct text text, size_t limit)
{
    if (text.length > limit)
        text.length = limit;
    return text;
}

/* ---- http ---- */

/* The last one of this kind; `at` is NULL if there is none. */
static struct text find_header(const struct http_message *message, enum http_field field)
{
    size_t number = message->fields[field];
    return number > 0 ? message->headers[number - 1].value : (struct text){0};
}

/* Without its parameters, as Suricata has it. */
static struct text type_of(const struct http_message *message)
{
    struct text type = find_header(message, HTTP_FIELD_CONTENT_TYPE);
    const char *end = type.length > 0 ? memchr(type.at, ';', type.length) : NULL;
    if (end != NULL)
        type.length = (size_t)(end - type.at);
    return type;
}

static void write_headers(struct writing *writing, const char *key,
                          const struct http_message *message)
{
    struct jsonw *json = &writing->json;
    if (message->header_count == 0)
        return;
    jsonw_array(json, key);
    for (size_t i = 0; i < message->header_count; i++) {
        const struct http_header *header = &message->headers[i];
        jsonw_object(json, NULL);
        jsonw_text_value(json, "name", cut(header->name, NAME_LIMIT));
        jsonw_text_value(json, "value", cut(header->value, VALUE_LIMIT));
        jsonw_object_end(json);
        if (header->name.length > NAME_LIMIT || header->value.length > VALUE_LIMIT)
            writing->has_cut = true;
    }
    jsonw_array_end(json);
}

/* RFC 9113, section 7, in Suricata's writing. */
static void write_error_code(struct jsonw *json, uint32_t code)
{
    static const char *const names[] = {"NO_ERROR",
                                        "PROTOCOL_ERROR",
                                        "INTERNAL_ERROR",
                                        "FLOW_CONTROL_ERROR",
                                        "SETTINGS_TIMEOUT",
                                        "STREAM_CLOSED",
                                        "FRAME_SIZE_ERROR",
                                        "REFUSED_STREAM",
                                        "CANCEL",
                                        "COMPRESSION_ERROR",
                                        "CONNECT_ERROR",
                                        "ENHANCE_YOUR_CALM",
                                        "INADEQUATE_SECURITY",
                                        "HTTP_1_1_REQUIRED"};
    char number[16];
    snprintf(number, sizeof(number), "%u", (unsigned)code);
    jsonw_string(json, "error_code", code < ARRAY_SIZE(names) ? names[code] : number);
}

static void write_http2_side(struct jsonw *json, const char *key, const struct http_exchange *http,
                             bool is_server)
{
    if (!http->is_reset || http->reset_by_server != is_server)
        return; /* Suricata's schema wants no empty one */
    jsonw_object(json, key);
    write_error_code(json, http->reset_code);
    jsonw_object_end(json);
}

static void write_http2(struct jsonw *json, const struct http_exchange *http)
{
    jsonw_object(json, "http2");
    jsonw_uint(json, "stream_id", http->stream);
    write_http2_side(json, "request", http, false);
    write_http2_side(json, "response", http, true);
    jsonw_object_end(json);
}

static void write_body(struct jsonw *json, const char *key, const struct http_body *body)
{
    if (body->text.at != NULL)
        jsonw_base64(json, key, body->text);
}

static void write_http(struct writing *writing)
{
    struct jsonw *json = &writing->json;
    const struct http_exchange *http = writing->message->http;
    jsonw_object(json, "http");
    if (http->version == 20)
        jsonw_string(json, "version", "2");
    jsonw_text_value(json, "hostname", cut(http->host, VALUE_LIMIT));
    if (http->port != 0)
        jsonw_uint(json, "http_port", http->port);
    jsonw_text_value(json, "url", http->url);
    jsonw_text_value(json, "http_user_agent", find_header(&http->request, HTTP_FIELD_USER_AGENT));
    jsonw_text_value(json, "xff", find_header(&http->request, HTTP_FIELD_X_FORWARDED_FOR));
    jsonw_text_value(json, "http_content_type", type_of(&http->response));
    jsonw_text_value(json, "http_refer", find_header(&http->request, HTTP_FIELD_REFERER));
    jsonw_text_value(json, "http_method", http->method);
    jsonw_text_value(json, "protocol", http->protocol);
    if (http->status != 0)
        jsonw_uint(json, "status", http->status);
    jsonw_text_value(json, "redirect", find_header(&http->response, HTTP_FIELD_LOCATION));
    jsonw_uint(json, "length", http->response.length);
    if (!writing->briefly) {
        write_headers(writing, "request_headers", &http->request);
        write_headers(writing, "response_headers", &http->response);
        write_body(json, "http_response_body", &http->response.body);
    }
    if (http->version == 20)
        write_http2(json, http);
    jsonw_object_end(json);
}

/* ---- what only we know of an exchange ---- */

/* "/package.Service/Method". */
static void write_grpc(struct jsonw *json, const struct http_exchange *http)
{
    struct text path = http->url;
    const char *slash = path.length > 1 ? memrchr(path.at, '/', path.length) : NULL;
    jsonw_object(json, "grpc");
    if (slash != NULL && slash > path.at && path.at[0] == '/') {
        jsonw_bytes(json, "service", path.at + 1, (size_t)(slash - path.at) - 1);
        jsonw_bytes(json, "method", slash + 1, (size_t)(path.at + path.length - slash) - 1);
    }
    if (http->grpc_status >= 0)
        jsonw_int(json, "status", http->grpc_status);
    jsonw_text_value(json, "message", http->grpc_message);
    jsonw_uint(json, "request_messages", http->request.grpc_messages);
    jsonw_uint(json, "response_messages", http->response.grpc_messages);
    jsonw_object_end(json);
}

/* Suricata's schema has a place for a response's body, and for a request's none: that is here. */
static void write_body_facts(struct jsonw *json, const char *key, const struct http_body *body,
                             uint64_t length, bool with_text)
{
    if (body->text.at == NULL || (!body->cut && !body->encoded && !with_text))
        return;
    jsonw_object(json, key);
    if (with_text)
        write_body(json, "base64", body);
    if (body->cut)
        jsonw_bool(json, "cut", true);
    if (body->encoded)
        jsonw_bool(json, "encoded", true);
    jsonw_uint(json, "length", length);
    jsonw_object_end(json);
}

/* The loop's clock is not the wall's. */
static void write_start(struct writing *writing, uint64_t start)
{
    const uint64_t now = clock_ms();
    struct timeval time = writing->now;
    if (start == 0 || start > now)
        return;
    const struct timeval ago = {.tv_sec = (time_t)((now - start) / 1000),
                                .tv_usec = (suseconds_t)((now - start) % 1000 * 1000)};
    timersub(&time, &ago, &time);
    eve_write_time(&writing->json, "start", &time);
}

static void write_times(struct writing *writing, const struct http_exchange *http)
{
    struct jsonw *json = &writing->json;
    const uint64_t start = http->request.start;
    write_start(writing, start);
    if (start == 0)
        return;
    if (http->request.end >= start)
        jsonw_uint(json, "send_ms", http->request.end - start);
    if (http->response.start >= start)
        jsonw_uint(json, "wait_ms", http->response.start - start);
    if (http->response.end >= start)
        jsonw_uint(json, "total_ms", http->response.end - start);
}

static void write_http_extras(struct writing *writing)
{
    struct jsonw *json = &writing->json;
    const struct http_exchange *http = writing->message->http;
    jsonw_object(json, "http");
    jsonw_string(json, "scheme", writing->record->client.version != NULL ? "https" : "http");
    jsonw_uint(json, "request_length", http->request.length);
    jsonw_bool(json, "complete", http->request.ended && http->response.ended);
    if (http->pushed)
        jsonw_bool(json, "pushed", true);
    if (writing->briefly || writing->has_cut || http->request.headers_cut ||
        http->response.headers_cut)
        jsonw_bool(json, "headers_cut", true);
    write_body_facts(json, "request_body", &http->request.body, http->request.length,
                     !writing->briefly);
    write_body_facts(json, "response_body", &http->response.body, http->response.length, false);
    write_times(writing, http);
    jsonw_object_end(json);
    if (http->is_grpc)
        write_grpc(json, http);
}

/* ---- websocket ---- */

static const char *opcode_name(unsigned opcode, char text[static 16])
{
    static const char *const names[] = {[WEBSOCKET_CONTINUATION] = "continuation",
                                        [WEBSOCKET_TEXT] = "text",
                                        [WEBSOCKET_BINARY] = "binary",
                                        [WEBSOCKET_CLOSE] = "close",
                                        [WEBSOCKET_PING] = "ping",
                                        [WEBSOCKET_PONG] = "pong"};
    if (opcode < ARRAY_SIZE(names) && names[opcode] != NULL)
        return names[opcode];
    snprintf(text, 16, "unknown-%u", opcode);
    return text;
}

static void write_websocket(struct writing *writing)
{
    struct jsonw *json = &writing->json;
    const struct websocket_message *websocket = writing->message->websocket;
    char text[16];
    jsonw_object(json, "websocket");
    jsonw_bool(json, "fin", websocket->fin);
    if (websocket->masked)
        jsonw_uint(json, "mask", websocket->mask);
    jsonw_string(json, "opcode", opcode_name(websocket->opcode, text));
    if (websocket->payload.at != NULL && !writing->briefly) {
        jsonw_base64(json, "payload_base64", websocket->payload);
        jsonw_printable(json, "payload_printable", websocket->payload);
    }
    jsonw_object_end(json);
}

static void write_websocket_extras(struct writing *writing)
{
    struct jsonw *json = &writing->json;
    const struct websocket_message *websocket = writing->message->websocket;
    jsonw_object(json, "websocket");
    jsonw_uint(json, "length", websocket->length);
    jsonw_uint(json, "frames", websocket->frames);
    if (websocket->compressed)
        jsonw_bool(json, "compressed", true);
    if (websocket->payload.at != NULL && (websocket->cut || writing->briefly))
        jsonw_bool(json, "cut", true);
    if (websocket->close_code != 0) {
        jsonw_uint(json, "close_code", websocket->close_code);
        jsonw_text_value(json, "close_reason", websocket->close_reason);
    }
    jsonw_object_end(json);
}

/* ---- sse ---- */

static void write_sse_extras(struct writing *writing)
{
    struct jsonw *json = &writing->json;
    const struct sse_event *sse = writing->message->sse;
    jsonw_object(json, "sse");
    if (sse->stream != 0)
        jsonw_uint(json, "stream_id", sse->stream);
    jsonw_text_value(json, "event", sse->type);
    jsonw_text_value(json, "id", sse->id);
    jsonw_uint(json, "length", sse->length);
    if (sse->data.length > 0 && !writing->briefly)
        jsonw_text_value(json, "data", sse->data);
    if (sse->data.length > 0 && (sse->cut || writing->briefly))
        jsonw_bool(json, "cut", true);
    jsonw_object_end(json);
}

/* ---- mqtt ---- */

static void write_mqtt(struct writing *writing)
{
    eve_mqtt_write(&writing->json, writing->message->mqtt, writing->briefly);
}

static void write_mqtt_extras(struct writing *writing)
{
    eve_mqtt_write_extras(&writing->json, writing->message->mqtt, writing->briefly);
}

/* ---- dns ---- */

static void write_dns(struct writing *writing)
{
    eve_dns_write(&writing->json, writing->message->dns, writing->message->number);
}

static void write_dns_extras(struct writing *writing)
{
    eve_dns_write_extras(&writing->json, writing->message->dns);
}

/* ---- smtp, imap, pop3, ftp ---- */

static void write_smtp(struct writing *writing)
{
    eve_command_write_smtp(&writing->json, writing->message->command);
}

static void write_pop3(struct writing *writing)
{
    eve_command_write_pop3(&writing->json, writing->message->command);
}

static void write_ftp(struct writing *writing)
{
    eve_command_write_ftp(&writing->json, writing->message->command);
}

static void write_command_extras(struct writing *writing)
{
    eve_command_write_extras(&writing->json, writing->message);
}

/* ---- unknown ---- */

static void write_side(struct jsonw *json, const char *key, const struct unknown_side *side)
{
    char entropy[24];
    jsonw_object(json, key);
    jsonw_uint(json, "counted", side->length);
    if (side->length > 0) {
        snprintf(entropy, sizeof(entropy), "%u.%03u", side->entropy / 1000, side->entropy % 1000);
        jsonw_raw(json, "entropy", entropy);
        jsonw_base64(json, "first_base64", side->first);
        jsonw_printable(json, "first_printable", side->first);
    }
    jsonw_object_end(json);
}

static void write_unknown_extras(struct writing *writing)
{
    struct jsonw *json = &writing->json;
    jsonw_object(json, "unknown");
    write_side(json, "to_server", &writing->message->unknown->to_server);
    write_side(json, "to_client", &writing->message->unknown->to_client);
    jsonw_object_end(json);
}

/* ---- anomaly ---- */

static void write_anomaly(struct writing *writing)
{
    struct jsonw *json = &writing->json;
    jsonw_object(json, "anomaly");
    jsonw_string(json, "app_proto", writing->message->note->protocol);
    jsonw_string(json, "type", "applayer");
    jsonw_string(json, "event", "PARSER_ERROR");
    jsonw_string(json, "layer", "proto_parser");
    jsonw_object_end(json);
}

static void write_anomaly_extras(struct writing *writing)
{
    jsonw_string(&writing->json, "note", writing->message->note->reason);
}

/* ---- any of them ---- */

/* By the kind of message: Suricata's part of the event, if there is one, and ours. */
static const struct form {
    const char *type;
    void (*write)(struct writing *writing);
    void (*write_extras)(struct writing *writing);
} forms[] = {
    [MESSAGE_HTTP] = {"http", write_http, write_http_extras},
    [MESSAGE_WEBSOCKET] = {"websocket", write_websocket, write_websocket_extras},
    [MESSAGE_SSE] = {"sse", NULL, write_sse_extras},
    [MESSAGE_MQTT] = {"mqtt", write_mqtt, write_mqtt_extras},
    [MESSAGE_DNS] = {"dns", write_dns, write_dns_extras},
    [MESSAGE_SMTP] = {"smtp", write_smtp, write_command_extras},
    [MESSAGE_IMAP] = {"imap", NULL, write_command_extras},
    [MESSAGE_POP3] = {"pop3", write_pop3, write_command_extras},
    [MESSAGE_FTP] = {"ftp", write_ftp, write_command_extras},
    [MESSAGE_UNKNOWN] = {"unknown", NULL, write_unknown_extras},
    [MESSAGE_NOTE] = {"anomaly", write_anomaly, write_anomaly_extras},
};

/* In which direction it went; NULL if it is of both. */
static const char *direction_of(const struct message *message)
{
    bool to_server = false;
    if (message->kind == MESSAGE_WEBSOCKET)
        to_server = message->websocket->to_server;
    else if (message->kind == MESSAGE_NOTE)
        to_server = message->note->to_server;
    else if (message->kind == MESSAGE_MQTT)
        to_server = message->mqtt->packets[0].to_server;
    else if (message->kind == MESSAGE_DNS)
        to_server = !message->dns->is_answer;
    else if (message->kind != MESSAGE_SSE)
        return NULL;
    return to_server ? "to_server" : "to_client";
}

static bool write_event(struct recorder_feed *feed, struct writing *writing)
{
    struct jsonw *json = &writing->json;
    const struct message *message = writing->message;
    const struct form *form = &forms[message->kind];
    eve_write_header(json, &writing->now, form->type, message->protocol, writing->record);
    jsonw_uint(json, "tx_id", message->number);
    jsonw_string(json, "direction", direction_of(message));
    if (form->write != NULL)
        form->write(writing);
    eve_open_intercept(json, writing->record);
    form->write_extras(writing);
    jsonw_object_end(json);
    jsonw_object_end(json);
    return eve_put(feed, json);
}

void eve_message_write(struct recorder_feed *feed, const struct record *record,
                       const struct message *message)
{
    static _Thread_local char buffer[RECORDER_LINE_LIMIT - 1]; /* stacks may be small */
    struct writing writing = {.record = record, .message = message};
    if (!recorder_wants(feed, OUTPUT_EVENTS))
        return;
    gettimeofday(&writing.now, NULL);
    jsonw_init(&writing.json, buffer, sizeof(buffer) - 1);
    if (write_event(feed, &writing))
        return;
    writing.briefly = true;
    jsonw_init(&writing.json, buffer, sizeof(buffer) - 1);
    if (!write_event(feed, &writing))
        recorder_drop(feed);
}
