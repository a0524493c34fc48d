/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * eve_mqtt.h - an MQTT transaction as Suricata's `mqtt`, with an object for each of its packets.
 *
 * Pure functions, for eve_message.c. */
#ifndef EVENT_EVE_MQTT_H
#define EVENT_EVE_MQTT_H

#include "core/jsonw.h"
#include "core/message.h"

/* Writes the object `mqtt`; `briefly` is without what may be long. */
void eve_mqtt_write(struct jsonw *json, const struct mqtt_transaction *mqtt, bool briefly);

/* Writes the object `mqtt` that stands under `intercept`: what Suricata has no words for. */
void eve_mqtt_write_extras(struct jsonw *json, const struct mqtt_transaction *mqtt, bool briefly);

#endif
