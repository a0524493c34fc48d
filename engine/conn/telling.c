/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conn/telling.h"

#include "conn/conn.h"
#include "event/eve_message.h"
#include "tap/tap.h"

#include <string.h>

static void tell(void *context, const struct message *message)
{
    struct conn *conn = context;
    eve_message_write(conn->pool->options.feed, &conn->record, message);
}

static void show(void *context, bool to_server, const unsigned char *bytes, size_t length)
{
    struct conn *conn = context;
    tap_read(conn->tap, to_server, bytes, length, conn->pool->loop.now);
}

static void show_end(void *context, bool to_server)
{
    struct conn *conn = context;
    tap_end(conn->tap, to_server, conn->pool->loop.now);
}

static struct tap_options options_of(const struct conn *conn)
{
    const struct config *config = policy_config(policy_view_policy(conn->policy->view));
    return (struct tap_options){.keep_credentials = config->keep_credentials,
                                .bodies = config->bodies};
}

bool telling_is_wanted(const struct conn *conn)
{
    return !conn->rules.uninterpreted && recorder_wants(conn->pool->options.feed, OUTPUT_EVENTS);
}

void telling_begin(struct conn *conn)
{
    const struct endpoint *device = &conn->device.endpoint;
    if (!telling_is_wanted(conn))
        return;
    conn->tap = arena_alloc(&conn->arena, sizeof(*conn->tap));
    if (conn->tap == NULL)
        return;
    const struct tap_options options = options_of(conn);
    tap_init(conn->tap, &options, &conn->arena, text_from(device->alpn, device->alpn_length),
             conn->flow.origin.port);
    if (conn->followed && strcmp(conn->record.app_proto, "failed") != 0)
        tap_upgraded(conn->tap, conn->record.app_proto);
    tap_listen(conn->tap, tell, conn);
    conn->record.head = eve_make_head(&conn->record, &conn->arena);
    conn->through.relay.tap = (struct relay_tap){.read = show, .end = show_end, .context = conn};
}

void telling_end(struct conn *conn)
{
    struct tap *tap = conn->tap;
    if (tap == NULL)
        return;
    tap_fini(tap, conn->pool->loop.now);
    conn->record.protocol = tap->protocol;
    conn->record.transactions = tap->number;
    conn->record.untold = tap->untold;
    conn->tap = NULL;
}
