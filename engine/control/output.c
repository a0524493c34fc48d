/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/output.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

void output_fini(struct output *output)
{
    free(output->bytes);
    *output = (struct output){0};
}

size_t output_length(const struct output *output)
{
    return output->end - output->start;
}

/* What is there moves to the front; if that is not enough, there is twice as much room. */
static bool make_room(struct output *output, size_t length)
{
    const size_t kept = output_length(output);
    if (output->size - output->end >= length)
        return true;
    if (output->start > 0)
        memmove(output->bytes, output->bytes + output->start, kept);
    output->start = 0;
    output->end = kept;
    if (output->size - kept >= length)
        return true;
    const size_t size = (kept + length) * 2;
    char *bytes = realloc(output->bytes, size);
    if (bytes == NULL)
        return false;
    output->bytes = bytes;
    output->size = size;
    return true;
}

bool output_append(struct output *output, const char *bytes, size_t length)
{
    if (!make_room(output, length))
        return false;
    memcpy(output->bytes + output->end, bytes, length);
    output->end += length;
    return true;
}

bool output_send(struct output *output, int fd)
{
    while (output_length(output) > 0) {
        ssize_t count = send(fd, output->bytes + output->start, output_length(output),
                             MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count < 0)
            return errno == EAGAIN || errno == EINTR;
        output->start += (size_t)count;
    }
    output_fini(output);
    return true;
}
