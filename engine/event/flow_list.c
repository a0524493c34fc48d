/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "event/flow_list.h"

struct flow_list *flow_list_new(size_t limit)
{
    struct flow_list *list = calloc(1, sizeof(*list));
    CHECK(list != NULL);
    list->limit = limit;
    return list;
}

void flow_list_free(struct flow_list *list)
{
    if (list == NULL)
        return;
    arena_fini(&list->arena);
    free(list->items);
    free(list);
}

void flow_list_begin(struct flow_list *list)
{
    list->taken = 0;
}

bool flow_list_has_room(const struct flow_list *list)
{
    return list->taken < list->limit;
}

void flow_list_count(struct flow_list *list, uint64_t count)
{
    list->total += count;
}

static bool grow(struct flow_list *list)
{
    if (list->count < list->capacity)
        return true;
    size_t capacity = list->capacity > 0 ? 2 * list->capacity : 64;
    struct open_flow *items = realloc(list->items, capacity * sizeof(*items));
    if (items == NULL)
        return false;
    list->items = items;
    list->capacity = capacity;
    return true;
}

static const char *copy(struct arena *arena, const char *text)
{
    return text != NULL ? arena_strdup(arena, text) : NULL;
}

static void copy_names(struct arena *arena, struct flow *flow)
{
    const char **names = arena_alloc(arena, (flow->name_count + 1) * sizeof(*names));
    size_t count = 0;
    while (names != NULL && count < flow->name_count) {
        names[count] = copy(arena, flow->names[count]);
        if (names[count] == NULL)
            break;
        count++;
    }
    flow->names = names;
    flow->name_count = count;
}

void flow_list_add(struct flow_list *list, const struct open_flow *item)
{
    list->total++;
    if (!flow_list_has_room(list) || !grow(list))
        return;
    struct open_flow *kept = &list->items[list->count++];
    struct arena *arena = &list->arena;
    list->taken++;
    *kept = *item;
    kept->rule = copy(arena, item->rule);
    kept->rule_place = copy(arena, item->rule_place);
    kept->flow.device_name = copy(arena, item->flow.device_name);
    kept->flow.sni = copy(arena, item->flow.sni);
    kept->flow.host = copy(arena, item->flow.host);
    copy_names(arena, &kept->flow);
}

static int compare_age(const void *a, const void *b)
{
    uint64_t first = ((const struct open_flow *)a)->start;
    uint64_t second = ((const struct open_flow *)b)->start;
    return (first < second) - (first > second);
}

void flow_list_finish(struct flow_list *list)
{
    if (list->count > 0)
        qsort(list->items, list->count, sizeof(list->items[0]), compare_age);
    if (list->count > list->limit)
        list->count = list->limit;
}

/* ---- JSON ---- */

static void write_device(struct jsonw *json, const struct flow *flow)
{
    char mac[MAC_TEXT_SIZE];
    if (!flow->has_mac && flow->device_name == NULL)
        return;
    jsonw_object(json, "device");
    if (flow->has_mac)
        jsonw_string(json, "mac", mac_text(flow->mac, mac));
    jsonw_string(json, "name", flow->device_name);
    jsonw_object_end(json);
}

static void write_names(struct jsonw *json, const struct flow *flow)
{
    jsonw_string(json, "sni", flow->sni);
    jsonw_string(json, "host", flow->host);
    if (flow->name_count == 0)
        return;
    jsonw_array(json, "names");
    for (size_t i = 0; i < flow->name_count; i++)
        jsonw_string(json, NULL, flow->names[i]);
    jsonw_array_end(json);
}

static void write_counters(struct jsonw *json, const struct open_flow *item)
{
    if (!item->counted)
        return;
    jsonw_uint(json, "pkts_toserver", item->packets_to_server);
    jsonw_uint(json, "pkts_toclient", item->packets_to_client);
    jsonw_uint(json, "bytes_toserver", item->bytes_to_server);
    jsonw_uint(json, "bytes_toclient", item->bytes_to_client);
}

static void write_item(struct jsonw *json, const struct open_flow *item, uint64_t now)
{
    const struct flow *flow = &item->flow;
    char ip[INET6_ADDRSTRLEN];
    jsonw_object(json, NULL);
    jsonw_uint(json, "flow_id", item->flow_id);
    if (flow->interface[0] != '\0')
        jsonw_string(json, "in_iface", flow->interface);
    jsonw_string(json, "src_ip", address_ip_text(&flow->device, ip));
    jsonw_uint(json, "src_port", flow->device.port);
    jsonw_string(json, "dest_ip", address_ip_text(&flow->origin, ip));
    jsonw_uint(json, "dest_port", flow->origin.port);
    jsonw_string(json, "proto", flow->protocol == IPPROTO_UDP ? "UDP" : "TCP");
    write_device(json, flow);
    write_names(json, flow);
    jsonw_string(json, "state", item->state);
    jsonw_string(json, "action", item->action);
    jsonw_string(json, "reason", item->reason);
    jsonw_string(json, "rule", item->rule);
    jsonw_string(json, "rule_place", item->rule_place);
    if (item->policy_revision != 0)
        jsonw_uint(json, "policy_rev", item->policy_revision);
    write_counters(json, item);
    if (item->start != 0)
        jsonw_uint(json, "age", now > item->start ? (now - item->start) / 1000 : 0);
    jsonw_object_end(json);
}

void flow_list_write(const struct flow_list *list, struct jsonw *json, uint64_t now)
{
    jsonw_object(json, NULL);
    jsonw_uint(json, "total", list->total);
    jsonw_array(json, "flows");
    for (size_t i = 0; i < list->count; i++)
        write_item(json, &list->items[i], now);
    jsonw_array_end(json);
    jsonw_object_end(json);
}
