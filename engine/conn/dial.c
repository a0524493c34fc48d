/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conn/dial.h"

#include "conn/conn.h"
#include "conn/notes.h"
#include "core/log.h"
#include "policy/suggest.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

/* A peer is given up that has not answered for ten minutes and five more. */
#define KEEPALIVE_IDLE 600
#define KEEPALIVE_INTERVAL 60
#define KEEPALIVE_PROBES 5

static bool set_option(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

void dial_tune(int fd)
{
    (void)set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    (void)set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    (void)set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE);
    (void)set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL);
    (void)set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
}

/* The port is the kernel's to choose: the device's own is in use between the same two hosts. */
static bool bind_source(int fd, const struct address *source)
{
    struct address any_port = *source;
    struct sockaddr_storage local;
    any_port.port = 0;
    socklen_t length = address_to_sockaddr(&any_port, &local);
    bool transparent = source->family == AF_INET ? set_option(fd, SOL_IP, IP_TRANSPARENT, 1)
                                                 : set_option(fd, SOL_IPV6, IPV6_TRANSPARENT, 1);
    return transparent && set_option(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, 1) &&
           bind(fd, (struct sockaddr *)&local, length) == 0;
}

int dial_start(const struct address *origin, const struct address *source)
{
    struct sockaddr_storage remote;
    socklen_t length = address_to_sockaddr(origin, &remote);
    int fd = socket(origin->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    dial_tune(fd);
    if ((source == NULL || bind_source(fd, source)) &&
        (connect(fd, (struct sockaddr *)&remote, length) == 0 || errno == EINPROGRESS))
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

int dial_result(int fd)
{
    int error = 0;
    socklen_t length = sizeof(error);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
        return errno;
    return error;
}

/* ---- for connections ---- */

static enum ending ending_for(int error)
{
    switch (error) {
    case ECONNREFUSED:
        return ENDING_ORIGIN_REFUSED;
    case ETIMEDOUT:
        return ENDING_ORIGIN_TIMEOUT;
    case ECONNRESET:
    case EPIPE:
        return ENDING_ORIGIN_RESET;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
        return ENDING_OUT_OF_RESOURCES;
    default:
        return ENDING_ORIGIN_UNREACHABLE;
    }
}

/* The line that a user reads to find out what to ignore, with the pattern ready to use. */
static void log_serverconnect(const struct flow *flow)
{
    char device[DEVICE_TEXT_SIZE], text[ADDRESS_TEXT_SIZE], pattern[SUGGEST_SIZE];
    if (log_shows(LOG_LEVEL_VERBOSE))
        log_verbose("serverconnect -> %s   (to ignore it: --ignore '%s')%s",
                    address_text(&flow->origin, text), suggest_address(&flow->origin, pattern),
                    flow_for_device_text(flow, device));
}

bool dial_origin(struct conn *conn)
{
    struct pool *pool = conn->pool;
    conn_timeout(conn, &pool->dial_time);
    if (conn->origin.endpoint.fd >= 0)
        return true;
    log_serverconnect(&conn->flow);
    int fd =
        dial_start(&conn->flow.origin, pool->options.source_device ? &conn->flow.device : NULL);
    int error = errno;
    if (fd >= 0) {
        endpoint_init(&conn->origin.endpoint, fd);
        if (conn_watch_origin(conn))
            return true;
        error = errno;
    }
    if (ending_for(error) == ENDING_OUT_OF_RESOURCES)
        pool_ran_out(pool);
    conn_end(conn, ending_for(error), true);
    return false;
}

bool dial_origin_done(struct conn *conn)
{
    int error = dial_result(conn->origin.endpoint.fd);
    if (error != 0) {
        conn_end(conn, ending_for(error), true);
        return false;
    }
    conn->origin_connected = true;
    notes_upstream(conn);
    return true;
}

void dial_expired(struct conn *conn)
{
    conn_end(conn, ENDING_ORIGIN_TIMEOUT, true);
}

void dial_device_gone(struct conn *conn, uint32_t events)
{
    if ((events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) != 0)
        conn_end(conn, ENDING_DEVICE_GONE, true);
}
