/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * quic.h - the ClientHello in a QUIC client's first datagrams (RFC 9000, RFC 9001, and RFC 9369 for
 * version 2).
 *
 * Its Initial packets are encrypted so that changes on the way are noticed: who sees the packet has
 * the keys. Nobody is asked, and nothing is answered. What comes out depends on the bytes alone. */
#ifndef TLS_QUIC_H
#define TLS_QUIC_H

#include "tls/crypto_stream.h"

/* A client's first datagrams have as much at least (RFC 9000, section 14.1). */
#define QUIC_DATAGRAM_MINIMUM 1200

#define QUIC_ID_LIMIT 20
#define QUIC_KEY_SIZE 16
#define QUIC_IV_SIZE 12

struct quic_keys {
    uint8_t key[QUIC_KEY_SIZE], iv[QUIC_IV_SIZE];
    uint8_t header_key[QUIC_KEY_SIZE];
};

/* What the first datagrams of one flow have told so far. All-zero before the first one. */
struct quic_hello {
    bool begun;       /* it is QUIC, as far as it can be read */
    bool broken;      /* and will not become a ClientHello */
    uint32_t version; /* of the connection, and whom it is addressed to: once keys are derived */
    uint8_t id[QUIC_ID_LIMIT];
    size_t id_length;
    struct quic_keys keys;
    struct crypto_stream stream;
};

enum quic_result {
    QUIC_COMPLETE, /* the ClientHello is there: crypto_stream_message() of `stream` */
    QUIC_MORE,     /* more datagrams would tell more */
    QUIC_NONE,     /* they would not: no QUIC, or none that can be read */
};

/* The means of decryption, which are costly to get and cheap to use. One thread. */
struct quic_reader;

/* NULL if OpenSSL does not provide what is needed. */
struct quic_reader *quic_reader_new(void) must_check;
void quic_reader_free(struct quic_reader *quic);

/* Reads one more datagram from the device. It may be cut short, or be several that the kernel has
 * joined (UDP GSO). Keys are derived once a flow, and each byte is decrypted once. */
enum quic_result quic_read(struct quic_reader *quic, struct quic_hello *hello,
                           const uint8_t *datagram, size_t length);

/* The version that a first datagram begins with, known to us or not (RFC 8999); 0: no QUIC. */
uint32_t quic_version(const uint8_t *datagram, size_t length);

#endif
