/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conn/relay.h"

#include <string.h>
#include <sys/epoll.h>

/* Reads in one go before others have their turn. */
#define READS_A_TURN 16

void relay_init(struct relay *relay, struct endpoint *device, struct endpoint *origin,
                struct slab *buffers, struct relay_space *space)
{
    *relay = (struct relay){
        .up = {.from = device, .to = origin, .from_events = EPOLLIN},
        .down = {.from = origin, .to = device, .from_events = EPOLLIN},
        .buffers = buffers,
        .space = space,
    };
}

void relay_fini(struct relay *relay)
{
    slab_free(relay->buffers, relay->up.left);
    slab_free(relay->buffers, relay->down.left);
    slab_free(relay->buffers, relay->up.kept);
    slab_free(relay->buffers, relay->down.kept);
    relay->up.left = relay->down.left = relay->up.kept = relay->down.kept = NULL;
}

static bool is_wait(enum io io)
{
    return io == IO_WANT_READ || io == IO_WANT_WRITE;
}

/* Writes as much as goes; *written tells how much. IO_OK if it was all. */
static enum io write_all(struct relay_half *half, const unsigned char *bytes, size_t length,
                         size_t *written)
{
    *written = 0;
    while (*written < length) {
        size_t count;
        enum io io = endpoint_write(half->to, bytes + *written, length - *written, &count);
        if (io != IO_OK)
            return io;
        *written += count;
        half->bytes += count;
    }
    return IO_OK;
}

/* The results of the steps below, of which a turn of one direction is made. */
enum step {
    STEP_ON,   /* on with the next step */
    STEP_WAIT, /* for events */
    STEP_FROM_ERROR,
    STEP_TO_ERROR,
    STEP_NO_MEMORY,
};

static enum step write_left(struct relay *relay, struct relay_half *half)
{
    size_t written;
    if (half->left == NULL)
        return STEP_ON;
    enum io io =
        write_all(half, half->left + half->left_start, half->left_end - half->left_start, &written);
    half->left_start += written;
    if (is_wait(io)) {
        half->to_events = io_events(io);
        return STEP_WAIT;
    }
    slab_free(relay->buffers, half->left);
    half->left = NULL;
    return io == IO_OK ? STEP_ON : STEP_TO_ERROR;
}

static enum step pass_end_on(struct relay_half *half)
{
    enum io io = endpoint_shutdown(half->to, half->notify);
    if (is_wait(io)) {
        half->to_events = io_events(io);
        return STEP_WAIT;
    }
    half->end = RELAY_ENDED;
    return io == IO_OK ? STEP_WAIT : STEP_TO_ERROR;
}

static enum step keep_left(struct relay *relay, struct relay_half *half, const unsigned char *bytes,
                           size_t length)
{
    half->left = slab_alloc(relay->buffers);
    if (half->left == NULL)
        return STEP_NO_MEMORY;
    memcpy(half->left, bytes, length);
    half->left_start = 0;
    half->left_end = length;
    return STEP_WAIT;
}

/* In the scratch there is what was kept, and `length` more. False if there is no memory. */
static bool filter(struct relay *relay, struct relay_half *half, size_t *length)
{
    const struct relay_filter *given = &half->filter;
    if (given->run == NULL)
        return true;
    if (half->kept_length > 0)
        memcpy(relay->space->scratch, half->kept, half->kept_length);
    *length = given->run(given->context, relay->space->scratch, half->kept_length + *length,
                         &half->kept_length);
    if (half->kept_length == 0) {
        slab_free(relay->buffers, half->kept);
        half->kept = NULL;
        return true;
    }
    if (half->kept == NULL)
        half->kept = slab_alloc(relay->buffers);
    if (half->kept != NULL)
        memcpy(half->kept, relay->space->scratch + *length, half->kept_length);
    return half->kept != NULL;
}

static void show(const struct relay *relay, const struct relay_half *half, size_t length)
{
    if (relay->tap.read != NULL)
        relay->tap.read(relay->tap.context, half == &relay->up,
                        relay->space->scratch + half->kept_length, length);
}

static void show_end(const struct relay *relay, const struct relay_half *half)
{
    if (relay->tap.end != NULL && half->notify)
        relay->tap.end(relay->tap.context, half == &relay->up);
}

/* Nothing comes behind what was kept, so it goes on as it is. */
static void release_kept(struct relay_half *half)
{
    half->left = half->kept;
    half->left_start = 0;
    half->left_end = half->kept_length;
    half->kept = NULL;
    half->kept_length = 0;
}

