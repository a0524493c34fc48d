/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/mqtt_tap.h"

#include "tap/field.h"
#include "tap/mqtt.h"
#include "tap/redact.h"

/* MQTT 3.1.1, section 2.2: a byte of type and flags, a length of one to four. */
#define HEADER_SIZE 5
/* PUBLISH, PUBREC, PUBREL, PUBCOMP. */
#define PACKETS 4

struct packet {
    bool to_server;
    uint8_t first;
    uint16_t id;
    uint64_t length;
    uint32_t size, kept; /* of the bytes: that there is room for, that are there */
    uint8_t bytes[];
};

struct transaction {
    struct transaction *next;
    uint64_t number;
    size_t count;
    struct packet *packets[PACKETS];
};

struct half {
    uint8_t header[HEADER_SIZE];
    uint32_t header_length;
    bool in_packet;
    uint64_t length, read; /* of the packet */
    struct packet *packet; /* NULL: there is no memory for it */
};

struct reader {
    struct tap *tap;
    unsigned version;           /* 0: no CONNECT was seen */
    struct transaction *oldest; /* those that wait for an answer */
    unsigned waiting;
    struct half halves[2]; /* to the client, to the server */
};

static enum mqtt_type type_of(const struct packet *packet)
{
    return (enum mqtt_type)(packet->first >> 4);
}

static struct mqtt_bytes bytes_of(const struct reader *reader, const struct packet *packet)
{
    return (struct mqtt_bytes){.first = packet->first,
                               .length = packet->length,
                               .at = packet->bytes,
                               .kept = packet->kept,
                               .version = reader->version};
}

/* ---- credentials, and messages that nobody wants ---- */

static bool is_secret(struct text name)
{
    return text_is(name, "authentication_data") || field_of(name) == HTTP_FIELD_CREDENTIAL;
}

/* It stands in the packet. */
static void wipe(struct packet *packet, struct text secret)
{
    if (secret.length > 0)
        explicit_bzero(packet->bytes + ((const uint8_t *)secret.at - packet->bytes), secret.length);
}

static void wipe_secrets(struct packet *packet, const struct mqtt_packet *said,
                         const struct mqtt_parts *parts)
{
    wipe(packet, said->password);
    if ((said->connect_flags & MQTT_PASSWORD) == 0)
        wipe(packet, said->username);
    for (size_t i = 0; i < parts->property_count; i++)
        if (is_secret(parts->properties[i].name))
            wipe(packet, parts->properties[i].value);
}

/* What was overwritten is told as that. */
static void hide_secrets(struct mqtt_packet *said)
{
    said->password = (struct text){0};
    if ((said->connect_flags & MQTT_PASSWORD) == 0 && said->username.length > 0)
        said->username = text_from(REDACTED, strlen(REDACTED));
}

static void hide_properties(struct mqtt_parts *parts)
{
    for (size_t i = 0; i < parts->property_count; i++)
        if (is_secret(parts->properties[i].name))
            parts->properties[i].value = text_from(REDACTED, strlen(REDACTED));
}

/* What nobody wants is not to wait for an answer. */
static struct packet *shrink(struct reader *reader, struct packet *packet,
                             const struct mqtt_packet *said)
{
    size_t kept = packet->kept;
    if (said->truncated)
        kept = 0;
    else if (said->message.length > reader->tap->options.bodies)
        kept -= said->message.length - reader->tap->options.bodies;
    if (kept == packet->kept)
        return packet;
    explicit_bzero(packet->bytes + kept, packet->kept - kept);
    packet->kept = (uint32_t)kept;
    struct packet *smaller = tap_realloc(reader->tap, packet, sizeof(*packet) + kept);
    return smaller != NULL ? smaller : packet;
}

/* True if there was more of it than is asked for. */
static bool cut_message(const struct reader *reader, struct text *message, uint64_t length)
{
    size_t limit = reader->tap->options.bodies;
    if (limit == 0)
        *message = (struct text){0};
    else if (message->length > limit)
        message->length = limit;
    return limit > 0 && message->length < length;
}

/* ---- transactions ---- */

static void free_transaction(struct reader *reader, struct transaction *transaction)
{
    for (size_t i = 0; i < transaction->count; i++)
        tap_free(reader->tap, transaction->packets[i]);
    tap_free(reader->tap, transaction);
}

static void say(const struct reader *reader, const struct packet *packet, struct mqtt_packet *said,
                struct mqtt_parts *parts)
{
    const struct mqtt_bytes bytes = bytes_of(reader, packet);
    bool is_one = mqtt_read(said, parts, &bytes);
    CHECK(is_one); /* it was, when it came */
    said->to_server = packet->to_server;
    if (!reader->tap->options.keep_credentials)
        hide_secrets(said);
    bool will_cut = cut_message(reader, &said->will_message, said->will_message.length);
    if (cut_message(reader, &said->message, said->message_length) || will_cut)
        said->cut = true;
}

