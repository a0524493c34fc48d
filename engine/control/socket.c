/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/socket.h"

#include "control/output.h"
#include "core/file.h"
#include "core/log.h"
#include "core/version.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Of each socket: whoever may only ask keeps nobody out who may do more. */
#define CLIENTS_LIMIT 32
#define READ_SIZE 4096
/* Answers that are not taken yet: while there are more, no request is taken. */
#define OUTPUT_LIMIT ((size_t)64 << 10)

struct client {
    struct watch watch;
    struct control_socket *socket;
    struct listener *listener; /* that it came by */
    LIST_ENTRY(client) link;
    struct control_peer peer;
    struct pending *pending; /* the request that is not answered yet: no other is read meanwhile */
    struct control_stream *stream;
    char *input;
    size_t input_length;
    struct output output;
    bool leaving; /* the peer has sent its last request */
    bool broken;  /* to be dropped at the next chance */
};

/* A request, with what its answer needs. */
struct pending {
    struct control_request request;
    struct client *client; /* NULL if it has left */
    json_t *line;
};

struct listener {
    struct watch watch;
    struct control_socket *socket;
    char *path; /* NULL: not open */
    bool read_only;
    size_t client_count;
};

struct control_socket {
    struct loop *loop;
    struct listener listeners[2];
    struct control_socket_options options;
    uint64_t revision;
    LIST_HEAD(client_list, client) clients;
};

static void drop_client(struct client *client)
{
    int fd = client->watch.fd;
    loop_remove(client->socket->loop, &client->watch);
    close(fd);
    LIST_REMOVE(client, link);
    client->listener->client_count--;
    if (client->pending != NULL)
        client->pending->client = NULL;
    if (client->stream != NULL) {
        client->stream->client = NULL;
        client->stream->gone(client->stream);
    }
    free(client->input);
    output_fini(&client->output);
    free(client);
}

/* ---- output ---- */

static void append_output(struct client *client, const char *text, size_t length)
{
    if (!output_append(&client->output, text, length))
        client->broken = true;
}

/* Where nothing waits to be sent there is room to tell of what was lost. */
static void append_gap(struct client *client)
{
    struct control_stream *stream = client->stream;
    char line[48];
    if (stream == NULL || stream->lost == 0 || output_length(&client->output) > 0)
        return;
    int length = snprintf(line, sizeof(line), "{\"gap\":%llu}\n", (unsigned long long)stream->lost);
    stream->lost = 0;
    append_output(client, line, (size_t)length);
}

static const char *first_newline(const struct client *client, size_t at)
{
    return at < client->input_length ? memchr(client->input + at, '\n', client->input_length - at)
                                     : NULL;
}

/* It has said its last word, and has heard ours. */
static bool is_done(const struct client *client)
{
    return client->leaving && client->pending == NULL && client->stream == NULL &&
           output_length(&client->output) == 0 && first_newline(client, 0) == NULL;
}

/* Sends what can be sent. While answers wait to be read, or one is still to come, no further
 * request is. False if the client is gone. */
static bool flush_output(struct client *client)
{
    if (!output_send(&client->output, client->watch.fd))
        return false;
    append_gap(client);
    if (client->broken || !output_send(&client->output, client->watch.fd) || is_done(client))
        return false;
    uint32_t events = client->pending != NULL || client->leaving ? 0 : (uint32_t)EPOLLIN;
    if (output_length(&client->output) > 0)
        events = EPOLLOUT;
    loop_change(client->socket->loop, &client->watch, events);
    return true;
}

/* ---- answers ---- */

static void write_answer(struct jsonw *answer, const struct pending *pending, uint64_t revision,
                         const char *code, const char *error, struct jsonw *data)
{
    const json_t *id = json_object_get(pending->line, "id");
    const char *text = data != NULL ? jsonw_text(data) : NULL;
    jsonw_object(answer, NULL);
    if (json_is_integer(id))
        jsonw_int(answer, "id", json_integer_value(id));
    jsonw_bool(answer, "ok", code == NULL);
    jsonw_uint(answer, "rev", revision);
    jsonw_string(answer, "code", code);
    jsonw_string(answer, "error", error);
    if (text != NULL)
        jsonw_raw(answer, "data", text);
    jsonw_object_end(answer);
}

/* The answer to the client's request, if it is still there: then it may go on, in the next turn of
 * the loop. */
