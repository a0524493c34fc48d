/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * hello.h - what a device says first: the ClientHello (RFC 8446, section 4.1.2; RFC 5246 before).
 *
 * A pure function of untrusted bytes that are still in the socket: nothing is consumed. */
#ifndef TLS_HELLO_H
#define TLS_HELLO_H

#include "core/reader.h"

/* The longest ClientHello that is taken, and the bytes that its records may come to. */
#define HELLO_LIMIT ((size_t)64 << 10)
#define HELLO_WIRE_LIMIT (HELLO_LIMIT + 4096)

enum hello_result {
    HELLO_COMPLETE,
    HELLO_MORE,    /* a ClientHello so far: `need` bytes from the start would tell more */
    HELLO_NOT_TLS, /* something else, and that is certain */
    HELLO_BROKEN,  /* starts as a ClientHello and is none */
};

/* All parts are views into `message`, so they live as long as it does. */
struct hello {
    size_t need;
    uint16_t legacy_version;
    uint16_t max_version;        /* the highest TLS version offered that there is: at most 1.3 */
    struct reader ciphers;       /* of 2 bytes each */
    struct reader extensions;    /* type, length, content; as they came */
    struct reader groups;        /* of 2 bytes each */
    struct reader point_formats; /* of a byte each */
    struct reader signatures;    /* of 2 bytes each; empty if not given */
    struct reader versions;      /* of 2 bytes each; empty if not given */
    struct reader alpn;          /* protocol names, each behind its length */
    char name[256];              /* the SNI host name, or "" */
    bool has_sni, has_alpn, has_ech;
};

/* Reads the records in `bytes`, which start at the connection's first byte; joins the ClientHello
 * in `message`. Only with HELLO_COMPLETE is the rest of `hello` set. */
enum hello_result hello_parse(struct hello *hello, const uint8_t *bytes, size_t length,
                              uint8_t message[static HELLO_LIMIT]);

/* The same of a handshake message that is there already, without its records. */
enum hello_result hello_parse_message(struct hello *hello, const uint8_t *message, size_t length);

/* True if the device can be shown an ECDSA certificate on P-256 in this TLS version. */
bool hello_takes_ecdsa(const struct hello *hello, uint16_t version);

/* True if one of the 2-byte values of `list` is this one. */
bool hello_list_has(struct reader list, uint16_t wanted);

/* Values that are there only to be ignored (RFC 8701). */
static inline bool is_grease(uint16_t value)
{
    return (value & 0x0f0f) == 0x0a0a && value >> 8 == (value & 0xff);
}

/* The extension types that are looked at anywhere. */
enum { EXTENSION_SERVER_NAME = 0, EXTENSION_GROUPS = 10, EXTENSION_POINT_FORMATS = 11 };
enum {
    EXTENSION_SIGNATURES = 13,
    EXTENSION_ALPN = 16,
    EXTENSION_VERSIONS = 43,
    EXTENSION_ECH = 0xfe0d
};

#endif
