/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * dns_told.h - what is told of one DNS message: a query, or an answer with its records, as texts.
 *
 * A pure function of untrusted bytes. Memory: the structure of 7 KiB, meant for the stack, and
 * while it lives what ldns makes of the message, and DNS_TEXTS bytes of texts. */
#ifndef TAP_DNS_TOLD_H
#define TAP_DNS_TOLD_H

#include "core/arena.h"
#include "core/message.h"

/* Of answers and authorities each; what is more is left out. */
#define DNS_RECORDS 32
/* Of one text, and of all. What is longer is cut, and no further record is read: a short message,
 * with names made of pointers, can become long. So it takes less than a millisecond (measured), and
 * fits in one line of a file of records even if each byte is escaped, and stands there twice. */
#define DNS_TEXT 1024
#define DNS_TEXTS ((size_t)16 << 10)

struct dns_told {
    struct dns_event event; /* points into the rest; who has it may add to it */
    struct dns_record answers[DNS_RECORDS], authorities[DNS_RECORDS];
    struct arena texts;
    size_t room; /* for texts */
};

/* `length` is the message's own, of which the first bytes are enough if that is more than
 * DNS_MESSAGE_LIMIT: then only the question is read, and the event is `cut`. False if it is no
 * message; then, too, it has an end: dns_told_fini(). */
bool dns_told_init(struct dns_told *told, const uint8_t *bytes, size_t length) must_check;
void dns_told_fini(struct dns_told *told);

#endif
