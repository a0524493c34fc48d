/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * flow.h - who wants to talk to whom: all that is known of a connection when a decision is made.
 *
 * A plain value. The gate fills it from a packet, a connection from its sockets and the
 * ClientHello, `interceptctl explain` from the operator's text. */
#ifndef CORE_FLOW_H
#define CORE_FLOW_H

#include "core/address.h"

#include <net/if.h>

#define MAC_SIZE 6
#define MAC_TEXT_SIZE 18

struct flow {
    struct address device;    /* where the connection comes from */
    struct address origin;    /* its original destination */
    uint8_t protocol;         /* IPPROTO_TCP or IPPROTO_UDP */
    bool to_this_box;         /* the destination is one of our own addresses */
    bool has_mac;             /* `mac` is known */
    uint8_t mac[MAC_SIZE];    /* the device's Ethernet address */
    char interface[IFNAMSIZ]; /* where the device is; empty if unknown */
    bool hello_read;          /* the ClientHello was read: no better name will come */
    const char *name;         /* the SNI, or the name an operator asks about; NULL if unknown */
};

/* What happens to a connection. */
enum verdict {
    VERDICT_PASS, /* goes to its destination untouched */
    VERDICT_TAKE, /* is intercepted */
};

/* "02:00:5e:10:00:01". Returns `text`. */
static inline const char *mac_text(const uint8_t mac[static MAC_SIZE],
                                   char text[static MAC_TEXT_SIZE])
{
    snprintf(text, MAC_TEXT_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
             mac[4], mac[5]);
    return text;
}

#endif
