/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/learning.h"

#include "core/file.h"
#include "core/log.h"
#include "policy/learned_json.h"

#include <errno.h>
#include <limits.h>
#include <time.h>

#define CHECK_MS 2000

static const char *path_of(const struct config *config, char path[static PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/learned.json", config->state_directory);
    return path;
}

/* What is in it may be mended by hand, and is not to be written over. */
static void put_aside(const char *path, const char *complaint)
{
    char aside[PATH_MAX + 8];
    snprintf(aside, sizeof(aside), "%s.damaged", path);
    bool done = rename(path, aside) == 0;
    log_warning("%s: %s: what was learned is not known any more%s%s", path, complaint,
                done ? "; the file is now " : "", done ? aside : "");
}

void learning_load(struct known *known, const struct config *config)
{
    char path[PATH_MAX];
    size_t length;
    char *text = file_read(path_of(config, path), &length);
    if (text == NULL) {
        if (errno != ENOENT)
            log_warning("%s: %s: what was learned is not known", path, strerror(errno));
        return;
    }
    const char *complaint = learned_read(known->learned, text, length);
    if (complaint != NULL)
        put_aside(path, complaint);
    free(text);
}

static void write_file(struct learning *learning)
{
    struct learned *learned = learning->engine->known->learned;
    const uint64_t version = learned_version(learned);
    char path[PATH_MAX];
    struct jsonw json;
    if (version == learning->version)
        return;
    jsonw_init_growing(&json);
    learned_write(&json, learned, false);
    const char *text = jsonw_text(&json);
    if (text == NULL || !file_replace(path_of(policy_config(learning->engine->policy), path), text,
                                      json.length, 0600))
        log_warning("%s could not be written: %m", path);
    jsonw_fini(&json);
    learning->version = version; /* tried again at the next change */
}

static void check(struct timer *timer)
{
    struct learning *learning = container_of(timer, struct learning, timer);
    timer_start(timer, &learning->time, learning->loop->now, check);
    if (learned_expire(learning->engine->known->learned, time(NULL)))
        gate_flush(learning->engine->gate, NULL, NULL);
    write_file(learning);
}

void learning_start(struct learning *learning, struct engine *engine, struct loop *loop)
{
    *learning = (struct learning){
        .engine = engine, .loop = loop, .version = learned_version(engine->known->learned)};
    timeout_class_init(&learning->time, &loop->timeouts, CHECK_MS);
    timer_start(&learning->timer, &learning->time, loop->now, check);
}

void learning_stop(struct learning *learning)
{
    if (learning->engine == NULL)
        return;
    timer_stop(&learning->timer);
    write_file(learning);
}
