/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/filter_fields.h"

#include "core/macros.h"

#include <string.h>

typedef bool found_in(const char *text, void *context);

/* "tls.sni": by the keys of nested objects. */
static const json_t *value_at(const json_t *event, const char *path)
{
    char key[32];
    while (event != NULL && *path != '\0') {
        size_t length = strcspn(path, ".");
        snprintf(key, sizeof(key), "%.*s", (int)length, path);
        event = json_object_get(event, key);
        path += length + (path[length] == '.');
    }
    return event;
}

static const char *text_at(const json_t *event, const char *path)
{
    return json_string_value(value_at(event, path));
}

static bool any_of(const json_t *event, const char *const *paths, size_t count, found_in *found,
                   void *context)
{
    for (size_t i = 0; i < count; i++) {
        const char *text = text_at(event, paths[i]);
        if (text != NULL && found(text, context))
            return true;
    }
    return false;
}

static const char *const host_paths[] = {"tls.sni",        "http.hostname",  "quic.sni",
                                         "intercept.name", "intercept.host", "dest_ip"};

static bool hosts(const json_t *event, found_in *found, void *context)
{
    return any_of(event, host_paths, ARRAY_SIZE(host_paths), found, context);
}

/* host:port, an IPv6 address with brackets and without. */
static bool with_port(const char *host, const json_t *port, found_in *found, void *context)
{
    char text[512];
    if (host == NULL)
        return false;
    snprintf(text, sizeof(text), "%.400s:%lld", host, (long long)json_integer_value(port));
    if (found(text, context))
        return true;
    if (strchr(host, ':') == NULL)
        return false;
    snprintf(text, sizeof(text), "[%.400s]:%lld", host, (long long)json_integer_value(port));
    return found(text, context);
}

static bool destinations(const json_t *event, found_in *found, void *context)
{
    const json_t *port = value_at(event, "dest_port");
    for (size_t i = 0; i < ARRAY_SIZE(host_paths); i++)
        if (with_port(text_at(event, host_paths[i]), port, found, context))
            return true;
    return false;
}

static bool sources(const json_t *event, found_in *found, void *context)
{
    return with_port(text_at(event, "src_ip"), value_at(event, "src_port"), found, context);
}

static bool devices(const json_t *event, found_in *found, void *context)
{
    static const char *const paths[] = {"intercept.device.name", "intercept.device.mac",
                                        "intercept.device.vendor", "src_ip"};
    return any_of(event, paths, ARRAY_SIZE(paths), found, context);
}

/* Suricata has what the request asks for; a URL has the scheme and the host, too. */
static bool urls(const json_t *event, found_in *found, void *context)
{
    const char *url = text_at(event, "http.url"), *host = text_at(event, "http.hostname");
    char text[8192];
    if (url == NULL)
        return false;
    if (url[0] != '/' || host == NULL)
        return found(url, context);
    const bool secure =
        value_at(event, "tls") != NULL || json_integer_value(value_at(event, "dest_port")) == 443;
    snprintf(text, sizeof(text), "%s://%s%s", secure ? "https" : "http", host, url);
    return found(text, context);
}

static bool urls_and_hosts(const json_t *event, found_in *found, void *context)
{
    return urls(event, found, context) || hosts(event, found, context);
}

static bool methods(const json_t *event, found_in *found, void *context)
{
    const char *method = text_at(event, "http.http_method");
    return method != NULL && found(method, context);
}

static bool types(const json_t *event, found_in *found, void *context)
{
    const char *type = text_at(event, "http.http_content_type");
    return type != NULL && found(type, context);
}

static bool has_response(const json_t *event)
{
    return value_at(event, "http.status") != NULL;
}

static bool has_request_alone(const json_t *event)
{
    return value_at(event, "http") != NULL && !has_response(event);
}

static bool has_failed(const json_t *event)
{
    static const char *const good[] = {"open", "closed", "shutdown", "cut"};
    const char *ending = text_at(event, "intercept.ending");
    for (size_t i = 0; ending != NULL && i < ARRAY_SIZE(good); i++)
        if (strcmp(ending, good[i]) == 0)
            return false;
    return ending != NULL;
}

const struct filter_field *filter_field_find(const char *name)
{
    static const struct filter_field fields[] = {
        {"", urls_and_hosts, NULL, false},  {"d", hosts, NULL, false},
        {"dst", destinations, NULL, false}, {"src", sources, NULL, false},
        {"dev", devices, NULL, false},      {"u", urls, NULL, true},
        {"m", methods, NULL, true},         {"t", types, NULL, true},
        {"s", NULL, has_response, true},    {"q", NULL, has_request_alone, true},
        {"e", NULL, has_failed, true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
        if (strcmp(fields[i].name, name) == 0)
            return &fields[i];
    return NULL;
}

bool filter_has_status(const json_t *event, json_int_t status)
{
    const json_t *value = value_at(event, "http.status");
    return json_is_integer(value) && json_integer_value(value) == status;
}
