/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "event/eve_mqtt.h"

static const char *const names[] = {
    [MQTT_CONNECT] = "connect",   [MQTT_CONNACK] = "connack",
    [MQTT_PUBLISH] = "publish",   [MQTT_PUBACK] = "puback",
    [MQTT_PUBREC] = "pubrec",     [MQTT_PUBREL] = "pubrel",
    [MQTT_PUBCOMP] = "pubcomp",   [MQTT_SUBSCRIBE] = "subscribe",
    [MQTT_SUBACK] = "suback",     [MQTT_UNSUBSCRIBE] = "unsubscribe",
    [MQTT_UNSUBACK] = "unsuback", [MQTT_PINGREQ] = "pingreq",
    [MQTT_PINGRESP] = "pingresp", [MQTT_DISCONNECT] = "disconnect",
    [MQTT_AUTH] = "auth"};

/* ---- what several have ---- */

static bool is_repeated(const struct mqtt_properties *properties, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (!properties->list[i].is_users &&
            text_equals_nocase(properties->list[i].name, properties->list[index].name))
            return true;
    return false;
}

static void write_any(struct jsonw *json, const char *key, struct text text)
{
    jsonw_bytes(json, key, text.length > 0 ? text.at : "", text.length);
}

static void write_users_properties(struct jsonw *json, const struct mqtt_properties *properties)
{
    bool is_open = false;
    for (size_t i = 0; i < properties->count; i++) {
        if (!properties->list[i].is_users)
            continue;
        if (!is_open)
            jsonw_array(json, "user_properties");
        is_open = true;
        jsonw_object(json, NULL);
        write_any(json, "key", properties->list[i].name);
        write_any(json, "value", properties->list[i].value);
        jsonw_object_end(json);
    }
    if (is_open)
        jsonw_array_end(json);
}

static void write_property(struct jsonw *json, const struct mqtt_property *property)
{
    char key[40];
    snprintf(key, sizeof(key), "%.*s", (int)property->name.length, property->name.at);
    if (property->is_number)
        jsonw_uint(json, key, property->number);
    else
        jsonw_text_value(json, key, property->value);
}

/* Of those that come twice the first counts. A user's own stand apart, as in the schema of
 * Suricata 9.0.0-dev; the open list that it had before does not forbid that. */
static void write_properties(struct jsonw *json, const struct mqtt_properties *properties)
{
    if (properties->count == 0)
        return;
    jsonw_object(json, "properties");
    for (size_t i = 0; i < properties->count; i++)
        if (!properties->list[i].is_users && !is_repeated(properties, i))
            write_property(json, &properties->list[i]);
    write_users_properties(json, properties);
    jsonw_object_end(json);
}

static void write_code(struct jsonw *json, const char *key, int code)
{
    if (code >= 0)
        jsonw_int(json, key, code);
}

static void write_codes(struct jsonw *json, const char *key, struct text codes)
{
    if (codes.length == 0)
        return;
    jsonw_array(json, key);
    for (size_t i = 0; i < codes.length; i++)
        jsonw_uint(json, NULL, (uint8_t)codes.at[i]);
    jsonw_array_end(json);
}

/* ---- the packets ---- */

static void write_will(struct jsonw *json, const struct mqtt_packet *packet, bool briefly)
{
    jsonw_object(json, "will");
    jsonw_text_value(json, "topic", packet->will_topic);
    if (!briefly)
        jsonw_text_value(json, "message", packet->will_message);
    write_properties(json, &packet->will);
    jsonw_object_end(json);
}

static void write_connect(struct jsonw *json, const struct mqtt_packet *packet, bool briefly)
{
    const uint8_t flags = packet->connect_flags;
    jsonw_text_value(json, "protocol_string", packet->protocol);
    jsonw_uint(json, "protocol_version", packet->version);
    jsonw_text_value(json, "client_id", packet->client_id);
    jsonw_object(json, "flags");
    jsonw_bool(json, "username", (flags & MQTT_USERNAME) != 0);
    jsonw_bool(json, "password", (flags & MQTT_PASSWORD) != 0);
    jsonw_bool(json, "will_retain", (flags & MQTT_WILL_RETAIN) != 0);
    jsonw_bool(json, "will", (flags & MQTT_WILL) != 0);
    jsonw_bool(json, "clean_session", (flags & MQTT_CLEAN_SESSION) != 0);
    jsonw_object_end(json);
    jsonw_text_value(json, "username", packet->username);
    jsonw_text_value(json, "password", packet->password);
    if ((flags & MQTT_WILL) != 0)
        write_will(json, packet, briefly);
}

static void write_topics(struct jsonw *json, const struct mqtt_packet *packet)
{
    if (packet->topic_count == 0)
        return;
    jsonw_array(json, "topics");
    for (size_t i = 0; i < packet->topic_count; i++) {
        const struct mqtt_topic *topic = &packet->topics[i];
        if (packet->type == MQTT_UNSUBSCRIBE) {
            jsonw_text_value(json, NULL, topic->filter);
            continue;
        }
        jsonw_object(json, NULL);
        jsonw_text_value(json, "topic", topic->filter);
        jsonw_uint(json, "qos", topic->qos);
        jsonw_object_end(json);
    }
    jsonw_array_end(json);
}