static void tell(struct reader *reader, struct transaction *transaction, bool complete)
{
    struct mqtt_parts parts;
    struct mqtt_packet packets[PACKETS];
    parts.topic_count = parts.property_count = 0;
    for (size_t i = 0; i < transaction->count; i++)
        say(reader, transaction->packets[i], &packets[i], &parts);
    if (!reader->tap->options.keep_credentials)
        hide_properties(&parts);
    const struct mqtt_transaction told = {
        .packets = packets, .count = transaction->count, .complete = complete};
    const struct message message = {
        .kind = MESSAGE_MQTT, .protocol = "mqtt", .number = transaction->number, .mqtt = &told};
    tap_tell(reader->tap, &message);
    free_transaction(reader, transaction);
}

static void tell_oldest(struct reader *reader)
{
    struct transaction *transaction = reader->oldest;
    reader->oldest = transaction->next;
    reader->waiting--;
    tell(reader, transaction, false);
}

/* NULL after the packet was given back: there is no memory. */
static struct transaction *begin(struct reader *reader, struct packet *packet)
{
    struct transaction *transaction = tap_alloc(reader->tap, sizeof(*transaction));
    if (transaction == NULL) {
        tap_free(reader->tap, packet);
        reader->tap->untold++;
        return NULL;
    }
    transaction->number = tap_number(reader->tap);
    transaction->packets[0] = packet;
    transaction->count = 1;
    return transaction;
}

static void let_wait(struct reader *reader, struct packet *packet)
{
    if (reader->waiting == MQTT_WAITING)
        tell_oldest(reader);
    struct transaction *transaction = begin(reader, packet), **end = &reader->oldest;
    if (transaction == NULL)
        return;
    while (*end != NULL)
        end = &(*end)->next;
    *end = transaction;
    reader->waiting++;
}

static void tell_alone(struct reader *reader, struct packet *packet)
{
    struct transaction *transaction = begin(reader, packet);
    if (transaction != NULL)
        tell(reader, transaction, true);
}

/* ---- what answers what ---- */

struct answer {
    enum mqtt_type to; /* the first of a transaction */
    bool by_same_side; /* as that which began it */
    bool is_last;
};

static const struct answer answers[] = {
    [MQTT_CONNACK] = {MQTT_CONNECT, false, true},
    [MQTT_PUBACK] = {MQTT_PUBLISH, false, true},
    [MQTT_PUBREC] = {MQTT_PUBLISH, false, false},
    [MQTT_PUBREL] = {MQTT_PUBLISH, true, false},
    [MQTT_PUBCOMP] = {MQTT_PUBLISH, false, true},
    [MQTT_SUBACK] = {MQTT_SUBSCRIBE, false, true},
    [MQTT_UNSUBACK] = {MQTT_UNSUBSCRIBE, false, true},
    [MQTT_AUTH] = {0, false, false},
};

static bool has_type(const struct transaction *transaction, enum mqtt_type type)
{
    for (size_t i = 0; i < transaction->count; i++)
        if (type_of(transaction->packets[i]) == type)
            return true;
    return false;
}

/* Where the transaction hangs that it belongs to; NULL if it is none of those that wait. */
static struct transaction **find(struct reader *reader, const struct packet *packet)
{
    const struct answer *answer = &answers[type_of(packet)];
    for (struct transaction **at = &reader->oldest; *at != NULL; at = &(*at)->next) {
        const struct packet *first = (*at)->packets[0];
        bool same_side = first->to_server == packet->to_server;
        if (type_of(first) == answer->to && same_side == answer->by_same_side &&
            first->id == packet->id)
            return at;
    }
    return NULL;
}

static void take_answer(struct reader *reader, struct packet *packet, bool is_last)
{
    struct transaction **at = find(reader, packet);
    if (at == NULL || has_type(*at, type_of(packet)) || (*at)->count == PACKETS) {
        tell_alone(reader, packet);
        return;
    }
    struct transaction *transaction = *at;
    transaction->packets[transaction->count++] = packet;
    if (!is_last)
        return;
    *at = transaction->next;
    reader->waiting--;
    tell(reader, transaction, true);
}

static bool wants_answer(const struct packet *packet)
{
    enum mqtt_type type = type_of(packet);
    return type == MQTT_CONNECT || type == MQTT_SUBSCRIBE || type == MQTT_UNSUBSCRIBE ||
           (type == MQTT_PUBLISH && (packet->first & 6) != 0);
}

/* ---- packets ---- */

/* Room for all of it that may be wanted. */
static void begin_packet(struct reader *reader, struct half *half)
{
    uint64_t size = MQTT_PACKET;
    if (half->header[0] >> 4 == MQTT_PUBLISH)
        size += reader->tap->options.bodies;
    if (half->length < size)
        size = half->length;
    half->in_packet = true;
    half->read = 0;
    half->packet = tap_alloc(reader->tap, sizeof(*half->packet) + size);
    if (half->packet == NULL)
        return;
    half->packet->to_server = half == &reader->halves[1];
    half->packet->first = half->header[0];
    half->packet->length = half->length;
    half->packet->size = (uint32_t)size;
}

