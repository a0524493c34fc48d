/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * client.h - talking to the running daemon, over its control socket: one question, or a connection
 * that lasts. */
#ifndef CTL_CLIENT_H
#define CTL_CLIENT_H

#include "core/macros.h"

#include <jansson.h>
#include <stdbool.h>

/* The exit statuses of interceptctl. */
enum status {
    STATUS_DONE = 0,
    STATUS_FAILED = 1,
    STATUS_USAGE = 2,
    STATUS_NOT_RUNNING = 3,
    STATUS_NO_PERMISSION = 4,
    STATUS_TIMEOUT = 5,
    STATUS_CONFLICT = 6,
};

struct client {
    const char *socket_path;
    unsigned timeout; /* seconds that an answer may take; 0: as long as the command may */
};

/* A connection that lasts. */
struct connection {
    FILE *stream;
    bool read_only; /* it is to the socket for those who only ask */
    json_int_t last_id;
};

/* Connects to the socket, or to the one beside it, and tells nothing: -1 with errno. */
int client_open(const char *path) must_check;

/* Connects; who may not, to the socket beside it for those who only ask. On failure the reason has
 * been told on standard error. */
enum status client_connect(const struct client *client, struct connection *connection) must_check;
void client_disconnect(struct connection *connection);

/* Sends one command and waits for its answer; takes over `arguments`, which may be NULL.
 * `revision` is the policy's that it is for; -1: any. The whole answer is the caller's in *answer,
 * also where it is a refusal; NULL if there is none. Nothing is told. Streamed lines that come
 * before it are dropped. */
enum status client_request(const struct client *client, struct connection *connection,
                           const char *command, json_t *arguments, json_int_t revision,
                           json_t **answer) must_check;

/* Tells on standard error why an answer is none, or a refusal. Returns the status. */
enum status client_complain(enum status status, const json_t *answer);

/* The next line of a stream, however long that takes. It is the caller's; NULL when the daemon has
 * ended. */
json_t *client_next(struct connection *connection);

/* Connects, asks and disconnects. The value of "data" (NULL if there is none) is the caller's in
 * *data. On failure the reason has been told on standard error. */
enum status client_ask(const struct client *client, const char *command, json_t *arguments,
                       json_t **data) must_check;

#endif
