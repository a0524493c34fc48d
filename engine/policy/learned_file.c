/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/learned_file.h"

#include <jansson.h>
#include <openssl/ssl.h>
#include <string.h>

#define VERSION 1

/* ---- writing ---- */

void learned_write_evidence(struct jsonw *json, const struct learned_evidence *evidence)
{
    char origin[ADDRESS_TEXT_SIZE];
    jsonw_object(json, "evidence");
    jsonw_uint(json, "refusals", evidence->refusals);
    jsonw_uint(json, "silent", evidence->silent);
    jsonw_array(json, "alerts");
    for (size_t i = 0; i < LEARNED_ALERTS && evidence->alerts[i].count > 0; i++) {
        jsonw_object(json, NULL);
        jsonw_int(json, "number", evidence->alerts[i].number);
        jsonw_string(json, "name", SSL_alert_desc_string_long(evidence->alerts[i].number));
        jsonw_uint(json, "count", evidence->alerts[i].count);
        jsonw_object_end(json);
    }
    jsonw_array_end(json);
    jsonw_int(json, "first", evidence->first);
    jsonw_int(json, "last", evidence->last);
    jsonw_string(json, "origin", address_text(&evidence->origin, origin));
    if (evidence->ja4[0] != '\0')
        jsonw_string(json, "ja4", evidence->ja4);
    jsonw_object_end(json);
}

static void write_device(struct jsonw *json, const struct device_key *key,
                         const struct address *address)
{
    char mac[MAC_TEXT_SIZE], ip[INET6_ADDRSTRLEN];
    if (key->size == MAC_SIZE)
        jsonw_string(json, "mac", mac_text(key->bytes, mac));
    jsonw_string(json, "ip", address_ip_text(address, ip));
}

static void write_finding(struct jsonw *json, const struct learned_finding *finding)
{
    jsonw_object(json, NULL);
    jsonw_uint(json, "id", finding->id);
    jsonw_bool(json, "kept", finding->state == LEARNED_KEPT);
    write_device(json, &finding->device, &finding->address);
    jsonw_string(json, "host", finding->host);
    jsonw_bool(json, "is_name", finding->is_name);
    jsonw_uint(json, "port", finding->port);
    learned_write_evidence(json, &finding->evidence);
    jsonw_int(json, "expires", finding->expires);
    jsonw_object_end(json);
}

void learned_file_write(struct jsonw *json, const struct learned_list *list)
{
    jsonw_object(json, NULL);
    jsonw_int(json, "version", VERSION);
    jsonw_uint(json, "last_id", list->last_id);
    jsonw_array(json, "findings");
    for (size_t i = 0; i < list->finding_count; i++)
        if (list->findings[i].state != LEARNED_COUNTING)
            write_finding(json, &list->findings[i]);
    jsonw_array_end(json);
    jsonw_array(json, "devices");
    for (size_t i = 0; i < list->device_count; i++) {
        const struct learned_device *device = &list->devices[i];
        if (device->accepted == 0)
            continue;
        jsonw_object(json, NULL);
        write_device(json, &device->key, &device->address);
        jsonw_int(json, "accepted", device->accepted);
        jsonw_object_end(json);
    }
    jsonw_array_end(json);
    jsonw_object_end(json);
}

/* ---- reading: everything has to be there, and in its limits ---- */

static bool read_integer(const json_t *object, const char *key, int64_t low, int64_t high,
                         int64_t *number)
{
    const json_t *value = json_object_get(object, key);
    *number = json_integer_value(value);
    return json_is_integer(value) && *number >= low && *number <= high;
}

static bool read_count(const json_t *object, const char *key, int64_t low, uint32_t *count)
{
    int64_t number;
    bool good = read_integer(object, key, low, UINT32_MAX, &number);
    *count = (uint32_t)number;
    return good;
}

static bool read_text(const json_t *object, const char *key, char *text, size_t size)
{
    const char *value = json_string_value(json_object_get(object, key));
    if (value == NULL || *value == '\0' || strlen(value) >= size)
        return false;
    for (const char *at = value; *at != '\0'; at++)
        if (*at <= ' ' || *at >= 0x7f)
            return false;
    strcpy(text, value);
    return true;
}

static bool read_mac(struct device_key *key, const char *text)
{
    unsigned bytes[MAC_SIZE];
    char again[MAC_TEXT_SIZE];
    if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x", &bytes[0], &bytes[1], &bytes[2], &bytes[3],
               &bytes[4], &bytes[5]) != MAC_SIZE)
        return false;
    *key = (struct device_key){.size = MAC_SIZE};
    for (size_t i = 0; i < MAC_SIZE; i++)
        key->bytes[i] = (uint8_t)bytes[i];
    return strcmp(mac_text(key->bytes, again), text) == 0;
}