static void write_by_type(struct jsonw *json, const struct mqtt_packet *packet, bool briefly)
{
    switch (packet->type) {
    case MQTT_CONNECT:
        write_connect(json, packet, briefly);
        return;
    case MQTT_CONNACK:
        jsonw_bool(json, "session_present", packet->session_present);
        write_code(json, "return_code", packet->code);
        return;
    case MQTT_PUBLISH:
        jsonw_text_value(json, "topic", packet->topic);
        if (!briefly)
            jsonw_text_value(json, "message", packet->message);
        return;
    case MQTT_SUBSCRIBE:
    case MQTT_UNSUBSCRIBE:
        write_topics(json, packet);
        return;
    case MQTT_SUBACK:
        write_codes(json, "qos_granted", packet->codes);
        return;
    case MQTT_UNSUBACK:
        write_codes(json, "reason_codes", packet->codes);
        return;
    case MQTT_PUBACK:
    case MQTT_PUBREC:
    case MQTT_PUBREL:
    case MQTT_PUBCOMP:
    case MQTT_DISCONNECT:
        write_code(json, "reason_code", packet->code);
        return;
    case MQTT_PINGREQ:
    case MQTT_PINGRESP:
    case MQTT_AUTH:
        return;
    }
}

/* Suricata's schema knows neither AUTH nor properties and truncation of every type. */
static bool has_properties(enum mqtt_type type)
{
    return type == MQTT_CONNECT || type == MQTT_CONNACK || type == MQTT_PUBLISH ||
           type == MQTT_DISCONNECT;
}

static void write_packet(struct jsonw *json, const struct mqtt_packet *packet, bool briefly)
{
    jsonw_object(json, names[packet->type]);
    jsonw_uint(json, "qos", packet->qos);
    jsonw_bool(json, "retain", packet->retain);
    jsonw_bool(json, "dup", packet->dup);
    if (packet->truncated && packet->type == MQTT_PUBLISH) {
        jsonw_bool(json, "truncated", true);
        jsonw_uint(json, "skipped_length", packet->length);
    } else if (!packet->truncated) {
        if (packet->has_id)
            jsonw_uint(json, "message_id", packet->id);
        write_by_type(json, packet, briefly);
        if (has_properties(packet->type))
            write_properties(json, &packet->properties);
    }
    jsonw_object_end(json);
}

void eve_mqtt_write(struct jsonw *json, const struct mqtt_transaction *mqtt, bool briefly)
{
    if (mqtt->packets[0].type == MQTT_AUTH) /* which is always alone */
        return;
    jsonw_object(json, "mqtt");
    for (size_t i = 0; i < mqtt->count; i++)
        write_packet(json, &mqtt->packets[i], briefly);
    jsonw_object_end(json);
}

/* ---- what only we tell ---- */

static bool is_text(struct text message)
{
    for (size_t i = 0; i < message.length; i++) {
        const unsigned char c = (unsigned char)message.at[i];
        if (c > '~' || (c < ' ' && c != '\t' && c != '\r' && c != '\n'))
            return false;
    }
    return true;
}

static bool is_incomplete(const struct mqtt_packet *packet)
{
    if (packet->truncated)
        return packet->type != MQTT_PUBLISH;
    return packet->type == MQTT_AUTH ||
           (packet->properties.count > 0 && !has_properties(packet->type));
}

/* What is missing in Suricata's object, by packet. */
static void write_rest(struct jsonw *json, const struct mqtt_transaction *mqtt)
{
    bool is_open = false;
    for (size_t i = 0; i < mqtt->count; i++) {
        const struct mqtt_packet *packet = &mqtt->packets[i];
        if (!is_incomplete(packet))
            continue;
        if (!is_open)
            jsonw_object(json, "packets");
        is_open = true;
        jsonw_object(json, names[packet->type]);
        if (packet->truncated)
            jsonw_uint(json, "skipped_length", packet->length);
        else if (packet->type == MQTT_AUTH)
            write_code(json, "reason_code", packet->code);
        write_properties(json, &packet->properties);
        jsonw_object_end(json);
    }
    if (is_open)
        jsonw_object_end(json);
}

void eve_mqtt_write_extras(struct jsonw *json, const struct mqtt_transaction *mqtt, bool briefly)
{
    const struct mqtt_packet *first = &mqtt->packets[0];
    bool cut = briefly;
    for (size_t i = 0; i < mqtt->count; i++)
        cut = cut || mqtt->packets[i].cut;
    jsonw_object(json, "mqtt");
    if (first->type == MQTT_PUBLISH && !first->truncated)
        jsonw_uint(json, "length", first->message_length);
    if (!briefly && !is_text(first->message))
        jsonw_base64(json, "message_base64", first->message);
    write_rest(json, mqtt);
    jsonw_bool(json, "complete", mqtt->complete);
    if (cut)
        jsonw_bool(json, "cut", true);
    jsonw_object_end(json);
}
