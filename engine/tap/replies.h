/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * replies.h - the replies of SMTP (RFC 5321, section 4.2) and FTP (RFC 959, section 4.2): a code of
 * three digits, in one line or in several. Pure functions of untrusted bytes. */
#ifndef TAP_REPLIES_H
#define TAP_REPLIES_H

#include "core/text.h"

/* All-zero: between replies. */
struct replies {
    bool in_reply;
    unsigned code; /* of the reply that is read, or was last */
};

/* A line. */
struct reply {
    unsigned code; /* 0: in the midst of a reply it may have none */
    struct text text;
    bool is_last;
};

/* False if the line begins no reply, and is within none. */
bool replies_read(struct replies *replies, struct text line, struct reply *reply) must_check;

#endif
