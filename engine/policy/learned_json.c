/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/learned_json.h"

#include "policy/learned_file.h"
#include "policy/suggest.h"
#include "tls/authority.h"

#include <limits.h>
#include <openssl/ssl.h>
#include <string.h>

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

const char *learned_verdict(const struct learned_finding *finding,
                            const struct learn_config *config, int64_t now)
{
    if (finding->state == LEARNED_COUNTING)
        return "counting";
    if (finding->state == LEARNED_KEPT)
        return "kept";
    return learned_passes(finding, config, now) ? "passing" : "suggested";
}

const char *learned_ca_word(const struct learned_device *device)
{
    return device->accepted != 0 ? "trusted" : "missing";
}

/* ---- as JSON ---- */

static void tell_device(struct jsonw *json, const struct device_key *key,
                        const struct address *address, struct known *known,
                        const struct config *config)
{
    char name[MDNS_NAME_SIZE], mac[MAC_TEXT_SIZE], ip[INET6_ADDRSTRLEN];
    jsonw_object(json, "device");
    jsonw_string(json, "name", known_name(known, config, key, address, name));
    if (key->size == MAC_SIZE)
        jsonw_string(json, "mac", mac_text(key->bytes, mac));
    jsonw_string(json, "ip", address_ip_text(address, ip));
    jsonw_object_end(json);
}

void learned_tell_finding(struct jsonw *json, const struct learned_finding *finding,
                          struct known *known, const struct config *config, int64_t now)
{
    char pattern[SUGGEST_SIZE];
    jsonw_uint(json, "id", finding->id);
    jsonw_string(json, "verdict", learned_verdict(finding, &config->learn, now));
    jsonw_bool(json, "passes", learned_passes(finding, &config->learn, now));
    tell_device(json, &finding->device, &finding->address, known, config);
    jsonw_string(json, "host", finding->host);
    jsonw_bool(json, "is_name", finding->is_name);
    jsonw_uint(json, "port", finding->port);
    learned_write_evidence(json, &finding->evidence);
    jsonw_string(json, "pattern", suggest_finding(finding, config->ignore.match, pattern));
    if (finding->state != LEARNED_KEPT)
        jsonw_int(json, "expires", finding->expires);
}

void learned_tell_change(struct jsonw *json, const struct learned_finding *finding,
                         struct known *known, const struct config *config, const char *reason)
{
    const struct address *origin = &finding->evidence.origin;
    char evidence[LEARNED_EVIDENCE_SIZE], ip[INET6_ADDRSTRLEN];
    jsonw_string(json, "src_ip", address_ip_text(&finding->address, ip));
    jsonw_string(json, "dest_ip", address_ip_text(origin, ip));
    jsonw_uint(json, "dest_port", origin->port);
    jsonw_string(json, "proto", "TCP");
    jsonw_object(json, "intercept");
    jsonw_string(json, "action", "learned");
    jsonw_string(json, "reason", reason);
    jsonw_uint(json, "learned", finding->id);
    jsonw_string(json, "host", finding->host);
    jsonw_string(json, "evidence", learned_evidence_text(&finding->evidence, evidence));
    tell_device(json, &finding->device, &finding->address, known, config);
    jsonw_object_end(json);
}

static void tell_learned_device(struct jsonw *json, const struct learned_device *device,
                                struct known *known, const struct config *config)
{
    jsonw_object(json, NULL);
    tell_device(json, &device->key, &device->address, known, config);
    jsonw_string(json, "ca", learned_ca_word(device));
    if (device->accepted != 0) {
        jsonw_int(json, "accepted", device->accepted);
    } else {
        jsonw_uint(json, "refusals", device->refusals);
        jsonw_int(json, "last_refusal", device->last_refusal);
    }
    jsonw_object_end(json);
}

void learned_tell(struct jsonw *json, struct known *known, const struct config *config, int64_t now)
{
    char path[PATH_MAX];
    struct learned_list list;
    const bool copied = learned_copy(known->learned, &list);
    CHECK(copied);
    authority_certificate_path(config->tls.ca, path, sizeof(path));
    jsonw_object(json, NULL);
    jsonw_string(json, "ca_certificate", path);
    jsonw_array(json, "findings");
    for (size_t i = 0; i < list.finding_count; i++) {
        jsonw_object(json, NULL);
        learned_tell_finding(json, &list.findings[i], known, config, now);
        jsonw_object_end(json);
    }
    jsonw_array_end(json);
    jsonw_array(json, "devices");
    for (size_t i = 0; i < list.device_count; i++)
        tell_learned_device(json, &list.devices[i], known, config);
    jsonw_array_end(json);
    jsonw_object_end(json);
    learned_list_fini(&list);
}
