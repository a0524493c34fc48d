/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "event/packet_sinks.h"

void packet_sinks_init(struct packet_sinks *set)
{
    memset(set->slots, 0, sizeof(set->slots));
    atomic_init(&set->count, 0);
    LIST_INIT(&set->flows);
}

bool packet_sinks_add(struct packet_sinks *set, struct packet_sink *sink)
{
    for (size_t i = 0; i < PACKET_SINKS_LIMIT; i++) {
        if (set->slots[i] != NULL)
            continue;
        set->slots[i] = sink;
        atomic_fetch_add(&set->count, 1);
        return true;
    }
    return false;
}

void packet_sinks_remove(struct packet_sinks *set, struct packet_sink *sink)
{
    struct captured *captured;
    for (size_t i = 0; i < PACKET_SINKS_LIMIT; i++) {
        if (set->slots[i] != sink)
            continue;
        set->slots[i] = NULL;
        atomic_fetch_sub(&set->count, 1);
        LIST_FOREACH (captured, &set->flows, link)
            captured->sinks &= ~(UINT32_C(1) << i);
    }
}

/* ---- connections ---- */

static void put_to_all(void *context, const struct frame *frame)
{
    const struct captured *captured = context;
    for (uint32_t left = captured->sinks; left != 0; left &= left - 1) {
        struct packet_sink *sink = captured->set->slots[__builtin_ctz(left)];
        if (!sink->over)
            sink->kind->put(sink, captured, frame);
    }
}

static bool is_wanted(struct packet_sink *sink, const struct captured *captured)
{
    return sink != NULL && !sink->over &&
           (sink->kind->wants == NULL || sink->kind->wants(sink, captured));
}

void packet_sinks_begin(struct packet_sinks *set, struct captured *captured, uint64_t time)
{
    captured->set = set;
    captured->sinks = 0;
    LIST_INSERT_HEAD(&set->flows, captured, link);
    for (size_t i = 0; i < PACKET_SINKS_LIMIT; i++) {
        if (!is_wanted(set->slots[i], captured))
            continue;
        captured->sinks |= UINT32_C(1) << i;
        set->slots[i]->flows++;
    }
    captured->stream.emit = put_to_all;
    captured->stream.context = captured;
    if (captured->sinks != 0)
        tcp_stream_open(&captured->stream, time);
}

void packet_sinks_end(struct captured *captured)
{
    LIST_REMOVE(captured, link);
}

void packet_sinks_flush(struct packet_sinks *set)
{
    for (size_t i = 0; i < PACKET_SINKS_LIMIT; i++) {
        struct packet_sink *sink = set->slots[i];
        if (sink == NULL)
            continue;
        if (!sink->over && sink->kind->flush != NULL)
            sink->kind->flush(sink);
        if (!sink->over)
            continue;
        packet_sinks_remove(set, sink);
        if (sink->kind->removed != NULL)
            sink->kind->removed(sink);
    }
}