static void answer(struct control_request *request, const char *code, const char *error,
                   struct jsonw *data)
{
    struct pending *pending = container_of(request, struct pending, request);
    struct client *client = pending->client;
    if (client != NULL) {
        struct jsonw line;
        jsonw_init_growing(&line);
        write_answer(&line, pending, client->socket->revision, code, error, data);
        const char *text = jsonw_text(&line);
        client->broken = client->broken || text == NULL;
        if (text != NULL) {
            append_output(client, text, line.length);
            append_output(client, "\n", 1);
        }
        jsonw_fini(&line);
        client->pending = NULL;
        loop_again(client->socket->loop, &client->watch);
    }
    json_decref(pending->line);
    free(pending);
}

void control_reply(struct control_request *request, struct jsonw *data)
{
    answer(request, NULL, NULL, data);
}

void control_refuse(struct control_request *request, const char *code, struct jsonw *data,
                    const char *format, ...)
{
    char error[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error, sizeof(error), format, arguments);
    va_end(arguments);
    answer(request, code, error, data);
}

/* ---- requests ---- */

static void take_request(struct client *client, const char *line, size_t length)
{
    struct control_socket *socket = client->socket;
    struct pending *pending = calloc(1, sizeof(*pending));
    CHECK(pending != NULL);
    json_error_t problem;
    pending->line = json_loadb(line, length, 0, &problem);
    pending->client = client;
    client->pending = pending;
    const json_t *revision = json_object_get(pending->line, "if_rev");
    struct control_request *request = &pending->request;
    *request = (struct control_request){
        .command = json_string_value(json_object_get(pending->line, "cmd")),
        .arguments = json_object_get(pending->line, "args"),
        .peer = client->peer,
        .has_revision = revision != NULL,
        .revision = json_integer_value(revision),
    };
    if (request->command == NULL)
        control_refuse(request, "request", NULL, "a request is an object with \"cmd\"");
    else if (revision != NULL && !json_is_integer(revision))
        control_refuse(request, "request", NULL, "if_rev is to be a number");
    else
        socket->options.answer(socket->options.context, request);
}

/* Takes requests until there is none, one is to be answered later, or there are answers enough for
 * now. */
static void take_lines(struct client *client)
{
    size_t at = 0;
    const char *newline;
    while (client->pending == NULL && output_length(&client->output) < OUTPUT_LIMIT &&
           (newline = first_newline(client, at)) != NULL) {
        size_t end = (size_t)(newline - client->input);
        take_request(client, client->input + at, end - at);
        at = end + 1;
    }
    if (at > 0)
        memmove(client->input, client->input + at, client->input_length - at);
    client->input_length -= at;
}

static bool read_input(struct client *client)
{
    char *input = realloc(client->input, client->input_length + READ_SIZE);
    if (input == NULL)
        return false;
    client->input = input;
    ssize_t count = recv(client->watch.fd, client->input + client->input_length, READ_SIZE, 0);
    if (count < 0)
        return errno == EAGAIN || errno == EINTR;
    client->leaving = count == 0;
    client->input_length += (size_t)count;
    return true;
}

static void client_ready(struct watch *watch, uint32_t events)
{
    struct client *client = container_of(watch, struct client, watch);
    const bool busy = client->pending != NULL || output_length(&client->output) > 0;
    bool alive = true;
    if ((events & (EPOLLHUP | EPOLLERR)) != 0 && (busy || client->leaving))
        alive = false; /* nobody reads what is to come */
    else if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
        alive = read_input(client);
    if (alive)
        take_lines(client);
    if (!alive || client->input_length >= CONTROL_REQUEST_LIMIT || !flush_output(client)) {
        drop_client(client);
        return;
    }
    if (client->pending == NULL && output_length(&client->output) == 0 &&
        first_newline(client, 0) != NULL)
        loop_again(client->socket->loop, watch);
}

/* ---- clients ---- */

static void greet(struct client *client)
{
    char greeting[96];
    int length = snprintf(greeting, sizeof(greeting), "{\"interceptd\":\"%s\",\"api\":%d%s}\n",
                          INTERCEPTD_VERSION, CONTROL_API,
                          client->peer.read_only ? ",\"read_only\":true" : "");
    append_output(client, greeting, (size_t)length);
    if (!flush_output(client))
        drop_client(client);
}

