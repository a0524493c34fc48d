/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * outgoing.h - the bytes of TLS records on their way into a socket: several in one go.
 *
 * OpenSSL writes each record by itself. Whoever writes many in a row may have them gathered: then
 * the kernel makes packets of 63 KB of them instead of 16, and does all that it does with a packet
 * a quarter as often. What the socket does not take is kept, and goes before everything else; that
 * is never more than GATHER_SIZE for each side of a connection.
 *
 * One thread. Nothing here waits. */
#ifndef TLS_OUTGOING_H
#define TLS_OUTGOING_H

#include "core/macros.h"
#include "tls/io.h"

#include <openssl/bio.h>
#include <stddef.h>

/* As much as goes into one packet before it is cut into segments: 64 KB with its headers. */
#define GATHER_SIZE ((size_t)63 << 10)

/* A thread's: empty but between outgoing_gather() and outgoing_flush(). */
struct gather {
    size_t length;
    unsigned char bytes[GATHER_SIZE];
};

struct outgoing {
    int fd;                /* borrowed */
    struct gather *gather; /* borrowed, or NULL: each write goes to the socket at once */
    struct unsent *unsent; /* owned; NULL: nothing was left */
};

/* For SSL_set0_wbio(); borrows `outgoing`, all-zero but for `fd`. NULL if there is no memory. */
BIO *outgoing_bio(struct outgoing *outgoing) must_check;

/* From now on writes are gathered, until outgoing_flush(); which also ends it: IO_OK, IO_WANT_WRITE
 * if the rest waits until the socket is writable, or IO_RESET with errno, the socket's or ENOMEM.
 */
void outgoing_gather(struct outgoing *outgoing, struct gather *gather);
enum io outgoing_flush(struct outgoing *outgoing) must_check;

/* Forgets what was not sent. */
void outgoing_fini(struct outgoing *outgoing);

#endif
