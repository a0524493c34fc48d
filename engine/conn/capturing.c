/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conn/capturing.h"

#include "conn/conn.h"

struct capturing {
    struct capture_flow *flow;
    struct relay_tap other; /* that was there before us, or none */
};

static void show(void *context, bool up, const unsigned char *bytes, size_t length)
{
    const struct capturing *capturing = context;
    capture_data(capturing->flow, up, bytes, length);
    if (capturing->other.read != NULL)
        capturing->other.read(capturing->other.context, up, bytes, length);
}

static void show_end(void *context, bool up)
{
    const struct capturing *capturing = context;
    capture_half_end(capturing->flow, up);
    if (capturing->other.end != NULL)
        capturing->other.end(capturing->other.context, up);
}

void capturing_begin(struct conn *conn)
{
    struct capture_feed *feed = conn->pool->options.packets;
    struct relay *relay = &conn->through.relay;
    if (!capture_wants(feed))
        return;
    struct capturing *capturing = arena_alloc(&conn->arena, sizeof(*capturing));
    struct capture_flow *flow = capturing != NULL ? capture_begin(feed, &conn->record) : NULL;
    if (flow == NULL)
        return;
    *capturing = (struct capturing){.flow = flow, .other = relay->tap};
    relay->tap = (struct relay_tap){.read = show, .end = show_end, .context = capturing};
    conn->capturing = capturing;
}

void capturing_end(struct conn *conn)
{
    enum capture_ending ending = CAPTURE_CLOSED;
    if (conn->capturing == NULL)
        return;
    if (conn->record.ending == ENDING_DEVICE_RESET)
        ending = CAPTURE_RESET_BY_DEVICE;
    else if (conn->record.ending == ENDING_ORIGIN_RESET)
        ending = CAPTURE_RESET_BY_ORIGIN;
    capture_end(conn->capturing->flow, ending);
    conn->capturing = NULL;
}
