/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * socket.h - the control sockets: one JSON object a line, each way.
 *
 *   -> {"id": 1, "cmd": "ignore.add", "args": {…}, "if_rev": 41}
 *   <- {"id": 1, "ok": true, "rev": 42, "data": …}
 *   or {"id": 1, "ok": false, "rev": 41, "code": "conflict", "error": "…", "data": …}
 *
 * The first line comes from us: {"interceptd": VERSION, "api": 1}. `rev` is the revision of the
 * policy that is in force. An answer may come late: requests of one client are answered in the
 * order in which they came, those of others meanwhile. A stream adds lines of its own.
 *
 * The second socket is for those who may only ask: it is open to everybody on this box, and says so
 * in its first line ("read_only": true). The control thread's. */
#ifndef CONTROL_SOCKET_H
#define CONTROL_SOCKET_H

#include "control/peer.h"
#include "core/jsonw.h"
#include "core/loop.h"

#include <jansson.h>

#define CONTROL_API 1
/* A longer request is refused. */
#define CONTROL_REQUEST_LIMIT ((size_t)1 << 20)
/* Lines of a stream that a slow reader has still to take: what comes then is lost, and counted. */
#define CONTROL_STREAM_LIMIT ((size_t)256 << 10)

/* One request: it is the answerer's until it is answered. */
struct control_request {
    const char *command;
    const json_t *arguments; /* NULL if there are none */
    struct control_peer peer;
    bool has_revision;
    json_int_t revision;                /* only if this one is in force */
    STAILQ_ENTRY(control_request) link; /* the answerer's */
};
STAILQ_HEAD(control_requests, control_request);

/* Takes a request, and answers it, now or later, by one of the functions below. */
typedef void control_answer(void *context, struct control_request *request);

struct control_socket;

struct control_socket_options {
    const char *path;      /* readable and writable for owner and group */
    const char *read_path; /* for everybody; NULL: there is no such socket */
    control_answer *answer;
    void *context;
};

/* Listens; replaces what is there. NULL after the reason was logged. */
struct control_socket *control_socket_open(struct loop *loop,
                                           const struct control_socket_options *options) must_check;

/* Closes, also the connections, and removes the paths. Requests that are not answered yet still
 * have to be; the answers go nowhere. */
void control_socket_close(struct control_socket *socket);

/* What `rev` is in all answers from now on. */
void control_socket_set_revision(struct control_socket *socket, uint64_t revision);

/* The answer, with a value of "data" (NULL or empty: none). The request is gone with it. */
void control_reply(struct control_request *request, struct jsonw *data);

/* A refusal: a word for programs, and a sentence for people; `data` may say more (NULL: no). */
void control_refuse(struct control_request *request, const char *code, struct jsonw *data,
                    const char *format, ...) printf_like(4, 5);

/* ---- streams ---- */

struct control_stream {
    void (*gone)(struct control_stream *stream); /* the client has left, and forgotten about it */
    struct client *client;                       /* NULL when it has left */
    uint64_t lost;                               /* lines that it has not been told of yet */
};

/* Answers the request with nothing but yes; lines may follow. False, and the request is refused, if
 * the client has a stream already. */
bool control_stream_open(struct control_stream *stream, struct control_request *request) must_check;

/* A line, with its end. Where the client is slow it is lost, and the client is told of how many:
 * {"gap": N}. */
void control_stream_send(struct control_stream *stream, const char *line, size_t length);

/* Lines that did not even come as far as here. */
void control_stream_lose(struct control_stream *stream, uint64_t lines);

/* Sends what was put: to be called when there is no more for now. */
void control_stream_flush(struct control_stream *stream);

/* The client gets no more lines. */
void control_stream_close(struct control_stream *stream);

#endif
