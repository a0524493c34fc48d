/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * eve_dns.h - a DNS query or answer as Suricata's `dns`, in its version 3: answers stand both one
 * by one and grouped by their type.
 *
 * Pure functions, for eve_message.c. */
#ifndef EVENT_EVE_DNS_H
#define EVENT_EVE_DNS_H

#include "core/jsonw.h"
#include "core/message.h"

/* Writes the object `dns`; `number` is the transaction's. */
void eve_dns_write(struct jsonw *json, const struct dns_event *dns, uint64_t number);

/* Writes the object `dns` that stands under `intercept`: what Suricata has no words for. */
void eve_dns_write_extras(struct jsonw *json, const struct dns_event *dns);

#endif
