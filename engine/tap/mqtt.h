/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * mqtt.h - one MQTT control packet: 3.1, 3.1.1 and 5. Pure functions of untrusted bytes. */
#ifndef TAP_MQTT_H
#define TAP_MQTT_H

#include "core/message.h"

/* Of one transaction; what is more is left out. */
#define MQTT_TOPICS 64
#define MQTT_PROPERTIES 64

/* What packets point at. Empty if both counts are 0; packets may share it. */
struct mqtt_parts {
    size_t topic_count, property_count;
    struct mqtt_topic topics[MQTT_TOPICS];
    struct mqtt_property properties[MQTT_PROPERTIES];
};

/* A packet, or its start. */
struct mqtt_bytes {
    uint8_t first;   /* of the fixed header: type and flags */
    uint64_t length; /* of what follows the fixed header, */
    const uint8_t *at;
    size_t kept;      /* of which so much is there */
    unsigned version; /* that CONNECT has told: 3, 4, 5; of CONNECT itself it is not needed */
};

/* What the packet says, and points into the bytes and the parts. One that is not all there is
 * `truncated`, but for PUBLISH, whose message may be cut. False if it is none. */
bool mqtt_read(struct mqtt_packet *packet, struct mqtt_parts *parts,
               const struct mqtt_bytes *bytes) must_check;

/* The version that a CONNECT, or its start, asks for; 0 if it does not tell. */
unsigned mqtt_version(const uint8_t *at, size_t kept);

#endif
