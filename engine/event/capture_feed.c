/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "event/capture_feed.h"

#include "core/loop.h"
#include "event/eve.h"

#include <unistd.h>

/* What goes through the ring; DATA's bytes stand behind it. Its tag has the kind, and UP. */
struct entry {
    struct capture_flow *flow;
    uint64_t time;
    uint64_t lost[2];
    enum capture_ending ending;
};
#define UP 16u

/* What an entry takes in a ring, with what the ring needs for itself. */
#define ENTRY_SPACE (sizeof(struct entry) + 16)

void capture_feed_init(struct capture_feed *feed, const atomic_uint *wanted,
                       struct capture_alarm *alarm, size_t ring_size)
{
    *feed = (struct capture_feed){.wanted = wanted, .alarm = alarm};
    CHECK(ring_init(&feed->ring, ring_size));
}

void capture_feed_fini(struct capture_feed *feed)
{
    ring_fini(&feed->ring);
}

bool capture_wants(const struct capture_feed *feed)
{
    return atomic_load_explicit(feed->wanted, memory_order_relaxed) > 0;
}

/* ---- putting ---- */

static void ring_alarm(struct capture_alarm *alarm)
{
    if (atomic_exchange(&alarm->asleep, false)) {
        uint64_t one = 1;
        (void)!write(alarm->news, &one, sizeof(one));
    }
}

/* False if there would be no room left for the ends of all that is open. */
static bool put(struct capture_feed *feed, uint32_t tag, const struct entry *entry,
                const unsigned char *bytes, size_t length)
{
    const size_t kept = feed->open * ENTRY_SPACE;
    if (!ring_fits(&feed->ring, ENTRY_SPACE + length + kept) ||
        !ring_put_two(&feed->ring, tag, entry, sizeof(*entry), bytes, length))
        return false;
    ring_alarm(feed->alarm);
    return true;
}

void capture_flow_forget(struct capture_flow *flow)
{
    struct captured *captured = &flow->captured;
    free(captured->event);
    captured->event = NULL;
    captured->event_length = 0;
}

void capture_flow_free(struct capture_flow *flow)
{
    capture_flow_forget(flow);
    free(flow->captured.comment);
    free(flow);
}

/* "flow_id=1125899906842623 mac=02:00:5e:10:00:01 device=cam": for Wireshark's frame.comment. */
static void compose_comment(struct captured *captured, const struct record *record)
{
    const struct flow *flow = record->flow;
    char ip[INET6_ADDRSTRLEN], mac[MAC_TEXT_SIZE], text[320];
    const char *name = flow->device_name;
    int length = snprintf(text, sizeof(text), "flow_id=%llu%s%s device=%.200s",
                          (unsigned long long)record->flow_id, flow->has_mac ? " mac=" : "",
                          flow->has_mac ? mac_text(flow->mac, mac) : "",
                          name != NULL ? name : address_ip_text(&flow->device, ip));
    captured->comment_length = (size_t)length;
    captured->comment = strdup(text);
    CHECK(captured->comment != NULL);
}

static void compose_event(struct captured *captured, const struct record *record)
{
    struct jsonw json;
    jsonw_init_growing(&json);
    eve_compose(&json, EVE_TLS, record);
    captured->event_length = json.length;
    captured->event = strdup(jsonw_text(&json));
    CHECK(captured->event != NULL);
    jsonw_fini(&json);
}

static struct capture_flow *make_flow(const struct record *record)
{
    const struct flow *facts = record->flow;
    struct capture_flow *flow = calloc(1, sizeof(*flow));
    if (flow == NULL)
        return NULL;
    struct tcp_stream *stream = &flow->captured.stream;
    stream->device.address = facts->device;
    stream->origin.address = facts->origin;
    if (facts->has_mac)
        memcpy(stream->device.mac, facts->mac, MAC_SIZE);
    memcpy(flow->interface, facts->interface, sizeof(flow->interface));
    flow->seed = record->flow_id;
    compose_comment(&flow->captured, record);
    compose_event(&flow->captured, record);
    return flow;
}

struct capture_flow *capture_begin(struct capture_feed *feed, const struct record *record)
{
    struct capture_flow *flow = make_flow(record);
    const struct entry entry = {.flow = flow, .time = clock_wall()};
    feed->open++; /* so that there is room for its end, too */
    if (flow != NULL) {
        flow->feed = feed;
        if (put(feed, CAPTURE_BEGIN, &entry, NULL, 0))
            return flow;
    }
    feed->open--;
    counter_add(&feed->lost_flows, 1);
    if (flow != NULL)
        capture_flow_free(flow);
    return NULL;
}

static struct entry entry_now(struct capture_flow *flow)
{
    return (struct entry){
        .flow = flow, .time = clock_wall(), .lost = {flow->lost[0], flow->lost[1]}};
}

void capture_data(struct capture_flow *flow, bool up, const unsigned char *bytes, size_t length)
{
    if (atomic_load_explicit(&flow->unwanted, memory_order_relaxed))
        return;
    const struct entry entry = entry_now(flow);
    if (put(flow->feed, CAPTURE_DATA | (up ? UP : 0), &entry, bytes, length)) {
        flow->lost[0] = flow->lost[1] = 0;
        return;
    }
    flow->lost[up] += length;
    counter_add(&flow->feed->lost_bytes, length);
}

/* If it finds no room, the end of all tells it. */
void capture_half_end(struct capture_flow *flow, bool up)
{
    const struct entry entry = entry_now(flow);
    if (put(flow->feed, CAPTURE_HALF_END | (up ? UP : 0), &entry, NULL, 0))
        flow->lost[0] = flow->lost[1] = 0;
}

void capture_end(struct capture_flow *flow, enum capture_ending ending)
{
    struct capture_feed *feed = flow->feed;
    struct entry entry = entry_now(flow);
    entry.ending = ending;
    CHECK(ring_put(&feed->ring, CAPTURE_END, &entry, sizeof(entry)));
    feed->open--;
    ring_alarm(feed->alarm);
}

/* ---- taking ---- */

bool capture_feed_next(struct capture_feed *feed, struct capture_note *note)
{
    struct entry entry;
    uint32_t tag;
    size_t length;
    const unsigned char *record = ring_peek(&feed->ring, &tag, &length);
    if (record == NULL)
        return false;
    memcpy(&entry, record, sizeof(entry));
    *note = (struct capture_note){
        .kind = (enum capture_note_kind)(tag & ~UP),
        .up = (tag & UP) != 0,
        .flow = entry.flow,
        .time = entry.time,
        .lost = {entry.lost[0], entry.lost[1]},
        .ending = entry.ending,
        .bytes = record + sizeof(entry),
        .length = length - sizeof(entry),
    };
    return true;
}

void capture_feed_taken(struct capture_feed *feed)
{
    ring_consume(&feed->ring);
}
