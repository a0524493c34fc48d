/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * grpc.h - counts the messages in the body of a gRPC request or response: a byte that tells whether
 * it is compressed, four that tell its length, and the message. A pure function of untrusted bytes;
 * keeps no more than this structure. */
#ifndef TAP_GRPC_H
#define TAP_GRPC_H

#include "core/text.h"

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

#endif
