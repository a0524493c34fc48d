/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * server_hello.h - what a server says first: the ServerHello (RFC 8446, section 4.1.3; RFC 5246
 * before). A pure function of untrusted bytes. */
#ifndef TLS_SERVER_HELLO_H
#define TLS_SERVER_HELLO_H

#include "core/reader.h"

/* The extensions are a view into the message, so they live as long as it does. */
struct server_hello {
    uint16_t legacy_version;
    uint16_t cipher;
    struct reader extensions; /* type, length, content; as they came */
};

/* Reads a handshake message, without its records. False if it is another one, or broken; also a
 * HelloRetryRequest, which looks like a ServerHello and is none (RFC 8446, section 4.1.4). */
bool server_hello_parse(struct server_hello *hello, const void *message, size_t length) must_check;

#endif
