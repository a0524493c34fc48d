/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * listening.h - writes down all that a tap tells, a line a message, so that it can be compared. */
#ifndef TESTS_LISTENING_H
#define TESTS_LISTENING_H

#include "tap/tap.h"

#include <stdarg.h>

struct listening {
    struct arena arena;
    struct tap *tap;
    bool headers; /* these are written down, too */
    bool fields;  /* the last header of each kind is */
    size_t most_memory;
    char *told;
    size_t length, size;
};

static void write_down(struct listening *listening, const char *format, ...) printf_like(2, 3);
static void write_down(struct listening *listening, const char *format, ...)
{
    char text[600];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    size_t count = (size_t)length < sizeof(text) ? (size_t)length : sizeof(text) - 1;
    if (listening->size - listening->length <= count) {
        listening->size = (listening->size + count + 1) * 2;
        listening->told = realloc(listening->told, listening->size);
        CHECK(listening->told != NULL);
    }
    memcpy(listening->told + listening->length, text, count + 1);
    listening->length += count;
}

/* Long ones are cut; what cannot be shown is a dot; what is not known a "-". */
static void write_text(struct listening *listening, const char *before, struct text text)
{
    char shown[65];
    size_t length = text.length < 64 ? text.length : 64;
    for (size_t i = 0; i < length; i++)
        shown[i] = (char)(text.at[i] < ' ' || text.at[i] > '~' ? '.' : text.at[i]);
    shown[length] = '\0';
    write_down(listening, "%s%s%s", before, text.at != NULL ? shown : "-",
               text.length > length ? "..." : "");
}

static void write_header(struct listening *listening, const char *sign,
                         const struct http_header *header)
{
    write_text(listening, sign, header->name);
    write_text(listening, ": ", header->value);
    write_down(listening, "\n");
}

static void write_side(struct listening *listening, const char *sign,
                       const struct http_message *message)
{
    for (size_t i = 0; listening->headers && i < message->header_count; i++)
        write_header(listening, sign, &message->headers[i]);
    for (size_t i = HTTP_FIELD_OTHER + 1; listening->fields && i < HTTP_FIELDS; i++)
        if (message->fields[i] > 0)
            write_header(listening, sign, &message->headers[message->fields[i] - 1]);
    if (message->body.text.length > 0) {
        write_down(listening, "%s", sign);
        write_text(listening, "body ", message->body.text);
        write_down(listening, " (%zu%s%s)\n", message->body.text.length,
                   message->body.cut ? ", cut" : "", message->body.encoded ? ", encoded" : "");
    }
}

static void write_http(struct listening *listening, const struct http_exchange *http)
{
    if (http->stream != 0)
        write_down(listening, "@%u ", (unsigned)http->stream);
    write_text(listening, "", http->protocol);
    write_text(listening, " ", http->method);
    write_text(listening, " ", http->host);
    if (http->port != 0)
        write_down(listening, ":%u", http->port);
    write_text(listening, " ", http->url);
    write_down(listening, " %llu -> %u %llu", (unsigned long long)http->request.length,
               http->status, (unsigned long long)http->response.length);
    if (!http->request.ended || !http->response.ended)
        write_down(listening, " unfinished%s%s", http->request.ended ? "" : " request",
                   http->response.ended ? "" : " response");
    if (http->is_reset)
        write_down(listening, " reset %u by the %s", (unsigned)http->reset_code,
                   http->reset_by_server ? "server" : "client");
    write_down(listening, "%s%s", http->pushed ? " pushed" : "",
               http->request.headers_cut || http->response.headers_cut ? " headers cut" : "");
    if (http->is_grpc)
        write_down(listening, " grpc %d %llu/%llu", http->grpc_status,
                   (unsigned long long)http->request.grpc_messages,
                   (unsigned long long)http->response.grpc_messages);
    write_down(listening, "\n");
    write_side(listening, "  > ", &http->request);
    write_side(listening, "  < ", &http->response);
}

static void write_websocket(struct listening *listening, const struct websocket_message *message)
{
    write_down(listening, "%s opcode %u, %llu bytes in %u frames%s%s%s",
               message->to_server ? "up" : "down", message->opcode,
               (unsigned long long)message->length, message->frames,
               message->masked ? ", masked" : "", message->compressed ? ", compressed" : "",
               message->fin ? "" : ", unfinished");
    if (message->close_code != 0) {
        write_down(listening, ", code %u", message->close_code);
        write_text(listening, " ", message->close_reason);
    }
    if (message->payload.length > 0) {
        write_text(listening, ": ", message->payload);
        write_down(listening, " (%zu%s)", message->payload.length, message->cut ? ", cut" : "");
    }
    write_down(listening, "\n");
}

