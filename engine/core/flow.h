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
#include <string.h>
#include <time.h>

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
    const char *device_name;  /* as the operator or the network calls it; NULL if unknown */
    const char *vendor;       /* who made the device; NULL if unknown */
    time_t first_seen;        /* the device, by the clock on the wall; 0 if unknown */

    bool opened;     /* the device's first bytes were read: no better name will come */
    const char *sni; /* in the ClientHello, or the name an operator asks about; NULL if unknown */
    bool ech;        /* with an encrypted one in it, or what pretends to be that */
    uint32_t quic_version; /* that the first datagram begins with; 0: none, or not looked at */
    const char *host;      /* in a plain HTTP request; NULL if unknown */
    /* What the device was told by DNS to be at the origin's address, the latest first. */
    const char *const *names;
    size_t name_count;
    bool names_crowded;     /* there are, or lately were, more than these */
    uint64_t names_until;   /* till then all of them are known, on clock_ms() */
    uint64_t names_version; /* of all that is known of names, when these were looked up */
};

/* Whom a device is known by: its MAC address or, where there is none, its IP address. Equal keys
 * are equal bytes. */
struct device_key {
    uint8_t size;
    uint8_t bytes[16];
};

static inline struct device_key flow_device_key(const struct flow *flow)
{
    struct device_key key = {.size = MAC_SIZE};
    if (flow->has_mac) {
        memcpy(key.bytes, flow->mac, MAC_SIZE);
        return key;
    }
    key.size = (uint8_t)address_ip_size(&flow->device);
    memcpy(key.bytes, &flow->device.ip, key.size);
    return key;
}

/* What happens to a connection. */
enum verdict {
    VERDICT_PASS, /* goes to its destination untouched */
    VERDICT_TAKE, /* is intercepted */
};

/* For which other connections to the same address and port that holds, too. */
enum holds {
    HOLDS_ONCE,
    HOLDS_FOR_DEVICE, /* those of the same device */
    HOLDS_FOR_ALL,    /* whoever asks */
};

/* "02:00:5e:10:00:01". Returns `text`. */
static inline const char *mac_text(const uint8_t mac[static MAC_SIZE],
                                   char text[static MAC_TEXT_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < MAC_SIZE; i++) {
        text[3 * i] = digits[mac[i] >> 4];
        text[3 * i + 1] = digits[mac[i] & 15];
        text[3 * i + 2] = i + 1 < MAC_SIZE ? ':' : '\0';
    }
    return text;
}

/* Made up by the device, often a new one for each network: no vendor's (IEEE 802, the "locally
 * administered" bit). */
static inline bool mac_is_randomized(const uint8_t mac[static MAC_SIZE])
{
    return (mac[0] & 3) == 2;
}

/* How every log line names a device: "10.0.0.7:50012 (cam)", or the address alone. Returns `text`.
 */
#define DEVICE_TEXT_SIZE 160
const char *flow_device_text(const struct flow *flow, char text[static DEVICE_TEXT_SIZE]);

/* The same where it is about the device, and not about a connection: "10.0.0.7 (cam)". */
const char *flow_device_ip_text(const struct flow *flow, char text[static DEVICE_TEXT_SIZE]);

/* The same for the end of a line that is about a destination: " for 10.0.0.7:50012 (cam)" where the
 * device has a name, otherwise nothing. Returns `text`. */
const char *flow_for_device_text(const struct flow *flow, char text[static DEVICE_TEXT_SIZE]);

#endif
