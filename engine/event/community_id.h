/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * community_id.h - a connection's Community ID, version 1: the text by which Zeek, Suricata and
 * others tell that they speak of the same one (corelight/community-id-spec; seed 0). */
#ifndef EVENT_COMMUNITY_ID_H
#define EVENT_COMMUNITY_ID_H

#include "core/address.h"

/* "1:", 20 bytes in base64, NUL. */
#define COMMUNITY_ID_SIZE 31

/* The same for both directions. `protocol` is IP's number for TCP or UDP. Returns `text`, which is
 * "" if the addresses are of two families. */
const char *community_id(uint8_t protocol, const struct address *from, const struct address *to,
                         char text[static COMMUNITY_ID_SIZE]);

#endif