static void write_sse(struct listening *listening, const struct sse_event *event)
{
    write_text(listening, "type ", event->type);
    write_text(listening, ", id ", event->id);
    write_text(listening, ", data ", event->data);
    write_down(listening, " (%llu%s)\n", (unsigned long long)event->length,
               event->cut ? ", cut" : "");
}

static void write_properties(struct listening *listening, const struct mqtt_properties *properties)
{
    for (size_t i = 0; i < properties->count; i++) {
        const struct mqtt_property *property = &properties->list[i];
        write_text(listening, " {", property->name);
        if (property->is_number)
            write_down(listening, "=%u", (unsigned)property->number);
        else
            write_text(listening, "=", property->value);
        write_down(listening, "}");
    }
}

static void write_connect(struct listening *listening, const struct mqtt_packet *packet)
{
    write_text(listening, " ", packet->protocol);
    write_down(listening, " %u flags %02x", packet->version, packet->connect_flags);
    write_text(listening, " id ", packet->client_id);
    write_text(listening, " user ", packet->username);
    write_text(listening, " password ", packet->password);
    if ((packet->connect_flags & MQTT_WILL) != 0) {
        write_text(listening, " will ", packet->will_topic);
        write_text(listening, ": ", packet->will_message);
        write_properties(listening, &packet->will);
    }
}

static void write_packet(struct listening *listening, const struct mqtt_packet *packet)
{
    write_down(listening, "%s %d", packet->to_server ? ">" : "<", (int)packet->type);
    write_down(listening, "%s%s%s",
               packet->qos == 0   ? ""
               : packet->qos == 1 ? " qos1"
                                  : " qos2",
               packet->retain ? " retain" : "", packet->dup ? " dup" : "");
    if (packet->truncated)
        write_down(listening, " truncated %llu", (unsigned long long)packet->length);
    if (packet->has_id)
        write_down(listening, " #%u", packet->id);
    if (packet->code >= 0)
        write_down(listening, " code %d", packet->code);
    if (packet->type == MQTT_CONNECT && !packet->truncated)
        write_connect(listening, packet);
    if (packet->session_present)
        write_down(listening, " session");
    if (packet->type == MQTT_PUBLISH && !packet->truncated) {
        write_text(listening, " ", packet->topic);
        write_down(listening, " (%llu)", (unsigned long long)packet->message_length);
        if (packet->message.at != NULL)
            write_text(listening, ": ", packet->message);
    }
    for (size_t i = 0; i < packet->topic_count; i++) {
        write_text(listening, " ", packet->topics[i].filter);
        write_down(listening, "@%u", packet->topics[i].qos);
    }
    for (size_t i = 0; i < packet->codes.length; i++)
        write_down(listening, " %02x", (unsigned)(uint8_t)packet->codes.at[i]);
    write_properties(listening, &packet->properties);
    write_down(listening, "%s", packet->cut ? " cut" : "");
}

static void write_mqtt(struct listening *listening, const struct mqtt_transaction *mqtt)
{
    for (size_t i = 0; i < mqtt->count; i++) {
        write_down(listening, "%s", i > 0 ? " " : "");
        write_packet(listening, &mqtt->packets[i]);
    }
    write_down(listening, "%s\n", mqtt->complete ? "" : " unfinished");
}

static void write_records(struct listening *listening, const char *sign,
                          const struct dns_record *records, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct dns_record *record = &records[i];
        write_down(listening, "%s", sign);
        write_text(listening, "", record->name);
        write_text(listening, " ", record->type);
        write_down(listening, " %u", (unsigned)record->ttl);
        write_text(listening, " ", record->data);
        for (size_t j = 0; j < 2 && record->names[j].at != NULL; j++)
            write_text(listening, " ", record->names[j]);
        for (size_t j = 0; j < 5 && record->names[0].at != NULL; j++)
            write_down(listening, " %u", (unsigned)record->numbers[j]);
    }
}

static void write_dns(struct listening *listening, const struct dns_event *dns)
{
    write_down(listening, "%s %04x flags %04x", dns->is_answer ? "answer" : "query", dns->id,
               dns->flags);
    write_text(listening, " ", dns->name);
    write_text(listening, " ", dns->type);
    write_records(listening, " | ", dns->answers, dns->answer_count);
    write_records(listening, " ^ ", dns->authorities, dns->authority_count);
    write_down(listening, "%s", dns->is_https ? " https" : "");
    if (dns->stream != 0)
        write_down(listening, " @%u", (unsigned)dns->stream);
    if (dns->has_query)
        write_down(listening, " after %llu", (unsigned long long)dns->wait);
    write_down(listening, "%s\n", dns->cut ? " cut" : "");
}

