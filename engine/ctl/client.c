/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/client.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static enum status connect_to(const struct client *client, int *fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval timeout = {.tv_sec = (time_t)client->timeout};
    if (strlen(client->socket_path) >= sizeof(address.sun_path)) {
        fprintf(stderr, "interceptctl: the path of the socket is too long\n");
        return STATUS_USAGE;
    }
    strcpy(address.sun_path, client->socket_path);
    *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (*fd >= 0) {
        (void)setsockopt(*fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
        (void)setsockopt(*fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
        if (connect(*fd, (struct sockaddr *)&address, sizeof(address)) == 0)
            return STATUS_DONE;
    }
    enum status status = STATUS_FAILED;
    if (errno == ENOENT || errno == ECONNREFUSED)
        status = STATUS_NOT_RUNNING;
    else if (errno == EACCES || errno == EPERM)
        status = STATUS_NO_PERMISSION;
    fprintf(stderr, "interceptctl: %s: %s\n", client->socket_path,
            status == STATUS_NOT_RUNNING ? "interceptd is not running" : strerror(errno));
    if (*fd >= 0)
        close(*fd);
    return status;
}

static enum status lost(void)
{
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
        fprintf(stderr, "interceptctl: interceptd does not answer\n");
        return STATUS_TIMEOUT;
    }
    fprintf(stderr, "interceptctl: the connection to interceptd was lost\n");
    return STATUS_FAILED;
}

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

static enum status send_request(int fd, const char *command, json_t *arguments)
{
    json_t *request = json_pack("{s:i, s:s}", "id", 1, "cmd", command);
    if (arguments != NULL)
        json_object_set(request, "args", arguments);
    char *text = json_dumps(request, JSON_COMPACT);
    json_decref(request);
    if (text == NULL) {
        fprintf(stderr, "interceptctl: the request is not UTF-8 text\n");
        return STATUS_USAGE;
    }
    bool sent = send_all(fd, text, strlen(text)) && send_all(fd, "\n", 1);
    free(text);
    return sent ? STATUS_DONE : lost();
}

/* Reads a line as JSON; the caller frees it. */
static enum status read_line(FILE *stream, json_t **line)
{
    char *text = NULL;
    size_t size = 0;
    errno = 0;
    ssize_t length = getline(&text, &size, stream);
    *line = length > 0 ? json_loads(text, 0, NULL) : NULL;
    free(text);
    return *line != NULL ? STATUS_DONE : lost();
}

static enum status talk(int fd, FILE *stream, const char *command, json_t *arguments, json_t **data)
{
    json_t *greeting = NULL, *answer = NULL;
    enum status status = read_line(stream, &greeting);
    json_decref(greeting);
    if (status == STATUS_DONE)
        status = send_request(fd, command, arguments);
    if (status == STATUS_DONE)
        status = read_line(stream, &answer);
    if (status != STATUS_DONE)
        return status;
    if (json_is_true(json_object_get(answer, "ok"))) {
        *data = json_incref(json_object_get(answer, "data"));
    } else {
        const char *error = json_string_value(json_object_get(answer, "error"));
        fprintf(stderr, "interceptctl: %s\n", error != NULL ? error : "the request was refused");
        status = STATUS_FAILED;
    }
    json_decref(answer);
    return status;
}

enum status client_ask(const struct client *client, const char *command, json_t *arguments,
                       json_t **data)
{
    int fd;
    *data = NULL;
    enum status status = connect_to(client, &fd);
    if (status == STATUS_DONE) {
        FILE *stream = fdopen(fd, "r");
        CHECK(stream != NULL);
        status = talk(fd, stream, command, arguments, data);
        fclose(stream);
    }
    json_decref(arguments);
    return status;
}
