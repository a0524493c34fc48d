/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * listener.h - the sockets that taken connections arrive at. */
#ifndef GATE_LISTENER_H
#define GATE_LISTENER_H

#include "core/address.h"

/* A non-blocking, transparent (IP_TRANSPARENT) listening socket for one family, on every address.
 * Several of them, one a worker, may share the port (SO_REUSEPORT): the kernel spreads connections
 * evenly. -1 with errno: EADDRINUSE if somebody else has the port. */
int listener_open(sa_family_t family, uint16_t port) must_check;

/* Takes the next connection off the listener: a non-blocking socket, the device's address and the
 * connection's original destination. -1 with errno. */
int listener_accept(int listener, struct address *device, struct address *origin) must_check;

/* True if the address is one of this box's own. */
bool listener_address_is_ours(const struct address *address);

#endif
