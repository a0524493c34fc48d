/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * relay.h - both directions between two endpoints, through our hands.
 *
 * Each direction reads, and writes what it read, several records in one go (tls/outgoing.h). What
 * cannot be written is kept, in one bounded buffer before TLS and one behind it; while there is
 * any, nothing more is read: that is all the back-pressure there is. The end of a stream is passed
 * on as it came: with close_notify or without. One thread; nothing waits. */
#ifndef CONN_RELAY_H
#define CONN_RELAY_H

#include "core/slab.h"
#include "tls/endpoint.h"

/* The largest TLS record; and the size of the blocks in `buffers` below. */
#define RELAY_BUFFER_SIZE 16384

enum relay_end { RELAY_OPEN, RELAY_ENDING, RELAY_ENDED };

/* Sees what goes by in one direction, and may take bytes out of it, in place. Returns how many may
 * go on now; the *kept ones behind them, fewer than RELAY_BUFFER_SIZE, are shown again in front of
 * what comes next. */
struct relay_filter {
    size_t (*run)(void *context, unsigned char *bytes, size_t length, size_t *kept);
    void *context; /* borrowed */
};

/* Sees each byte once, when it was read, and changes nothing; `up` is from the device. And hears of
 * the end of a stream that has ended well. */
struct relay_tap {
    void (*read)(void *context, bool up, const unsigned char *bytes, size_t length);
    void (*end)(void *context, bool up);
    void *context; /* borrowed */
};

struct relay_half {
    struct relay_filter filter; /* or none: all-zero */
    unsigned char *kept;        /* a block of `buffers`, or NULL: what the filter has kept */
    size_t kept_length;
    struct endpoint *from, *to;
    uint32_t from_events, to_events; /* what it waits for on either side: EPOLLIN, EPOLLOUT */
    enum relay_end end;              /* of the stream: read, but not yet passed on; passed on */
    bool notify;                     /* how it ended */
    unsigned char *left;             /* a block of `buffers`, or NULL: read but not written */
    size_t left_start, left_end;
    uint64_t bytes; /* written so far */
};

/* A thread's, of use during a call. */
struct relay_space {
    unsigned char scratch[RELAY_BUFFER_SIZE]; /* what is read */
    struct gather gather;                     /* what is written */
};

struct relay {
    struct relay_half up, down; /* from the device, to the device */
    struct relay_tap tap;       /* or none: all-zero */
    struct slab *buffers;
    struct relay_space *space;
    bool device_first; /* the device ended its stream before the origin did */
};

enum relay_result {
    RELAY_GOING,
    RELAY_AGAIN,        /* there is more to do at once: cut short to be fair */
    RELAY_DONE,         /* both streams have ended, and were passed on */
    RELAY_DEVICE_ERROR, /* reset, or broken TLS, on that side */
    RELAY_ORIGIN_ERROR,
    RELAY_NO_MEMORY,
};

/* Borrows all of it for the relay's life. */
void relay_init(struct relay *relay, struct endpoint *device, struct endpoint *origin,
                struct slab *buffers, struct relay_space *space);
void relay_fini(struct relay *relay);

/* Moves what can be moved. The flags say which sides have news; both, the first time. */
enum relay_result relay_run(struct relay *relay, bool device_news, bool origin_news);

/* What to wait for on each side. */
uint32_t relay_device_events(const struct relay *relay);
uint32_t relay_origin_events(const struct relay *relay);

#endif