/* What it says decides where it goes. MQTT 5, section 4.3.3: a PUBREC with an error is the end. */
static void place(struct reader *reader, struct packet *packet, int code)
{
    enum mqtt_type type = type_of(packet);
    if (answers[type].to != 0)
        take_answer(reader, packet, answers[type].is_last || (type == MQTT_PUBREC && code >= 0x80));
    else if (wants_answer(packet))
        let_wait(reader, packet);
    else
        tell_alone(reader, packet);
}

static bool take_packet(struct reader *reader, struct packet *packet)
{
    struct mqtt_parts parts;
    struct mqtt_packet said;
    parts.topic_count = parts.property_count = 0;
    if (type_of(packet) == MQTT_CONNECT)
        reader->version = mqtt_version(packet->bytes, packet->kept);
    const struct mqtt_bytes bytes = bytes_of(reader, packet);
    if (reader->version < 3 || reader->version > 5 || !mqtt_read(&said, &parts, &bytes)) {
        tap_fail(reader->tap, "an MQTT packet of type %d is malformed", (int)type_of(packet));
        tap_free(reader->tap, packet);
        return false;
    }
    if (!reader->tap->options.keep_credentials)
        wipe_secrets(packet, &said, &parts);
    packet->id = said.id;
    place(reader, shrink(reader, packet, &said), said.code);
    return true;
}

static bool end_packet(struct reader *reader, struct half *half)
{
    struct packet *packet = half->packet;
    half->in_packet = false;
    half->header_length = 0;
    half->packet = NULL;
    if (packet != NULL)
        return take_packet(reader, packet);
    reader->tap->untold++;
    return reader->version != 0 || tap_fail(reader->tap, "no memory is left for this connection");
}

/* ---- the fixed header ---- */

static bool check_header(struct reader *reader, const struct half *half)
{
    unsigned type = half->header[0] >> 4;
    bool is_connect = type == MQTT_CONNECT;
    if (!is_connect && reader->version == 0)
        return tap_fail(reader->tap, "MQTT that does not begin with CONNECT");
    if (is_connect && (reader->version != 0 || half != &reader->halves[1]))
        return tap_fail(reader->tap, "an MQTT CONNECT out of place");
    return type != 0 || tap_fail(reader->tap, "an MQTT packet of type 0");
}

/* False if there is an error. */
static bool read_header(struct reader *reader, struct half *half, uint8_t byte)
{
    half->header[half->header_length++] = byte;
    if (half->header_length == 1)
        return check_header(reader, half);
    if ((byte & 0x80) != 0)
        return half->header_length < HEADER_SIZE ||
               tap_fail(reader->tap, "the length of an MQTT packet is malformed");
    half->length = 0;
    for (uint32_t i = half->header_length - 1; i > 0; i--)
        half->length = half->length << 7 | (half->header[i] & 0x7f);
    begin_packet(reader, half);
    return half->length > 0 || end_packet(reader, half);
}

static size_t read_body(struct half *half, const uint8_t *bytes, size_t length)
{
    struct packet *packet = half->packet;
    uint64_t left = half->length - half->read;
    size_t count = left < length ? (size_t)left : length;
    half->read += count;
    if (packet != NULL) {
        size_t room = packet->size - packet->kept, kept = count < room ? count : room;
        memcpy(packet->bytes + packet->kept, bytes, kept);
        packet->kept += (uint32_t)kept;
    }
    return count;
}

/* ---- the reader ---- */

static bool start(void *state, struct tap *tap)
{
    struct reader *reader = state;
    reader->tap = tap;
    return true;
}

static bool read_bytes(void *state, bool to_server, const uint8_t *bytes, size_t length)
{
    struct reader *reader = state;
    struct half *half = &reader->halves[to_server ? 1 : 0];
    while (length > 0) {
        size_t count = 1;
        if (!half->in_packet) {
            if (!read_header(reader, half, bytes[0]))
                return false;
        } else {
            count = read_body(half, bytes, length);
            if (half->read == half->length && !end_packet(reader, half))
                return false;
        }
        bytes += count;
        length -= count;
    }
    return true;
}

static void fini(void *state)
{
    struct reader *reader = state;
    while (reader->oldest != NULL)
        tell_oldest(reader);
    for (size_t i = 0; i < ARRAY_SIZE(reader->halves); i++) {
        tap_free(reader->tap, reader->halves[i].packet);
        reader->halves[i].packet = NULL;
    }
}

const struct tap_kind mqtt_tap = {.name = "mqtt",
                                  .size = sizeof(struct reader),
                                  .start = start,
                                  .read = read_bytes,
                                  .fini = fini};
