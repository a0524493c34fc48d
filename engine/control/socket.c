/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/socket.h"

#include "core/file.h"
#include "core/log.h"
#include "core/version.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CLIENTS_LIMIT 32
#define READ_SIZE 4096

struct client {
    struct watch watch;
    struct control_socket *socket;
    LIST_ENTRY(client) link;
    uint64_t number;
    bool waiting; /* for an answer that comes later */
    char *input;
    size_t input_length;
    char *output; /* what could not be sent yet */
    size_t output_start, output_end;
    bool leaving; /* the peer has sent its last request */
};

struct control_socket {
    struct loop *loop;
    struct watch watch;
    int fd;
    char *path;
    control_answer *answer;
    void *context;
    struct control_ticket asked; /* of the request that is being answered */
    bool deferred;
    uint64_t last_number;
    size_t client_count;
    LIST_HEAD(client_list, client) clients;
};

static void drop_client(struct client *client)
{
    int fd = client->watch.fd;
    loop_remove(client->socket->loop, &client->watch);
    close(fd);
    LIST_REMOVE(client, link);
    client->socket->client_count--;
    free(client->input);
    free(client->output);
    free(client);
}

/* ---- answers ---- */

static bool append_output(struct client *client, const char *text, size_t length)
{
    size_t pending = client->output_end - client->output_start;
    char *output = malloc(pending + length);
    if (output == NULL)
        return false;
    if (pending > 0)
        memcpy(output, client->output + client->output_start, pending);
    memcpy(output + pending, text, length);
    free(client->output);
    client->output = output;
    client->output_start = 0;
    client->output_end = pending + length;
    return true;
}

/* Sends what can be sent. While answers wait to be read, or are still to come, no further request
 * is. False if the client is gone. */
static bool flush_output(struct client *client)
{
    while (client->output_start < client->output_end) {
        ssize_t count = send(client->watch.fd, client->output + client->output_start,
                             client->output_end - client->output_start, MSG_NOSIGNAL);
        if (count < 0 && errno == EAGAIN) {
            loop_change(client->socket->loop, &client->watch, EPOLLOUT);
            return true;
        }
        if (count < 0)
            return false;
        client->output_start += (size_t)count;
    }
    loop_change(client->socket->loop, &client->watch, client->waiting ? 0 : EPOLLIN);
    return !client->leaving || client->waiting;
}

static bool send_answer(struct client *client, const struct control_ticket *ticket,
                        const char *error, struct jsonw *data)
{
    const char *text = jsonw_text(data);
    struct jsonw answer;
    jsonw_init_growing(&answer);
    jsonw_object(&answer, NULL);
    if (ticket->has_id)
        jsonw_int(&answer, "id", ticket->id);
    jsonw_bool(&answer, "ok", error == NULL);
    if (error != NULL)
        jsonw_string(&answer, "error", error);
    else if (text != NULL)
        jsonw_raw(&answer, "data", text);
    jsonw_object_end(&answer);
    const char *line = jsonw_text(&answer);
    bool done = line != NULL && append_output(client, line, answer.length) &&
                append_output(client, "\n", 1);
    jsonw_fini(&answer);
    return done;
}

static bool answer_request(struct client *client, const json_t *request)
{
    struct control_socket *socket = client->socket;
    const json_t *id = json_object_get(request, "id");
    const char *command = json_string_value(json_object_get(request, "cmd"));
    struct jsonw data;
    jsonw_init_growing(&data);
    socket->asked = (struct control_ticket){
        .client = client->number, .has_id = json_is_integer(id), .id = json_integer_value(id)};
    socket->deferred = false;
    const char *error = "a request is an object with \"cmd\"";
    if (command != NULL)
        error = socket->answer(socket->context, command, json_object_get(request, "args"), &data);
    client->waiting = socket->deferred;
    bool done = client->waiting || send_answer(client, &socket->asked, error, &data);
    jsonw_fini(&data);
    return done;
}

