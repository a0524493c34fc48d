/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * dns_told.h - what is told of one DNS message: a query, or an answer with its records, as texts.
 *
 * A pure function of untrusted bytes. Memory: the structure of 7 KiB, meant for the stack, and
 * while it lives what ldns makes of the message, and its texts: no more than DNS_RECORDS records of
 * DNS_TEXT bytes each. */
#ifndef TAP_DNS_TOLD_H
#define TAP_DNS_TOLD_H

#include "core/arena.h"
#include "core/message.h"

/* Of answers and authorities each; what is more is left out, and what is longer is cut. */
#define DNS_RECORDS 32
#define DNS_TEXT 1024

struct dns_told {
    struct dns_event event; /* points into the rest; who has it may add to it */
    struct dns_record answers[DNS_RECORDS], authorities[DNS_RECORDS];
    struct arena texts;
};

/* `length` is the message's own, of which the first bytes are enough if that is more than
 * DNS_MESSAGE_LIMIT: then only the question is read, and the event is `cut`. False if it is no
 * message; then, too, it has an end: dns_told_fini(). */
bool dns_told_init(struct dns_told *told, const uint8_t *bytes, size_t length) must_check;
void dns_told_fini(struct dns_told *told);

#endif