static void write_command(struct listening *listening, const struct spoken_command *command)
{
    if (command->tag.length > 0)
        write_text(listening, "[", command->tag);
    write_text(listening, command->tag.length > 0 ? "] " : "", command->verb);
    if (command->argument.length > 0)
        write_text(listening, " ", command->argument);
    write_down(listening, " ->%s%s", command->status != NULL ? " " : "",
               command->status != NULL ? command->status : "");
    for (size_t i = 0; i < command->reply_count; i++) {
        write_down(listening, " %u", command->replies[i].code);
        write_text(listening, " ", command->replies[i].text);
        write_down(listening, ";");
    }
    if (command->untagged + command->sent + command->received > 0)
        write_down(listening, " (%llu, %llu, %llu)", (unsigned long long)command->untagged,
                   (unsigned long long)command->sent, (unsigned long long)command->received);
    if (command->port != 0)
        write_down(listening, " port %u%s", command->port, command->is_active ? " active" : "");
    if (command->answered && command->start != 0 && command->end > command->start)
        write_down(listening, " after %llu", (unsigned long long)(command->end - command->start));
    if (command->mail != NULL && command->mail->helo.length > 0)
        write_text(listening, " helo ", command->mail->helo);
    if (command->mail != NULL && command->mail->from.length > 0)
        write_text(listening, " from ", command->mail->from);
    for (size_t i = 0; command->mail != NULL && i < command->mail->recipient_count; i++)
        write_text(listening, " to ", command->mail->recipients[i]);
    write_down(listening, "%s%s\n", command->cut ? " cut" : "",
               command->answered ? "" : " unfinished");
}

static void write_unknown(struct listening *listening, const struct unknown_talk *unknown)
{
    write_text(listening, "> ", unknown->to_server.first);
    write_down(listening, " (%llu, %u) ", (unsigned long long)unknown->to_server.length,
               unknown->to_server.entropy);
    write_text(listening, "< ", unknown->to_client.first);
    write_down(listening, " (%llu, %u)\n", (unsigned long long)unknown->to_client.length,
               unknown->to_client.entropy);
}

static void hear(void *context, const struct message *message)
{
    struct listening *listening = context;
    write_down(listening, "%llu %s ", (unsigned long long)message->number, message->protocol);
    switch (message->kind) {
    case MESSAGE_HTTP:
        write_http(listening, message->http);
        break;
    case MESSAGE_WEBSOCKET:
        write_websocket(listening, message->websocket);
        break;
    case MESSAGE_SSE:
        write_sse(listening, message->sse);
        break;
    case MESSAGE_MQTT:
        write_mqtt(listening, message->mqtt);
        break;
    case MESSAGE_DNS:
        write_dns(listening, message->dns);
        break;
    case MESSAGE_SMTP:
    case MESSAGE_IMAP:
    case MESSAGE_POP3:
    case MESSAGE_FTP:
        write_command(listening, message->command);
        break;
    case MESSAGE_UNKNOWN:
        write_unknown(listening, message->unknown);
        break;
    case MESSAGE_NOTE:
        write_down(listening, "gives up on the %s: %s\n",
                   message->note->to_server ? "client" : "server", message->note->reason);
        break;
    }
}

static void listen_start(struct listening *listening, const struct tap_options *options,
                         const char *alpn, uint16_t port)
{
    listening->tap = calloc(1, sizeof(*listening->tap));
    CHECK(listening->tap != NULL);
    tap_init(listening->tap, options, &listening->arena, text_from(alpn, strlen(alpn)), port);
    tap_listen(listening->tap, hear, listening);
    write_down(listening, "%s", "");
}

/* In pieces, each in memory of its own, so that a sanitizer sees a read past its end. */
__attribute__((unused)) static void listen_to(struct listening *listening, bool to_server,
                                              const void *bytes, size_t length, size_t piece)
{
    for (size_t at = 0; at < length; at += piece) {
        size_t count = length - at < piece ? length - at : piece;
        uint8_t *copy = malloc(count);
        CHECK(copy != NULL);
        memcpy(copy, (const uint8_t *)bytes + at, count);
        tap_read(listening->tap, to_server, copy, count, 1000);
        free(copy);
        if (listening->tap->memory > listening->most_memory)
            listening->most_memory = listening->tap->memory;
    }
}

static void listen_end(struct listening *listening)
{
    tap_fini(listening->tap, 2000);
    CHECK(listening->tap->memory == 0);
    CHECK(listening->most_memory <= TAP_MEMORY);
    free(listening->tap);
    arena_fini(&listening->arena);
}

#endif
