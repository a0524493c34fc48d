/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/kernel_rules.h"

#include "control/audit.h"
#include "gate/decided.h"

#include <errno.h>
#include <string.h>

/* ---- listing ---- */

static void write_entry(const struct decided_entry *entry, void *context)
{
    struct jsonw *data = context;
    const struct decided *decided = &entry->decided;
    char ip[INET6_ADDRSTRLEN];
    jsonw_object(data, NULL);
    jsonw_string(data, "address", address_ip_text(&decided->origin, ip));
    jsonw_uint(data, "port", decided->origin.port);
    if (decided->device.family != 0)
        jsonw_string(data, "device", address_ip_text(&decided->device, ip));
    jsonw_string(data, "protocol", decided->protocol == IPPROTO_UDP ? "udp" : "tcp");
    uint64_t left = entry->expires_ms < entry->timeout_ms ? entry->expires_ms : entry->timeout_ms;
    jsonw_uint(data, "age", (entry->timeout_ms - left) / 1000);
    jsonw_uint(data, "timeout", entry->timeout_ms / 1000);
    jsonw_uint(data, "expires", entry->expires_ms / 1000);
    jsonw_uint(data, "packets", entry->packets);
    jsonw_uint(data, "bytes", entry->bytes);
    jsonw_string(data, "rule", decided->comment);
    jsonw_object_end(data);
}

void kernel_rules_list(struct control *control, struct control_request *request)
{
    const uint32_t timeout = gate_pass_timeout(control->engine->gate);
    struct netlink netlink;
    struct jsonw data;
    if (!netlink_open(&netlink, NETLINK_NETFILTER, 0)) {
        control_refuse(request, "failed", NULL, "%s", strerror(errno));
        return;
    }
    jsonw_init_growing(&data);
    jsonw_array(&data, NULL);
    bool done = decided_list(&netlink, timeout, write_entry, &data);
    int error = errno;
    jsonw_array_end(&data);
    netlink_close(&netlink);
    if (done)
        control_reply(request, &data);
    else
        control_refuse(request, "failed", NULL, "%s", strerror(error));
    jsonw_fini(&data);
}

/* ---- forgetting ---- */

/* On its way through the gate's thread, and back. */
struct flush {
    struct control *control;
    struct control_request *request;
    json_t *items; /* that are to be told of */
    bool done;
};

static void tell_flush(void *context)
{
    struct flush *flush = context;
    struct control *control = flush->control;
    control->unanswered_flushes--;
    audit_operator(control->engine->control_feed, &flush->request->peer,
                   policy_revision(control->engine->policy), flush->items);
    if (flush->done)
        control_reply(flush->request, NULL);
    else
        control_refuse(flush->request, "failed", NULL, "the kernel refused: the log says why");
    free(flush);
}

static void gate_flushed(void *context, bool done)
{
    struct flush *flush = context;
    flush->done = done;
    mailbox_call(&flush->control->mailbox, tell_flush, flush);
}

void kernel_rules_flush(struct control *control, struct control_request *request)
{
    struct flush *flush = calloc(1, sizeof(*flush));
    CHECK(flush != NULL);
    *flush = (struct flush){
        control, request, json_pack("[{s:s, s:s}]", "what", "kernel rules", "new", "none"), false};
    control->unanswered_flushes++;
    gate_flush(control->engine->gate, gate_flushed, flush);
}
