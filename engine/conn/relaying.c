/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conn/relaying.h"

#include "conn/capturing.h"
#include "conn/telling.h"
#include "policy/outcome.h"
#include "tap/altsvc.h"

#include <string.h>

bool relaying_is_for_plain(struct conn *conn)
{
    conn->rules = policy_tls(conn->policy->view, &conn->flow);
    return telling_is_wanted(conn) || capture_wants(conn->pool->options.packets);
}

static enum ending device_ending(const struct endpoint *device)
{
    if (device->alert_in != NO_ALERT)
        return ENDING_DEVICE_ALERT;
    return device->failure[0] != '\0' ? ENDING_DEVICE_TLS : ENDING_DEVICE_RESET;
}

static enum ending origin_ending(const struct endpoint *origin)
{
    if (origin->alert_in != NO_ALERT)
        return ENDING_ORIGIN_ALERT;
    return origin->failure[0] != '\0' ? ENDING_ORIGIN_TLS : ENDING_ORIGIN_RESET;
}

/* Some TLS stacks finish the handshake and look at the certificate after it: a device that then
 * leaves without a word has refused us, and no alert tells; unless it has resumed a session, and no
 * certificate was shown. One that closes while tickets of ours are under way resets without meaning
 * to. */
static enum ending unless_refused(const struct conn *conn, enum ending ending)
{
    const struct relay *relay = &conn->through.relay;
    bool device_left = relay->device_first || ending == ENDING_DEVICE_RESET;
    bool was_shown = conn->leaf != NULL && !conn->record.client.resumed;
    return device_left && was_shown && relay->up.bytes == 0 && ending != ENDING_DEVICE_ALERT
               ? ENDING_DEVICE_NO_DATA
               : ending;
}

/* At once: a connection may last for days. A certificate that is not our CA's tells nothing of it.
 */
static void note_acceptance(struct conn *conn)
{
    if (conn->accepted || conn->through.relay.up.bytes == 0)
        return;
    conn->accepted = true;
    if (conn->by_our_ca)
        outcome_accepted(conn->policy->view, &conn->flow);
}

static void relay_step(struct conn *conn, bool device_news, bool origin_news)
{
    struct relay *relay = &conn->through.relay;
    enum relay_result result = relay_run(relay, device_news, origin_news);
    note_acceptance(conn);
    switch (result) {
    case RELAY_AGAIN:
        loop_again(&conn->pool->loop, &conn->device.watch);
        conn_want(conn, relay_device_events(relay), relay_origin_events(relay));
        return;
    case RELAY_GOING:
        conn_want(conn, relay_device_events(relay), relay_origin_events(relay));
        return;
    case RELAY_DONE:
        conn_end(conn, unless_refused(conn, ENDING_CLOSED), false);
        return;
    case RELAY_DEVICE_ERROR:
        conn_end(conn, unless_refused(conn, device_ending(&conn->device.endpoint)), true);
        return;
    case RELAY_ORIGIN_ERROR:
        conn_end(conn, unless_refused(conn, origin_ending(&conn->origin.endpoint)), true);
        return;
    case RELAY_NO_MEMORY:
        conn_end(conn, ENDING_OUT_OF_RESOURCES, true);
        return;
    }
}

static size_t see_request(void *altsvc, unsigned char *bytes, size_t length, size_t *kept)
{
    altsvc_by_device(altsvc, bytes, length);
    *kept = 0;
    return length;
}

static size_t see_response(void *altsvc, unsigned char *bytes, size_t length, size_t *kept)
{
    return altsvc_by_origin(altsvc, bytes, length, kept);
}

/* What offers QUIC is taken out, unless the device may have it. HTTP/1 is what is spoken where
 * nothing else was agreed on, or it was. If it is not, the first bytes tell. */
static void follow_http1(struct conn *conn)
{
    const struct endpoint *device = &conn->device.endpoint;
    struct relay *relay = &conn->through.relay;
    bool is_other = device->alpn_length > 0 &&
                    (device->alpn_length != 8 || memcmp(device->alpn, "http/1.1", 8) != 0);
    if (is_other || conn->rules.uninterpreted || conn->rules.quic == QUIC_PASS)
        return;
    struct altsvc *altsvc = arena_alloc(&conn->arena, sizeof(*altsvc));
    if (altsvc == NULL)
        return;
    relay->up.filter = (struct relay_filter){.run = see_request, .context = altsvc};
    relay->down.filter = (struct relay_filter){.run = see_response, .context = altsvc};
}

static void init_relay(struct conn *conn)
{
    relay_init(&conn->through.relay, &conn->device.endpoint, &conn->origin.endpoint,
               &conn->pool->buffer_slab, &conn->pool->relay_space);
}

static void begin_relay(struct conn *conn)
{
    telling_begin(conn);
    capturing_begin(conn);
    relay_step(conn, true, true);
}

static void enter_relay(struct conn *conn)
{
    init_relay(conn);
    follow_http1(conn);
    begin_relay(conn);
}

static void enter_plain(struct conn *conn)
{
    counter_add(&conn->pool->counters.passed, 1);
    init_relay(conn);
    begin_relay(conn);
}

static void leave_relay(struct conn *conn)
{
    relay_fini(&conn->through.relay);
}

/* No events: it is our turn again (loop_again), and either side may have more. */
static void device_ready(struct conn *conn, uint32_t events)
{
    if (conn_lost(&conn->device, events))
        conn_end(conn, unless_refused(conn, ENDING_DEVICE_RESET), true);
    else
        relay_step(conn, true, events == 0);
}

static void origin_ready(struct conn *conn, uint32_t events)
{
    if (conn_lost(&conn->origin, events))
        conn_end(conn, ENDING_ORIGIN_RESET, true);
    else
        relay_step(conn, false, true);
}

const struct conn_stage relaying_tls = {.name = "relay",
                                        .enter = enter_relay,
                                        .leave = leave_relay,
                                        .device_ready = device_ready,
                                        .origin_ready = origin_ready};

const struct conn_stage relaying_plain = {.name = "plain",
                                          .enter = enter_plain,
                                          .leave = leave_relay,
                                          .device_ready = device_ready,
                                          .origin_ready = origin_ready};
