/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * link.h - a lasting connection to the daemon's control socket: requests go out and answers come in
 * as they are ready, and nothing waits. For whoever has a loop of its own. */
#ifndef CTL_LINK_H
#define CTL_LINK_H

#include "core/macros.h"

#include <jansson.h>
#include <stdbool.h>

struct link {
    int fd; /* -1: not connected */
    char *input;
    size_t input_length;
    json_int_t last_id; /* of the last request */
};

/* False with errno if nobody listens there. */
bool link_open(struct link *link, const char *path) must_check;
void link_close(struct link *link);

/* Sends a request, and takes over its arguments (NULL: none). The number that the answer will have
 * as its id; 0 if the connection is lost, and closed. */
json_int_t link_send(struct link *link, const char *command, json_t *arguments);

/* The next message that is there, to be freed; NULL if there is none. When the connection is lost
 * it is closed. */
json_t *link_receive(struct link *link);

#endif
