/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/mqtt.h"

#include "core/reader.h"

#define VERSION_5 5

/* Bridges set it, so that the broker knows that they are. */
#define BRIDGE 0x80

/* A packet that is read. */
struct reading {
    struct reader reader;
    struct mqtt_packet *packet;
    struct mqtt_parts *parts;
    unsigned version;
};

static struct text read_text(struct reader *reader)
{
    struct reader part = read_vector(reader, 2);
    return part.failed ? (struct text){0} : text_from(part.at, part.left);
}

/* MQTT 5, section 1.5.5: seven bits a byte, the lowest first. */
static uint32_t read_variable(struct reader *reader)
{
    uint32_t number = 0;
    for (unsigned i = 0; i < 4; i++) {
        uint8_t byte = read_u8(reader);
        number |= (uint32_t)(byte & 0x7f) << 7 * i;
        if ((byte & 0x80) == 0)
            return number;
    }
    reader->failed = true;
    return 0;
}

/* ---- properties ---- */

enum form { BYTE, TWO_BYTES, FOUR_BYTES, VARIABLE, TEXT, PAIR };

/* MQTT 5, section 2.2.2.2, in Suricata's writing. Binary data has the form of a text. */
static const struct kind {
    const char *name;
    enum form form;
} kinds[] = {
    [1] = {"payload_format_indicator", BYTE},
    [2] = {"message_expiry_interval", FOUR_BYTES},
    [3] = {"content_type", TEXT},
    [8] = {"response_topic", TEXT},
    [9] = {"correlation_data", TEXT},
    [11] = {"subscription_identifier", VARIABLE},
    [17] = {"session_expiry_interval", FOUR_BYTES},
    [18] = {"assigned_client_identifier", TEXT},
    [19] = {"server_keep_alive", TWO_BYTES},
    [21] = {"authentication_method", TEXT},
    [22] = {"authentication_data", TEXT},
    [23] = {"request_problem_information", BYTE},
    [24] = {"will_delay_interval", FOUR_BYTES},
    [25] = {"request_response_information", BYTE},
    [26] = {"response_information", TEXT},
    [28] = {"server_reference", TEXT},
    [31] = {"reason_string", TEXT},
    [33] = {"receive_maximum", TWO_BYTES},
    [34] = {"topic_alias_maximum", TWO_BYTES},
    [35] = {"topic_alias", TWO_BYTES},
    [36] = {"maximum_qos", BYTE},
    [37] = {"retain_available", BYTE},
    [38] = {"user_property", PAIR},
    [39] = {"maximum_packet_size", FOUR_BYTES},
    [40] = {"wildcard_subscription_available", BYTE},
    [41] = {"subscription_identifier_available", BYTE},
    [42] = {"shared_subscription_available", BYTE},
};

static struct mqtt_property read_property(struct reader *reader)
{
    static const size_t sizes[] = {[BYTE] = 1, [TWO_BYTES] = 2, [FOUR_BYTES] = 4};
    struct mqtt_property property = {0};
    uint32_t number = read_variable(reader);
    if (number >= ARRAY_SIZE(kinds) || kinds[number].name == NULL) {
        reader->failed = true;
        return property;
    }
    const struct kind *kind = &kinds[number];
    property.name = text_from(kind->name, strlen(kind->name));
    property.is_number = kind->form < TEXT;
    property.is_users = kind->form == PAIR;
    if (property.is_users)
        property.name = read_text(reader);
    if (kind->form == VARIABLE)
        property.number = read_variable(reader);
    else if (kind->form < VARIABLE)
        property.number = read_number(reader, sizes[kind->form]);
    else
        property.value = read_text(reader);
    return property;
}

static struct mqtt_properties read_properties(struct reading *reading)
{
    struct mqtt_parts *parts = reading->parts;
    struct mqtt_properties properties = {.list = parts->properties + parts->property_count};
    if (reading->version != VERSION_5)
        return properties;
    uint32_t length = read_variable(&reading->reader);
    struct reader reader = read_part(&reading->reader, length);
    while (reader.left > 0 && !reader.failed) {
        struct mqtt_property property = read_property(&reader);
        if (parts->property_count == MQTT_PROPERTIES) {
            reading->packet->cut = true;
            continue;
        }
        parts->properties[parts->property_count++] = property;
        properties.count++;
    }
    if (reader.failed)
        reading->reader.failed = true;
    return properties;
}

/* ---- packets ---- */

static void read_id(struct reading *reading)
{
    reading->packet->has_id = true;
    reading->packet->id = read_u16(&reading->reader);
}

static void read_will(struct reading *reading)
{
    reading->packet->will = read_properties(reading);
    reading->packet->will_topic = read_text(&reading->reader);
    reading->packet->will_message = read_text(&reading->reader);
}

