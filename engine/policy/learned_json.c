/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/learned_json.h"

#include <jansson.h>
#include <openssl/ssl.h>
#include <string.h>

#define VERSION 1

/* ---- in words ---- */

static size_t add_times(char *text, size_t length, uint32_t count)
{
    const size_t left = LEARNED_EVIDENCE_SIZE - length;
    int size = count == 1 ? snprintf(text + length, left, " once")
                          : snprintf(text + length, left, " %u times", count);
    return length + (size_t)size;
}

const char *learned_evidence_text(const struct learned_evidence *evidence,
                                  char text[static LEARNED_EVIDENCE_SIZE])
{
    size_t length = 0;
    text[0] = '\0';
    for (size_t i = 0; i < LEARNED_ALERTS && evidence->alerts[i].count > 0; i++) {
        const int number = evidence->alerts[i].number;
        length +=
            (size_t)snprintf(text + length, LEARNED_EVIDENCE_SIZE - length, "%salert %d (%s)",
                             length > 0 ? ", " : "", number, SSL_alert_desc_string_long(number));
        length = add_times(text, length, evidence->alerts[i].count);
    }
    if (evidence->silent > 0) {
        length += (size_t)snprintf(text + length, LEARNED_EVIDENCE_SIZE - length,
                                   "%swithout a word", length > 0 ? ", " : "");
        (void)add_times(text, length, evidence->silent);
    }
    return text;
}

const char *device_key_text(const struct device_key *key, char text[static DEVICE_KEY_TEXT_SIZE])
{
    struct address address = {.family = key->size == 4 ? AF_INET : AF_INET6};
    if (key->size == MAC_SIZE)
        return mac_text(key->bytes, text);
    memcpy(&address.ip, key->bytes, key->size);
    return address_ip_text(&address, text);
}

/* ---- writing ---- */

static const char *const states[] = {
    [LEARNED_COUNTING] = "counting", [LEARNED_FOUND] = "found", [LEARNED_KEPT] = "kept"};

static void write_evidence(struct jsonw *json, const struct learned_evidence *evidence)
{
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
    jsonw_object_end(json);
}

static void write_device_key(struct jsonw *json, const struct device_key *key,
                             const struct address *address)
{
    char text[DEVICE_KEY_TEXT_SIZE], ip[INET6_ADDRSTRLEN];
    jsonw_object(json, "device");
    if (key->size == MAC_SIZE)
        jsonw_string(json, "mac", device_key_text(key, text));
    if (address->family != 0)
        jsonw_string(json, "ip", address_ip_text(address, ip));
    jsonw_object_end(json);
}

void learned_write_finding(struct jsonw *json, const struct learned_finding *finding)
{
    jsonw_uint(json, "id", finding->id);
    jsonw_string(json, "state", states[finding->state]);
    write_device_key(json, &finding->device, &finding->address);
    jsonw_string(json, "host", finding->host);
    jsonw_bool(json, "is_name", finding->is_name);
    jsonw_uint(json, "port", finding->port);
    write_evidence(json, &finding->evidence);
    if (finding->state != LEARNED_KEPT)
        jsonw_int(json, "expires", finding->expires);
}

struct writing {
    struct jsonw *json;
    bool counting;
};

static void write_finding(const struct learned_finding *finding, void *context)
{
    const struct writing *writing = context;
    if (finding->state == LEARNED_COUNTING && !writing->counting)
        return;
    jsonw_object(writing->json, NULL);
    learned_write_finding(writing->json, finding);
    jsonw_object_end(writing->json);
}

/* Of a device that has accepted our CA that alone is of interest. */
static void write_device(const struct learned_device *device, void *context)
{
    const struct writing *writing = context;
    struct jsonw *json = writing->json;
    if (device->accepted == 0 && !writing->counting)
        return;
    jsonw_object(json, NULL);
    write_device_key(json, &device->key, &device->address);
    if (device->accepted != 0) {
        jsonw_int(json, "accepted", device->accepted);
    } else {
        jsonw_uint(json, "refusals", device->refusals);
        jsonw_int(json, "last_refusal", device->last_refusal);
    }
    jsonw_object_end(json);
}

