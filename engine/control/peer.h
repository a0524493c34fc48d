/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * peer.h - who is at the other end of a control socket, as the kernel has it. */
#ifndef CONTROL_PEER_H
#define CONTROL_PEER_H

#include "core/macros.h"

#include <stdbool.h>
#include <sys/types.h>

struct control_peer {
    uid_t uid;
    pid_t pid;
    bool read_only; /* it came by the socket for those who may only ask */
    bool insider;   /* it could read the records' file: root, whom we run as, or of our group; or it
                       came by the other socket */
};

/* False with errno if the kernel does not tell. */
bool control_peer_identify(struct control_peer *peer, int fd, bool read_only) must_check;

#endif
