/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/stats_events.h"

#include "control/stats.h"
#include "event/eve.h"

/* Of Suricata's own numbers there is one that is ours, too. */
static void write_event(const struct control *control)
{
    struct recorder_feed *feed = control->engine->control_feed;
    const uint64_t uptime = clock_ms() - control->started;
    struct jsonw json;
    if (!recorder_wants(feed, OUTPUT_EVENTS))
        return;
    jsonw_init_growing(&json);
    eve_begin(&json, "stats");
    jsonw_object(&json, "stats");
    jsonw_uint(&json, "uptime", uptime / 1000);
    jsonw_object_end(&json);
    stats_write(&json, "intercept", control->engine, control->edits, uptime);
    jsonw_object_end(&json);
    if (!eve_put(feed, &json))
        recorder_drop(feed);
    jsonw_fini(&json);
}

static void stats_due(struct timer *timer)
{
    struct control *control = container_of(timer, struct control, stats);
    timer_start(timer, &control->stats_time, control->loop.now, stats_due);
    write_event(control);
}

void stats_events_start(struct control *control)
{
    const uint64_t seconds = policy_config(control->engine->policy)->stats_interval;
    if (control->stats_time.length == seconds * 1000)
        return; /* or frequent changes would keep them from coming */
    timer_stop(&control->stats);
    control->stats_time.length = seconds * 1000;
    if (seconds > 0)
        timer_start(&control->stats, &control->stats_time, clock_ms(), stats_due);
}
