/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/outgoing.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct unsent {
    size_t start, end;
    unsigned char bytes[];
};

static enum io send_unsent(struct outgoing *outgoing)
{
    struct unsent *unsent = outgoing->unsent;
    if (unsent == NULL)
        return IO_OK;
    ssize_t count = send(outgoing->fd, unsent->bytes + unsent->start, unsent->end - unsent->start,
                         MSG_NOSIGNAL);
    if (count < 0)
        return io_of_socket(count, IO_WANT_WRITE);
    unsent->start += (size_t)count;
    if (unsent->start < unsent->end)
        return IO_WANT_WRITE;
    free(unsent);
    outgoing->unsent = NULL;
    return IO_OK;
}

static enum io keep_unsent(struct outgoing *outgoing, const unsigned char *bytes, size_t length)
{
    outgoing->unsent = malloc(sizeof(*outgoing->unsent) + length);
    if (outgoing->unsent == NULL)
        return IO_RESET;
    outgoing->unsent->start = 0;
    outgoing->unsent->end = length;
    memcpy(outgoing->unsent->bytes, bytes, length);
    return IO_WANT_WRITE;
}

/* There is nothing unsent. */
static enum io send_gathered(struct outgoing *outgoing)
{
    struct gather *gather = outgoing->gather;
    size_t length = gather->length, done = 0;
    gather->length = 0;
    if (length == 0)
        return IO_OK;
    ssize_t count = send(outgoing->fd, gather->bytes, length, MSG_NOSIGNAL);
    if (io_of_socket(count, IO_WANT_WRITE) == IO_RESET)
        return IO_RESET;
    if (count > 0)
        done = (size_t)count;
    return done == length ? IO_OK : keep_unsent(outgoing, gather->bytes + done, length - done);
}

void outgoing_gather(struct outgoing *outgoing, struct gather *gather)
{
    outgoing->gather = gather;
}

enum io outgoing_flush(struct outgoing *outgoing)
{
    enum io io = send_unsent(outgoing);
    if (io == IO_OK && outgoing->gather != NULL)
        io = send_gathered(outgoing);
    outgoing->gather = NULL;
    return io;
}

void outgoing_fini(struct outgoing *outgoing)
{
    free(outgoing->unsent);
    outgoing->unsent = NULL;
}

/* ---- for OpenSSL ---- */

/* As much as there is room for, as write(2) does: OpenSSL comes back with the rest. */
static enum io put(struct outgoing *outgoing, const char *bytes, size_t length, size_t *count)
{
    struct gather *gather = outgoing->gather;
    enum io io = send_unsent(outgoing);
    if (io == IO_OK && gather != NULL && gather->length == GATHER_SIZE)
        io = send_gathered(outgoing);
    if (io != IO_OK)
        return io;
    if (gather == NULL) {
        ssize_t written = send(outgoing->fd, bytes, length, MSG_NOSIGNAL);
        *count = written >= 0 ? (size_t)written : 0;
        return io_of_socket(written, IO_WANT_WRITE);
    }
    const size_t room = GATHER_SIZE - gather->length;
    *count = length < room ? length : room;
    memcpy(gather->bytes + gather->length, bytes, *count);
    gather->length += *count;
    return IO_OK;
}

static int write_bytes(BIO *bio, const char *bytes, size_t length, size_t *count)
{
    enum io io = put(BIO_get_data(bio), bytes, length, count);
    BIO_clear_retry_flags(bio);
    if (io == IO_WANT_WRITE)
        BIO_set_retry_write(bio);
    return io == IO_OK ? 1 : -1;
}

/* OpenSSL flushes at the end of a flight of its handshake, where nothing is gathered; and what is
 * gathered behind that goes out at the end of the turn. */
static long control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *method;

static void make_method(void)
{
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "outgoing");
    if (method == NULL)
        return;
    BIO_meth_set_write_ex(method, write_bytes);
    BIO_meth_set_ctrl(method, control);
}

BIO *outgoing_bio(struct outgoing *outgoing)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_method);
    BIO *bio = method != NULL ? BIO_new(method) : NULL;
    if (bio == NULL)
        return NULL;
    BIO_set_data(bio, outgoing);
    BIO_set_init(bio, 1);
    return bio;
}