static enum step read_and_write(struct relay *relay, struct relay_half *half)
{
    size_t length, written;
    enum io io = endpoint_read(half->from, relay->space->scratch + half->kept_length,
                               RELAY_BUFFER_SIZE - half->kept_length, &length);
    if (is_wait(io)) {
        half->from_events = io_events(io);
        return STEP_WAIT;
    }
    if (io == IO_EOF || io == IO_TRUNCATED) {
        half->end = RELAY_ENDING;
        half->notify = io == IO_EOF;
        show_end(relay, half);
        release_kept(half);
        return STEP_ON;
    }
    if (io != IO_OK)
        return STEP_FROM_ERROR;
    show(relay, half, length);
    if (!filter(relay, half, &length))
        return STEP_NO_MEMORY;
    io = write_all(half, relay->space->scratch, length, &written);
    if (is_wait(io)) {
        half->to_events = io_events(io);
        return keep_left(relay, half, relay->space->scratch + written, length - written);
    }
    if (io != IO_OK)
        return STEP_TO_ERROR;
    if (!half->from->drained)
        return STEP_ON;
    half->from_events = EPOLLIN;
    return STEP_WAIT;
}

static enum step run_steps(struct relay *relay, struct relay_half *half)
{
    for (int reads = 0; reads < READS_A_TURN; reads++) {
        if (half->end == RELAY_ENDED)
            return STEP_WAIT;
        enum step step = write_left(relay, half);
        if (step != STEP_ON)
            return step;
        step = half->end == RELAY_ENDING ? pass_end_on(half) : read_and_write(relay, half);
        if (step != STEP_ON)
            return step;
    }
    half->from_events = EPOLLIN;
    return STEP_ON;
}

/* What was not sent last time goes first, and while it waits nothing is read. After an error what
 * the socket does not take at once is lost. */
static enum step run_half(struct relay *relay, struct relay_half *half)
{
    half->from_events = half->to_events = 0;
    enum step step = STEP_ON;
    enum io io = endpoint_flush(half->to);
    if (io == IO_OK) {
        endpoint_gather(half->to, &relay->space->gather);
        step = run_steps(relay, half);
        io = endpoint_flush(half->to);
    }
    if (io == IO_OK || (step != STEP_ON && step != STEP_WAIT))
        return step;
    if (io != IO_WANT_WRITE)
        return STEP_TO_ERROR;
    half->from_events = 0;
    half->to_events |= EPOLLOUT;
    return STEP_WAIT;
}

static enum relay_result result_of(const struct relay *relay, const struct relay_half *half,
                                   enum step step)
{
    bool is_up = half == &relay->up;
    switch (step) {
    case STEP_ON:
        return RELAY_AGAIN;
    case STEP_WAIT:
        return RELAY_GOING;
    case STEP_FROM_ERROR:
        return is_up ? RELAY_DEVICE_ERROR : RELAY_ORIGIN_ERROR;
    case STEP_TO_ERROR:
        return is_up ? RELAY_ORIGIN_ERROR : RELAY_DEVICE_ERROR;
    case STEP_NO_MEMORY:
        return RELAY_NO_MEMORY;
    }
    return RELAY_GOING;
}

static bool has_news(const struct relay_half *half, bool from_news, bool to_news)
{
    return (from_news && half->from_events != 0) || (to_news && half->to_events != 0);
}

enum relay_result relay_run(struct relay *relay, bool device_news, bool origin_news)
{
    enum relay_result up = RELAY_GOING, down = RELAY_GOING;
    if (has_news(&relay->up, device_news, origin_news))
        up = result_of(relay, &relay->up, run_half(relay, &relay->up));
    if (relay->up.end != RELAY_OPEN && relay->down.end == RELAY_OPEN)
        relay->device_first = true;
    if (up == RELAY_ORIGIN_ERROR) /* it may have answered before it was gone */
        (void)run_half(relay, &relay->down);
    if (up != RELAY_GOING && up != RELAY_AGAIN)
        return up;
    if (has_news(&relay->down, origin_news, device_news))
        down = result_of(relay, &relay->down, run_half(relay, &relay->down));
    if (down != RELAY_GOING && down != RELAY_AGAIN)
        return down;
    if (relay->up.end == RELAY_ENDED && relay->down.end == RELAY_ENDED)
        return RELAY_DONE;
    return up == RELAY_AGAIN || down == RELAY_AGAIN ? RELAY_AGAIN : RELAY_GOING;
}

uint32_t relay_device_events(const struct relay *relay)
{
    return relay->up.from_events | relay->down.to_events;
}

uint32_t relay_origin_events(const struct relay *relay)
{
    return relay->down.from_events | relay->up.to_events;
}
