/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/peer.h"

#include <sys/socket.h>
#include <unistd.h>

#define GROUPS_LIMIT 256

static bool is_member(int fd, gid_t group)
{
    gid_t groups[GROUPS_LIMIT];
    socklen_t length = sizeof(groups);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &length) != 0)
        return false;
    for (size_t i = 0; i < length / sizeof(groups[0]); i++)
        if (groups[i] == group)
            return true;
    return false;
}

bool control_peer_identify(struct control_peer *peer, int fd, bool read_only)
{
    struct ucred credentials;
    socklen_t length = sizeof(credentials);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0)
        return false;
    *peer = (struct control_peer){
        .uid = credentials.uid,
        .pid = credentials.pid,
        .read_only = read_only,
        .insider = !read_only || credentials.uid == 0 || credentials.uid == geteuid() ||
                   credentials.gid == getegid() || is_member(fd, getegid()),
    };
    return true;
}
