/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/device_list.h"

#include "gate/neighbour.h"
#include "policy/device.h"
#include "policy/learned_json.h"

#include <string.h>

/* ---- those that never ask us ---- */

struct search {
    struct devices *devices;
    struct interfaces lan;
    uint64_t now;
};

static void notice(const struct flow *seen, uint64_t ago_ms, void *context)
{
    const struct search *search = context;
    for (size_t i = 0; i < search->lan.count; i++)
        if (strcmp(search->lan.names[i], seen->interface) == 0)
            devices_notice(search->devices, seen, search->now > ago_ms ? search->now - ago_ms : 0);
}

/* Where the kernel does not tell, the list is one of those that have asked. */
static void notice_neighbours(const struct engine *engine)
{
    struct search search = {.devices = engine->known->devices, .now = clock_ms()};
    struct netlink netlink;
    if (!gate_lan(engine->gate, &search.lan) || !netlink_open(&netlink, NETLINK_ROUTE, 0))
        return;
    (void)!neighbours_list(&netlink, notice, &search);
    netlink_close(&netlink);
}

/* ---- writing ---- */

static struct flow flow_of(const struct device_facts *facts)
{
    struct flow flow = {.has_mac = facts->has_mac};
    memcpy(flow.mac, facts->mac, MAC_SIZE);
    memcpy(flow.interface, facts->interface, IFNAMSIZ);
    if (facts->address_count > 0)
        flow.device = facts->addresses[0];
    return flow;
}

static void write_name(struct jsonw *json, const struct config *config,
                       const struct device_facts *facts, const struct flow *flow)
{
    static const char *const sources[] = {[NAMED_BY_MDNS] = "mdns", [NAMED_BY_LEASE] = "dhcp"};
    const char *given = device_name(config, flow);
    if (given != NULL) {
        jsonw_string(json, "name", given);
        jsonw_string(json, "name_source", "config");
    } else if (facts->name_source != NAMED_BY_NOBODY) {
        jsonw_string(json, "name", facts->name);
        jsonw_string(json, "name_source", sources[facts->name_source]);
    }
}

static void write_identity(struct jsonw *json, const struct device_facts *facts)
{
    char mac[MAC_TEXT_SIZE], ip[INET6_ADDRSTRLEN];
    if (facts->has_mac) {
        jsonw_string(json, "mac", mac_text(facts->mac, mac));
        jsonw_bool(json, "randomized", mac_is_randomized(facts->mac));
    }
    if (facts->vendor[0] != '\0')
        jsonw_string(json, "vendor", facts->vendor);
    jsonw_array(json, "addresses");
    for (size_t i = 0; i < facts->address_count; i++)
        jsonw_string(json, NULL, address_ip_text(&facts->addresses[i], ip));
    jsonw_array_end(json);
    if (facts->interface[0] != '\0')
        jsonw_string(json, "interface", facts->interface);
}

/* Whether our CA is on it, as far as it has shown. */
static const char *ca_of(struct learned *learned, const struct flow *flow)
{
    const struct device_key key = flow_device_key(flow);
    struct learned_device device;
    if (!learned_find_device(learned, &key, &device))
        return "unknown";
    return learned_ca_word(&device);
}

static void write_device(struct jsonw *json, const struct engine *engine,
                         const struct device_facts *facts)
{
    const struct config *config = policy_config(engine->policy);
    size_t index;
    const struct flow flow = flow_of(facts);
    const struct device_config *section = device_find(config, &flow, &index);
    const uint64_t ago = (clock_ms() - facts->last_seen) / 1000;
    jsonw_object(json, NULL);
    write_name(json, config, facts, &flow);
    write_identity(json, facts);
    jsonw_uint(json, "first_seen", (uint64_t)facts->first_seen);
    jsonw_uint(json, "last_seen", (uint64_t)time(NULL) - ago);
    if (section != NULL)
        jsonw_string(json, "section", section->name);
    jsonw_bool(json, "intercepted", device_is_intercepted(config, &flow));
    jsonw_string(json, "ca", ca_of(engine->known->learned, &flow));
    jsonw_uint(json, "taken", facts->taken);
    jsonw_uint(json, "passed", facts->passed);
    jsonw_object_end(json);
}

static int by_last_seen(const void *a, const void *b)
{
    const struct device_facts *first = a, *second = b;
    return (first->last_seen < second->last_seen) - (first->last_seen > second->last_seen);
}

void device_list_answer(struct control *control, struct control_request *request)
{
    const struct engine *engine = control->engine;
    struct jsonw data;
    size_t count;
    notice_neighbours(engine);
    struct device_facts *list = devices_list(engine->known->devices, &count);
    jsonw_init_growing(&data);
    jsonw_array(&data, NULL);
    if (list != NULL)
        qsort(list, count, sizeof(*list), by_last_seen);
    for (size_t i = 0; list != NULL && i < count; i++)
        write_device(&data, engine, &list[i]);
    jsonw_array_end(&data);
    free(list);
    control_reply(request, &data);
    jsonw_fini(&data);
}
