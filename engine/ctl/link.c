/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/link.h"

#include "ctl/client.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE ((size_t)64 << 10)
/* How long a request may take to go out, in ms: the daemon reads at once, or it is not well. */
#define SEND_TIME 2000

bool link_open(struct link *link, const char *path)
{
    *link = (struct link){.fd = client_open(path)};
    return link->fd >= 0;
}

void link_close(struct link *link)
{
    if (link->fd >= 0)
        close(link->fd);
    free(link->input);
    link->fd = -1;
    link->input = NULL;
    link->input_length = 0;
}

static bool send_all(int fd, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t count = send(fd, text, length, MSG_NOSIGNAL | MSG_DONTWAIT);
        struct pollfd ready = {.fd = fd, .events = POLLOUT};
        if (count < 0 && errno == EAGAIN && poll(&ready, 1, SEND_TIME) == 1)
            continue;
        if (count < 0)
            return false;
        text += count;
        length -= (size_t)count;
    }
    return true;
}

json_int_t link_send(struct link *link, const char *command, json_t *arguments)
{
    json_t *request = json_pack("{s:I, s:s}", "id", ++link->last_id, "cmd", command);
    if (arguments != NULL)
        json_object_set_new(request, "args", arguments);
    char *text = json_dumps(request, JSON_COMPACT);
    json_decref(request);
    bool sent = text != NULL && link->fd >= 0 && send_all(link->fd, text, strlen(text)) &&
                send_all(link->fd, "\n", 1);
    free(text);
    if (sent)
        return link->last_id;
    link_close(link);
    return 0;
}

/* False if there is nothing more to be had for now, or ever. */
static bool read_more(struct link *link)
{
    char *input = realloc(link->input, link->input_length + READ_SIZE);
    if (input == NULL)
        return false;
    link->input = input;
    ssize_t count = recv(link->fd, input + link->input_length, READ_SIZE, MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (count <= 0) {
        link_close(link);
        return false;
    }
    link->input_length += (size_t)count;
    return true;
}

static json_t *take_line(struct link *link, size_t length)
{
    json_t *message = json_loadb(link->input, length, 0, NULL);
    link->input_length -= length + 1;
    memmove(link->input, link->input + length + 1, link->input_length);
    return message;
}

json_t *link_receive(struct link *link)
{
    while (link->fd >= 0) {
        const char *newline =
            link->input_length > 0 ? memchr(link->input, '\n', link->input_length) : NULL;
        if (newline != NULL) {
            json_t *message = take_line(link, (size_t)(newline - link->input));
            if (message != NULL)
                return message;
            link_close(link); /* what speaks no JSON is not what we think it is */
        } else if (!read_more(link)) {
            return NULL;
        }
    }
    return NULL;
}
