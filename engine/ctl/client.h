/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * client.h - questions to the running daemon, over its control socket. */
#ifndef CTL_CLIENT_H
#define CTL_CLIENT_H

#include "core/macros.h"

#include <jansson.h>

/* The exit statuses of interceptctl. */
enum status {
    STATUS_DONE = 0,
    STATUS_FAILED = 1,
    STATUS_USAGE = 2,
    STATUS_NOT_RUNNING = 3,
    STATUS_NO_PERMISSION = 4,
    STATUS_TIMEOUT = 5,
};

struct client {
    const char *socket_path;
    unsigned timeout; /* seconds that an answer may take */
};

/* Sends one command; takes over `arguments`, which may be NULL. The value of "data" (NULL if there
 * is none) is the caller's in *data. On failure the reason has been told on standard error. */
enum status client_ask(const struct client *client, const char *command, json_t *arguments,
                       json_t **data) must_check;

#endif