static void read_connect(struct reading *reading)
{
    struct mqtt_packet *packet = reading->packet;
    struct reader *reader = &reading->reader;
    packet->protocol = read_text(reader);
    packet->version = read_u8(reader) & (unsigned)~BRIDGE;
    packet->connect_flags = read_u8(reader);
    (void)read_u16(reader); /* keep alive */
    reading->version = packet->version;
    packet->properties = read_properties(reading);
    packet->client_id = read_text(reader);
    if ((packet->connect_flags & MQTT_WILL) != 0)
        read_will(reading);
    if ((packet->connect_flags & MQTT_USERNAME) != 0)
        packet->username = read_text(reader);
    if ((packet->connect_flags & MQTT_PASSWORD) != 0)
        packet->password = read_text(reader);
}

static void read_connack(struct reading *reading)
{
    reading->packet->session_present = (read_u8(&reading->reader) & 1) != 0;
    reading->packet->code = read_u8(&reading->reader);
    reading->packet->properties = read_properties(reading);
}

static void read_publish(struct reading *reading)
{
    struct mqtt_packet *packet = reading->packet;
    struct reader *reader = &reading->reader;
    packet->topic = read_text(reader);
    if (packet->qos > 0)
        read_id(reading);
    packet->properties = read_properties(reading);
    if (!reader->failed)
        packet->message = text_from(reader->at, reader->left);
}

/* PUBACK to PUBCOMP, DISCONNECT and AUTH: in MQTT 5, what is as usual may be left out. */
static void read_reason(struct reading *reading)
{
    if (reading->reader.left == 0 || reading->version != VERSION_5)
        return;
    reading->packet->code = read_u8(&reading->reader);
    if (reading->reader.left > 0)
        reading->packet->properties = read_properties(reading);
}

static void read_topics(struct reading *reading, bool with_options)
{
    struct mqtt_parts *parts = reading->parts;
    struct reader *reader = &reading->reader;
    reading->packet->topics = parts->topics + parts->topic_count;
    while (reader->left > 0 && !reader->failed) {
        struct mqtt_topic topic = {.filter = read_text(reader)};
        topic.qos = with_options ? read_u8(reader) & 3 : 0;
        if (parts->topic_count == MQTT_TOPICS) {
            reading->packet->cut = true;
            continue;
        }
        parts->topics[parts->topic_count++] = topic;
        reading->packet->topic_count++;
    }
}

static void read_codes(struct reading *reading)
{
    reading->packet->properties = read_properties(reading);
    if (!reading->reader.failed)
        reading->packet->codes = text_from(reading->reader.at, reading->reader.left);
}

static bool read_by_type(struct reading *reading)
{
    enum mqtt_type type = reading->packet->type;
    switch (type) {
    case MQTT_CONNECT:
        read_connect(reading);
        return true;
    case MQTT_CONNACK:
        read_connack(reading);
        return true;
    case MQTT_PUBLISH:
        read_publish(reading);
        return true;
    case MQTT_PUBACK:
    case MQTT_PUBREC:
    case MQTT_PUBREL:
    case MQTT_PUBCOMP:
        read_id(reading);
        read_reason(reading);
        return true;
    case MQTT_SUBSCRIBE:
    case MQTT_UNSUBSCRIBE:
        read_id(reading);
        reading->packet->properties = read_properties(reading);
        read_topics(reading, type == MQTT_SUBSCRIBE);
        return true;
    case MQTT_SUBACK:
    case MQTT_UNSUBACK:
        read_id(reading);
        read_codes(reading);
        return true;
    case MQTT_PINGREQ:
    case MQTT_PINGRESP:
        return true;
    case MQTT_DISCONNECT:
    case MQTT_AUTH:
        read_reason(reading);
        return true;
    }
    return false;
}

static struct mqtt_packet start_of(const struct mqtt_bytes *bytes)
{
    return (struct mqtt_packet){.type = (enum mqtt_type)(bytes->first >> 4),
                                .dup = (bytes->first & 8) != 0,
                                .qos = bytes->first >> 1 & 3,
                                .retain = (bytes->first & 1) != 0,
                                .length = bytes->length,
                                .code = -1};
}

bool mqtt_read(struct mqtt_packet *packet, struct mqtt_parts *parts, const struct mqtt_bytes *bytes)
{
    struct reading reading = {.reader = reader_of(bytes->at, bytes->kept),
                              .packet = packet,
                              .parts = parts,
                              .version = bytes->version};
    const size_t topics = parts->topic_count, properties = parts->property_count;
    bool is_whole = bytes->kept == bytes->length;
    *packet = start_of(bytes);
    if (!read_by_type(&reading) || (packet->type == MQTT_PUBLISH && packet->qos == 3))
        return false;
    if (packet->type == MQTT_PUBLISH && !reading.reader.failed) {
        packet->message_length = bytes->length - (bytes->kept - packet->message.length);
        return true;
    }
    if (is_whole)
        return !reading.reader.failed;
    *packet = start_of(bytes);
    packet->truncated = true;
    parts->topic_count = topics;
    parts->property_count = properties;
    return true;
}

unsigned mqtt_version(const uint8_t *at, size_t kept)
{
    struct reader reader = reader_of(at, kept);
    (void)read_text(&reader);
    unsigned version = read_u8(&reader) & (unsigned)~BRIDGE;
    return reader.failed ? 0 : version;
}
