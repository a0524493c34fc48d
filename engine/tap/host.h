/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * host.h - the host that a plain HTTP/1 request is for (RFC 9112, section 3.2).
 *
 * A pure function of untrusted bytes. */
#ifndef TAP_HOST_H
#define TAP_HOST_H

#include "core/macros.h"

#include <stdint.h>

#define HOST_SIZE 256

enum host_result {
    HOST_FOUND,
    HOST_MORE, /* the header is not whole yet */
    HOST_NONE, /* no HTTP/1 request, or none that names one host clearly */
};

/* Looks at a connection's first bytes. What is found has no port, is in lower case, and has nothing
 * in it but what names and addresses are made of. */
enum host_result host_read(char host[static HOST_SIZE], const uint8_t *bytes,
                           size_t length) must_check;

#endif