static void accept_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    struct listener *listener = container_of(watch, struct listener, watch);
    struct control_socket *socket = listener->socket;
    int fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    struct client *client = calloc(1, sizeof(*client));
    if (client == NULL || listener->client_count == CLIENTS_LIMIT ||
        !control_peer_identify(&client->peer, fd, listener->read_only) ||
        !loop_add(socket->loop, &client->watch, fd, EPOLLIN, client_ready)) {
        free(client);
        close(fd);
        return;
    }
    client->socket = socket;
    client->listener = listener;
    LIST_INSERT_HEAD(&socket->clients, client, link);
    listener->client_count++;
    greet(client);
}

/* ---- streams ---- */

bool control_stream_open(struct control_stream *stream, struct control_request *request)
{
    struct client *client = container_of(request, struct pending, request)->client;
    if (client != NULL && client->stream != NULL) {
        control_refuse(request, "request", NULL, "there is a stream on this connection already");
        return false;
    }
    stream->client = client;
    stream->lost = 0;
    control_reply(request, NULL);
    if (client == NULL) {
        stream->gone(stream);
        return true;
    }
    client->stream = stream;
    return true;
}

void control_stream_send(struct control_stream *stream, const char *line, size_t length)
{
    if (stream->client == NULL)
        return;
    if (output_length(&stream->client->output) + length > CONTROL_STREAM_LIMIT || stream->lost > 0)
        stream->lost++;
    else
        append_output(stream->client, line, length);
}

void control_stream_lose(struct control_stream *stream, uint64_t lines)
{
    stream->lost += lines;
}

void control_stream_flush(struct control_stream *stream)
{
    struct client *client = stream->client;
    if (client != NULL && !flush_output(client)) {
        client->broken = true;
        loop_again(client->socket->loop, &client->watch);
    }
}

void control_stream_close(struct control_stream *stream)
{
    if (stream->client != NULL)
        stream->client->stream = NULL;
    stream->client = NULL;
}

/* ---- opening and closing ---- */

static int listen_at(const char *path, mode_t mode)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    (void)unlink(path);
    mode_t mask = umask(0777 & ~mode);
    bool done = bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
                listen(fd, CLIENTS_LIMIT) == 0;
    int error = errno;
    umask(mask);
    if (done)
        return fd;
    close(fd);
    errno = error;
    return -1;
}

static bool open_listener(struct control_socket *socket, size_t index, const char *path)
{
    struct listener *listener = &socket->listeners[index];
    listener->read_only = index == 1;
    if (path == NULL)
        return true;
    int fd =
        file_make_parents(path, 0755) ? listen_at(path, listener->read_only ? 0666 : 0660) : -1;
    if (fd < 0 || !loop_add(socket->loop, &listener->watch, fd, EPOLLIN, accept_ready)) {
        log_error("the control socket %s could not be opened: %m", path);
        if (fd >= 0)
            close(fd);
        return false;
    }
    listener->path = strdup(path);
    CHECK(listener->path != NULL);
    return true;
}

struct control_socket *control_socket_open(struct loop *loop,
                                           const struct control_socket_options *options)
{
    struct control_socket *socket = calloc(1, sizeof(*socket));
    CHECK(socket != NULL);
    socket->loop = loop;
    socket->options = *options;
    LIST_INIT(&socket->clients);
    for (size_t i = 0; i < ARRAY_SIZE(socket->listeners); i++)
        socket->listeners[i] = (struct listener){.watch.fd = -1, .socket = socket};
    if (open_listener(socket, 0, options->path) && open_listener(socket, 1, options->read_path))
        return socket;
    control_socket_close(socket);
    return NULL;
}

static void close_listener(struct listener *listener)
{
    int fd = listener->watch.fd;
    loop_remove(listener->socket->loop, &listener->watch);
    if (listener->path != NULL) {
        close(fd);
        (void)unlink(listener->path);
    }
    free(listener->path);
}

void control_socket_close(struct control_socket *socket)
{
    if (socket == NULL)
        return;
    while (!LIST_EMPTY(&socket->clients))
        drop_client(LIST_FIRST(&socket->clients)); // NOLINT: LIST_REMOVE is beyond the analyzer
    for (size_t i = 0; i < ARRAY_SIZE(socket->listeners); i++)
        close_listener(&socket->listeners[i]);
    free(socket);
}

void control_socket_set_revision(struct control_socket *socket, uint64_t revision)
{
    socket->revision = revision;
}
