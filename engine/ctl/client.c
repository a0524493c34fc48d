/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/client.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define USUAL_TIME 10
/* What has to read and compile may take long. */
#define LONG_TIME 600

/* ---- connecting ---- */

/* -1 with errno. */
static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* Where those may ask who may not change anything: control.sock, control-ro.sock. */
static int connect_beside(const char *path)
{
    char beside[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 4];
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    const int length = dot != NULL && dot > name ? (int)(dot - path) : (int)strlen(path);
    int error = errno;
    snprintf(beside, sizeof(beside), "%.*s-ro%s", length, path, path + length);
    int fd = connect_to(beside);
    errno = error; /* where that is no way either, the other one is to be told */
    return fd;
}

int client_open(const char *path)
{
    int fd = connect_to(path);
    return fd < 0 && errno == EACCES ? connect_beside(path) : fd;
}

static enum status complain_of(const char *path)
{
    enum status status = STATUS_FAILED;
    if (errno == ENOENT || errno == ECONNREFUSED)
        status = STATUS_NOT_RUNNING;
    else if (errno == EACCES || errno == EPERM)
        status = STATUS_NO_PERMISSION;
    else if (errno == ENAMETOOLONG)
        status = STATUS_USAGE;
    fprintf(stderr, "interceptctl: %s: %s\n", path,
            status == STATUS_NOT_RUNNING ? "interceptd is not running" : strerror(errno));
    return status;
}

static void set_timeout(int fd, unsigned seconds)
{
    const struct timeval timeout = {.tv_sec = (time_t)seconds};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
}

/* Reads a line as JSON. NULL with errno. */
static json_t *read_line(FILE *stream)
{
    char *text = NULL;
    size_t size = 0;
    errno = 0;
    ssize_t length = getline(&text, &size, stream);
    json_t *line = length > 0 ? json_loads(text, 0, NULL) : NULL;
    int error = errno;
    free(text);
    errno = error;
    return line;
}

static enum status lost(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK ? STATUS_TIMEOUT : STATUS_FAILED;
}

enum status client_connect(const struct client *client, struct connection *connection)
{
    *connection = (struct connection){0};
    int fd = client_open(client->socket_path);
    if (fd < 0)
        return complain_of(client->socket_path);
    set_timeout(fd, client->timeout > 0 ? client->timeout : USUAL_TIME);
    connection->stream = fdopen(fd, "r");
    CHECK(connection->stream != NULL);
    json_t *greeting = read_line(connection->stream);
    connection->read_only = json_is_true(json_object_get(greeting, "read_only"));
    if (greeting != NULL) {
        json_decref(greeting);
        return STATUS_DONE;
    }
    enum status status = client_complain(lost(), NULL);
    client_disconnect(connection);
    return status;
}

void client_disconnect(struct connection *connection)
{
    if (connection->stream != NULL)
        fclose(connection->stream);
    connection->stream = NULL;
}

/* ---- asking ---- */

static bool send_all(int fd, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t count = send(fd, text, length, MSG_NOSIGNAL);
        if (count < 0)
            return false;
        text += count;
        length -= (size_t)count;
    }
    return true;
}

static enum status send_request(struct connection *connection, const char *command,
                                json_t *arguments, json_int_t revision)
{
    json_t *request = json_pack("{s:I, s:s}", "id", ++connection->last_id, "cmd", command);
    if (arguments != NULL)
        json_object_set_new(request, "args", arguments);
    if (revision >= 0)
        json_object_set_new(request, "if_rev", json_integer(revision));
    char *text = json_dumps(request, JSON_COMPACT);
    json_decref(request);
    if (text == NULL)
        return STATUS_USAGE;
    int fd = fileno(connection->stream);
    bool sent = send_all(fd, text, strlen(text)) && send_all(fd, "\n", 1);
    free(text);
    return sent ? STATUS_DONE : lost();
}

static enum status status_of(const json_t *answer)
{
    const char *code = json_string_value(json_object_get(answer, "code"));
    if (json_is_true(json_object_get(answer, "ok")))
        return STATUS_DONE;
    if (code != NULL && strcmp(code, "permission") == 0)
        return STATUS_NO_PERMISSION;
    if (code != NULL && strcmp(code, "conflict") == 0)
        return STATUS_CONFLICT;
    return STATUS_FAILED;
}

/* Edits compile patterns, a reload all of them. */
static bool may_take_long(const char *command)
{
    return strcmp(command, "reload") == 0 || strstr(command, ".change") != NULL ||
           strcmp(command, "undo") == 0;
}

enum status client_request(const struct client *client, struct connection *connection,
                           const char *command, json_t *arguments, json_int_t revision,
                           json_t **answer)
{
    *answer = NULL;
    unsigned timeout = may_take_long(command) ? LONG_TIME : USUAL_TIME;
    set_timeout(fileno(connection->stream), client->timeout > 0 ? client->timeout : timeout);
    enum status status = send_request(connection, command, arguments, revision);
    while (status == STATUS_DONE && *answer == NULL) {
        json_t *line = read_line(connection->stream);
        if (line == NULL)
            return lost();
        if (json_integer_value(json_object_get(line, "id")) == connection->last_id)
            *answer = line;
        else
            json_decref(line);
    }
    return *answer != NULL ? status_of(*answer) : status;
}

enum status client_complain(enum status status, const json_t *answer)
{
    const char *error = json_string_value(json_object_get(answer, "error"));
    const json_t *errors = json_object_get(json_object_get(answer, "data"), "errors"), *line;
    size_t index;
    if (answer == NULL && status == STATUS_TIMEOUT)
        error = "interceptd does not answer";
    else if (answer == NULL && status == STATUS_USAGE)
        error = "the request is not UTF-8 text";
    else if (answer == NULL)
        error = "the connection to interceptd was lost";
    fprintf(stderr, "interceptctl: %s\n", error != NULL ? error : "the request was refused");
    json_array_foreach(errors, index, line)
    {
        if (error == NULL || strcmp(error, json_string_value(line)) != 0)
            fprintf(stderr, "  %s\n", json_string_value(line));
    }
    return status;
}

json_t *client_next(struct connection *connection)
{
    set_timeout(fileno(connection->stream), 0);
    return read_line(connection->stream);
}

enum status client_ask(const struct client *client, const char *command, json_t *arguments,
                       json_t **data)
{
    struct connection connection;
    json_t *answer = NULL;
    *data = NULL;
    enum status status = client_connect(client, &connection);
    if (status != STATUS_DONE) {
        json_decref(arguments);
        return status;
    }
    status = client_request(client, &connection, command, arguments, -1, &answer);
    if (status == STATUS_DONE)
        *data = json_incref(json_object_get(answer, "data"));
    else
        (void)client_complain(status, answer);
    json_decref(answer);
    client_disconnect(&connection);
    return status;
}