static bool read_device(const json_t *object, struct device_key *key, struct address *address)
{
    char mac[MAC_TEXT_SIZE], ip[INET6_ADDRSTRLEN];
    if (!read_text(object, "ip", ip, sizeof(ip)) || !address_ip_parse(address, ip))
        return false;
    if (json_object_get(object, "mac") != NULL)
        return read_text(object, "mac", mac, sizeof(mac)) && read_mac(key, mac);
    *key = flow_device_key(&(struct flow){.device = *address});
    return true;
}

static bool read_alerts(struct learned_evidence *evidence, const json_t *alerts)
{
    const size_t count = json_array_size(alerts);
    if (!json_is_array(alerts) || count > LEARNED_ALERTS)
        return false;
    for (size_t i = 0; i < count; i++) {
        const json_t *alert = json_array_get(alerts, i);
        int64_t number;
        if (!read_integer(alert, "number", 0, UINT8_MAX, &number) ||
            !read_count(alert, "count", 1, &evidence->alerts[i].count))
            return false;
        evidence->alerts[i].number = (int)number;
    }
    return true;
}

static bool read_evidence(struct learned_evidence *evidence, const json_t *object)
{
    char origin[ADDRESS_TEXT_SIZE];
    if (json_object_get(object, "ja4") != NULL &&
        !read_text(object, "ja4", evidence->ja4, sizeof(evidence->ja4)))
        return false;
    return read_count(object, "refusals", 1, &evidence->refusals) &&
           read_count(object, "silent", 0, &evidence->silent) &&
           read_alerts(evidence, json_object_get(object, "alerts")) &&
           read_integer(object, "first", 0, INT64_MAX, &evidence->first) &&
           read_integer(object, "last", 0, INT64_MAX, &evidence->last) &&
           read_text(object, "origin", origin, sizeof(origin)) &&
           address_parse(&evidence->origin, origin);
}

static const char *read_finding(struct learned_finding *finding, const json_t *object,
                                uint64_t last_id)
{
    const json_t *kept = json_object_get(object, "kept");
    const json_t *is_name = json_object_get(object, "is_name");
    int64_t id, port;
    if (!read_device(object, &finding->device, &finding->address))
        return "a finding of no device";
    if (!read_text(object, "host", finding->host, sizeof(finding->host)) ||
        !read_integer(object, "port", 1, UINT16_MAX, &port) || !json_is_boolean(is_name))
        return "a finding of no destination";
    if (!read_evidence(&finding->evidence, json_object_get(object, "evidence")))
        return "a finding without evidence";
    if (!read_integer(object, "id", 1, (int64_t)last_id, &id) || !json_is_boolean(kept) ||
        !read_integer(object, "expires", 0, INT64_MAX, &finding->expires))
        return "a finding without a number, or without an end";
    finding->id = (uint64_t)id;
    finding->port = (uint16_t)port;
    finding->is_name = json_is_true(is_name);
    finding->state = json_is_true(kept) ? LEARNED_KEPT : LEARNED_FOUND;
    return NULL;
}

static const char *read_findings(struct learned_list *list, const json_t *findings)
{
    const size_t count = json_array_size(findings);
    const char *complaint = NULL;
    if (!json_is_array(findings) || count > LEARNED_LIMIT)
        return "no findings, or too many";
    list->findings = calloc(count + 1, sizeof(*list->findings));
    CHECK(list->findings != NULL);
    for (size_t i = 0; i < count && complaint == NULL; i++)
        complaint = read_finding(&list->findings[i], json_array_get(findings, i), list->last_id);
    list->finding_count = count;
    return complaint;
}

static const char *read_devices(struct learned_list *list, const json_t *devices)
{
    const size_t count = json_array_size(devices);
    if (!json_is_array(devices) || count > LEARNED_DEVICES_LIMIT)
        return "no devices, or too many";
    list->devices = calloc(count + 1, sizeof(*list->devices));
    CHECK(list->devices != NULL);
    for (size_t i = 0; i < count; i++) {
        struct learned_device *device = &list->devices[i];
        const json_t *object = json_array_get(devices, i);
        if (!read_device(object, &device->key, &device->address) ||
            !read_integer(object, "accepted", 1, INT64_MAX, &device->accepted))
            return "a device that is none";
    }
    list->device_count = count;
    return NULL;
}

static const char *read_all(struct learned_list *list, const json_t *root)
{
    int64_t version, last_id;
    if (!read_integer(root, "version", VERSION, VERSION, &version))
        return "not of a version that is known here";
    if (!read_integer(root, "last_id", 0, INT64_MAX - 1, &last_id))
        return "no number of the last finding";
    list->last_id = (uint64_t)last_id;
    const char *complaint = read_findings(list, json_object_get(root, "findings"));
    return complaint != NULL ? complaint : read_devices(list, json_object_get(root, "devices"));
}

const char *learned_file_read(struct learned_list *list, const char *text, size_t length)
{
    json_error_t error;
    json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
    *list = (struct learned_list){0};
    const char *complaint = root != NULL ? read_all(list, root) : "no JSON";
    json_decref(root);
    if (complaint != NULL)
        learned_list_fini(list);
    return complaint;
}
