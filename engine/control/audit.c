/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/audit.h"

#include "core/log.h"
#include "event/eve.h"

#include <string.h>

/* A record is as long as the recorder's lines may be. */
#define EVENT_LIMIT ((size_t)24 << 10)
/* Of a long list the log tells the beginning. */
#define LOG_LIMIT 20

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* ---- records ---- */

static void write_start(struct jsonw *json, const struct audit *audit)
{
    eve_begin(json, "intercept");
    jsonw_object(json, "intercept");
    jsonw_string(json, "action", "change");
    jsonw_string(json, "reason", audit->reason);
    jsonw_uint(json, "policy_rev", audit->revision);
    if (audit->peer != NULL) {
        jsonw_object(json, "by");
        jsonw_uint(json, "uid", audit->peer->uid);
        jsonw_int(json, "pid", audit->peer->pid);
        jsonw_object_end(json);
    }
    jsonw_array(json, "changes");
}

static void write_item(struct jsonw *json, const json_t *item)
{
    static const char *const keys[] = {"what", "device", "old", "new", "note"};
    jsonw_object(json, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        jsonw_string(json, keys[i], text_of(item, keys[i]));
    const json_t *seconds = json_object_get(item, "for");
    if (seconds != NULL)
        jsonw_int(json, "for", json_integer_value(seconds));
    if (json_is_true(json_object_get(item, "persist")))
        jsonw_bool(json, "persist", true);
    jsonw_object_end(json);
}

/* One event with the items from `first` on, as many as fit. Returns the next one. */
static size_t record_some(struct recorder_feed *feed, const struct audit *audit, size_t first)
{
    struct jsonw json;
    size_t index = first;
    jsonw_init_growing(&json);
    write_start(&json, audit);
    for (; index < json_array_size(audit->items) && json.length < EVENT_LIMIT; index++)
        write_item(&json, json_array_get(audit->items, index));
    jsonw_array_end(&json);
    jsonw_object_end(&json);
    jsonw_object_end(&json);
    if (!eve_put(feed, &json))
        recorder_drop(feed);
    jsonw_fini(&json);
    return index;
}

void audit_record(struct recorder_feed *feed, const struct audit *audit)
{
    size_t next = 0;
    if (!recorder_wants(feed, OUTPUT_EVENTS))
        return;
    do
        next = record_some(feed, audit, next);
    while (next < json_array_size(audit->items));
}

/* ---- the log ---- */

static const char *who(const struct audit *audit, char text[static 48])
{
    if (audit->peer != NULL)
        snprintf(text, 48, "by user %u (process %d)", (unsigned)audit->peer->uid,
                 (int)audit->peer->pid);
    else
        snprintf(text, 48, "by itself");
    return text;
}

void audit_log(const struct audit *audit)
{
    const size_t count = json_array_size(audit->items);
    char by[48];
    for (size_t i = 0; i < count && i < LOG_LIMIT; i++) {
        const json_t *item = json_array_get(audit->items, i);
        const char *device = text_of(item, "device"), *old = text_of(item, "old"),
                   *new = text_of(item, "new"), *note = text_of(item, "note");
        log_info("changed %s%s%s: %s -> %s, %s%s%s", text_of(item, "what"),
                 device != NULL ? " of " : "", device != NULL ? device : "",
                 old != NULL ? old : "nothing", new != NULL ? new : "nothing", who(audit, by),
                 note != NULL ? ": " : "", note != NULL ? note : "");
    }
    if (count > LOG_LIMIT)
        log_info("and %zu more", count - LOG_LIMIT);
}

void audit_operator(struct recorder_feed *feed, const struct control_peer *peer, uint64_t revision,
                    json_t *items)
{
    const struct audit audit = {
        .reason = "operator", .peer = peer, .revision = revision, .items = items};
    audit_record(feed, &audit);
    audit_log(&audit);
    json_decref(items);
}
