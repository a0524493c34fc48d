/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * mqtt_tap.h - reads MQTT 3.1, 3.1.1 and 5, and tells each control packet with those that answer
 * it: CONNECT and CONNACK, PUBLISH and PUBACK (or PUBREC, PUBREL, PUBCOMP), SUBSCRIBE and SUBACK,
 * UNSUBSCRIBE and UNSUBACK; all others alone.
 *
 * The message of a PUBLISH, or of a will, is kept as far as bodies are asked for. A password is
 * overwritten as soon as its CONNECT is there, unless credentials are to be kept; so is what MQTT 5
 * authenticates with. A user name that comes without a password is taken for one: there are brokers
 * that want a token there.
 *
 * Memory: each packet that waits for its answer, up to MQTT_PACKET and as much of its message as is
 * wanted, and the one that is read in each direction; MQTT_WAITING of them wait, then the oldest is
 * told as it is. Packets for which the connection has no memory left are counted, and not told. */
#ifndef TAP_MQTT_TAP_H
#define TAP_MQTT_TAP_H

#include "tap/tap.h"

/* Of a packet, without the message of a PUBLISH. What is longer is told as truncated. */
#define MQTT_PACKET 8192
#define MQTT_WAITING 32

extern const struct tap_kind mqtt_tap;

#endif