void learned_write(struct jsonw *json, struct learned *learned, bool counting)
{
    struct writing writing = {json, counting};
    jsonw_object(json, NULL);
    jsonw_int(json, "version", VERSION);
    jsonw_array(json, "findings");
    learned_each(learned, write_finding, &writing);
    jsonw_array_end(json);
    jsonw_array(json, "devices");
    learned_each_device(learned, write_device, &writing);
    jsonw_array_end(json);
    jsonw_object_end(json);
}

/* ---- reading ---- */

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

static bool read_ip(struct address *address, const char *text)
{
    char with_port[ADDRESS_TEXT_SIZE + 8];
    int size = snprintf(with_port, sizeof(with_port), "%s:0", text);
    return (size_t)size < sizeof(with_port) && address_parse(address, with_port);
}

static bool read_device(const json_t *value, struct device_key *key, struct address *address)
{
    const char *mac = json_string_value(json_object_get(value, "mac"));
    const char *ip = json_string_value(json_object_get(value, "ip"));
    if (ip != NULL && !read_ip(address, ip))
        return false;
    if (mac != NULL)
        return read_mac(key, mac);
    *key = (struct device_key){.size = (uint8_t)address_ip_size(address)};
    memcpy(key->bytes, &address->ip, key->size);
    return ip != NULL;
}

static int64_t read_number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static void read_evidence(struct learned_evidence *evidence, const json_t *value)
{
    const json_t *alerts = json_object_get(value, "alerts"), *alert;
    size_t index;
    *evidence = (struct learned_evidence){
        .refusals = (uint32_t)read_number(value, "refusals"),
        .silent = (uint32_t)read_number(value, "silent"),
        .first = read_number(value, "first"),
        .last = read_number(value, "last"),
    };
    json_array_foreach(alerts, index, alert)
    {
        if (index == LEARNED_ALERTS)
            break;
        evidence->alerts[index].number = (int)read_number(alert, "number");
        evidence->alerts[index].count = (uint32_t)read_number(alert, "count");
    }
}

static const char *read_finding(struct learned *learned, const json_t *value)
{
    const char *state = json_string_value(json_object_get(value, "state"));
    const char *host = json_string_value(json_object_get(value, "host"));
    const int64_t port = read_number(value, "port"), id = read_number(value, "id");
    struct learned_finding finding = {
        .id = (uint64_t)id,
        .is_name = json_is_true(json_object_get(value, "is_name")),
        .port = (uint16_t)port,
        .expires = read_number(value, "expires"),
    };
    if (!read_device(json_object_get(value, "device"), &finding.device, &finding.address))
        return "a finding of no device";
    if (host == NULL || *host == '\0' || strlen(host) >= sizeof(finding.host) || port < 1 ||
        port > UINT16_MAX || id < 1)
        return "a finding of no destination";
    strcpy(finding.host, host);
    read_evidence(&finding.evidence, json_object_get(value, "evidence"));
    finding.state =
        state != NULL && strcmp(state, states[LEARNED_KEPT]) == 0 ? LEARNED_KEPT : LEARNED_FOUND;
    return learned_restore(learned, &finding) ? NULL : "too many findings, or one twice";
}

static const char *read_learned_device(struct learned *learned, const json_t *value)
{
    struct learned_device device = {.accepted = read_number(value, "accepted")};
    if (!read_device(json_object_get(value, "device"), &device.key, &device.address) ||
        device.accepted <= 0)
        return "a device that is none";
    return learned_restore_device(learned, &device) ? NULL : "too many devices";
}

static const char *read_all(struct learned *learned, const json_t *root)
{
    const json_t *findings = json_object_get(root, "findings"), *value;
    const json_t *devices = json_object_get(root, "devices");
    const char *complaint = NULL;
    size_t index;
    if (read_number(root, "version") != VERSION)
        return "not of a version that is known here";
    if (!json_is_array(findings) || !json_is_array(devices))
        return "expected findings and devices";
    json_array_foreach(findings, index, value) if (complaint == NULL) complaint =
        read_finding(learned, value);
    json_array_foreach(devices, index, value) if (complaint == NULL) complaint =
        read_learned_device(learned, value);
    return complaint;
}

const char *learned_read(struct learned *learned, const char *text, size_t length)
{
    json_error_t error;
    json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
    const char *complaint = root != NULL ? read_all(learned, root) : "no JSON";
    json_decref(root);
    return complaint;
}
