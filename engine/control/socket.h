/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * socket.h - the control socket: one JSON object a line, each way.
 *
 *   -> {"id": 1, "cmd": "status", "args": {…}}
 *   <- {"id": 1, "ok": true, "data": …}   or   {"id": 1, "ok": false, "error": "…"}
 *
 * The first line comes from us: {"interceptd": VERSION, "api": 1}. The control thread's. */
#ifndef CONTROL_SOCKET_H
#define CONTROL_SOCKET_H

#include "core/jsonw.h"
#include "core/loop.h"

#include <jansson.h>

#define CONTROL_API 1
/* A longer request is refused. */
#define CONTROL_REQUEST_LIMIT ((size_t)1 << 20)

/* Answers one request: writes the value of "data". NULL, or what is wrong, as a sentence. */
typedef const char *control_answer(void *context, const char *command, const json_t *arguments,
                                   struct jsonw *data);

struct control_socket;

/* A request whose answer is to come later. */
struct control_ticket {
    uint64_t client;
    bool has_id;
    int64_t id;
};

/* Within a control_answer only: what it returns is not the answer; that comes by
 * control_socket_reply(), and until then no further request of this client's is looked at. */
struct control_ticket control_socket_defer(struct control_socket *socket) must_check;

/* Answers it: `error` or, if that is NULL, `data`. If the client has left, nobody is told. */
void control_socket_reply(struct control_socket *socket, const struct control_ticket *ticket,
                          const char *error, struct jsonw *data);

/* Listens at `path`, readable and writable for owner and group; replaces what is there. NULL after
 * the reason was logged. */
struct control_socket *control_socket_open(struct loop *loop, const char *path,
                                           control_answer *answer, void *context) must_check;

/* Closes, also the connections, and removes the path. */
void control_socket_close(struct control_socket *socket);

#endif