static bool answer_line(struct client *client, const char *line, size_t length)
{
    json_error_t problem;
    json_t *request = json_loadb(line, length, 0, &problem);
    bool done = answer_request(client, request);
    json_decref(request);
    return done;
}

struct control_ticket control_socket_defer(struct control_socket *socket)
{
    socket->deferred = true;
    return socket->asked;
}

/* ---- requests ---- */

static bool answer_lines(struct client *client)
{
    size_t at = 0;
    const char *newline;
    while (!client->waiting &&
           (newline = memchr(client->input + at, '\n', client->input_length - at)) != NULL) {
        size_t end = (size_t)(newline - client->input);
        if (!answer_line(client, client->input + at, end - at))
            return false;
        at = end + 1;
    }
    memmove(client->input, client->input + at, client->input_length - at);
    client->input_length -= at;
    return client->input_length < CONTROL_REQUEST_LIMIT;
}

void control_socket_reply(struct control_socket *socket, const struct control_ticket *ticket,
                          const char *error, struct jsonw *data)
{
    struct client *client;
    LIST_FOREACH (client, &socket->clients, link)
        if (client->number == ticket->client)
            break;
    if (client == NULL)
        return;
    client->waiting = false;
    if (!send_answer(client, ticket, error, data) || !answer_lines(client) || !flush_output(client))
        drop_client(client);
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
    return answer_lines(client);
}

static void client_ready(struct watch *watch, uint32_t events)
{
    struct client *client = container_of(watch, struct client, watch);
    bool alive = true;
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
        alive = read_input(client);
    if (!alive || !flush_output(client))
        drop_client(client);
}

static void accept_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    struct control_socket *socket = container_of(watch, struct control_socket, watch);
    int fd = accept4(socket->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    struct client *client = calloc(1, sizeof(*client));
    if (client == NULL || socket->client_count == CLIENTS_LIMIT ||
        !loop_add(socket->loop, &client->watch, fd, EPOLLIN, client_ready)) {
        free(client);
        close(fd);
        return;
    }
    client->socket = socket;
    client->number = ++socket->last_number;
    LIST_INSERT_HEAD(&socket->clients, client, link);
    socket->client_count++;
    char greeting[80];
    int length = snprintf(greeting, sizeof(greeting), "{\"interceptd\":\"%s\",\"api\":%d}\n",
                          INTERCEPTD_VERSION, CONTROL_API);
    if (!append_output(client, greeting, (size_t)length) || !flush_output(client))
        drop_client(client);
}

/* ---- opening and closing ---- */

static int listen_at(const char *path)
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
    mode_t mask = umask(0117);
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

struct control_socket *control_socket_open(struct loop *loop, const char *path,
                                           control_answer *answer, void *context)
{
    struct control_socket *socket = calloc(1, sizeof(*socket));
    CHECK(socket != NULL);
    *socket =
        (struct control_socket){.loop = loop, .watch.fd = -1, .answer = answer, .context = context};
    LIST_INIT(&socket->clients);
    socket->path = strdup(path);
    CHECK(socket->path != NULL);
    socket->fd = file_make_parents(path, 0755) ? listen_at(path) : -1;
    if (socket->fd >= 0 && loop_add(loop, &socket->watch, socket->fd, EPOLLIN, accept_ready))
        return socket;
    log_error("the control socket %s could not be opened: %m", path);
    control_socket_close(socket);
    return NULL;
}

void control_socket_close(struct control_socket *socket)
{
    if (socket == NULL)
        return;
    while (!LIST_EMPTY(&socket->clients))
        drop_client(LIST_FIRST(&socket->clients)); // NOLINT: LIST_REMOVE is beyond the analyzer
    loop_remove(socket->loop, &socket->watch);
    if (socket->fd >= 0) {
        close(socket->fd);
        (void)unlink(socket->path);
    }
    free(socket->path);
    free(socket);
}
