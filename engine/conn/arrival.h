/* SPDX-License-Identifier: GPL-3.0-or-later *
 * arrival.h - a taken connection arrives, and its states are laid out before it. */
#ifndef CONN_ARRIVAL_H
#define CONN_ARRIVAL_H

#include "conn/pool.h"

/* Takes over the socket. From here on the connection goes its way by itself. */
void arrival_start(struct pool *pool, int fd, const struct address *device,
                   const struct address *origin);

#endif
