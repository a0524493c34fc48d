/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * grpc.h - gRPC over HTTP/2: counts the messages in the body of a request or a response (a byte
 * that tells whether it is compressed, four that tell its length, and the message), and reads what
 * the server says about its status. Pure functions of untrusted bytes; keep no more than the
 * structure.
 */
#ifndef TAP_GRPC_H
#define TAP_GRPC_H

#include "core/text.h"

#define GRPC_MESSAGE 1024

/* All-zero is the start of a body. */
struct grpc {
    uint64_t messages; /* that have begun */
    uint32_t left;     /* of the one that goes on */
    uint32_t prefix_length;
    uint8_t prefix[5];
};

/* True for "application/grpc", and with what may follow: "+proto", ";…". */
bool grpc_is(struct text content_type);

void grpc_read(struct grpc *grpc, const uint8_t *bytes, size_t length);

/* What the header "grpc-message" says, without its percent-encoding: the first GRPC_MESSAGE bytes,
 * written to `to`, which has room for as many. A percent sign that starts no two hexadecimal digits
 * stands for itself, as gRPC wants it. */
struct text grpc_message(struct text header, char *to);

#endif
