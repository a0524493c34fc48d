/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/reload.h"

#include "core/log.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

struct policy *reload_read(const struct reload_source *source, uint64_t revision, bool use_cache)
{
    struct report report = {0};
    struct policy *policy = NULL;
    struct config *config =
        config_load(source->path, source->ignore, source->ignore_count, &report);
    if (config != NULL)
        policy = policy_new(config, revision, use_cache, &report);
    report_log(&report);
    report_fini(&report);
    return policy;
}

static bool same_text(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static bool same_optional(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && same_text(a, b));
}

static bool same_words(const struct words *a, const struct words *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!same_text(a->items[i], b->items[i]))
            return false;
    return true;
}

static bool same_ports(const struct network_config *a, const struct network_config *b)
{
    return a->port_count == b->port_count &&
           memcmp(a->ports, b->ports, a->port_count * sizeof(*a->ports)) == 0;
}

/* What is built into the ruleset, or was opened once and for all, stays as it is until a restart.
 */
static void tell_what_stays(const struct config *old, const struct config *new)
{
    const struct network_config *a = &old->network, *b = &new->network;
    const struct {
        const char *key;
        bool same;
    } kept[] = {
        {"[network] lan", same_words(&a->lan, &b->lan)},
        {"[network] port", same_ports(a, b)},
        {"[network] listen-port", a->listen_port == b->listen_port},
        {"[network] queue", a->use_queue == b->use_queue && a->queue == b->queue},
        {"[network] mark", a->mark == b->mark && a->mark_mask == b->mark_mask},
        {"[network] on-failure", a->fail_closed == b->fail_closed},
        {"[network] source-address", a->source_device == b->source_device},
        {"[network] ruleset", a->external_ruleset == b->external_ruleset},
        {"[network] pass-timeout", a->pass_timeout == b->pass_timeout},
        {"[network] route-table", a->route_table == b->route_table},
        {"[network] workers", a->workers == b->workers},
        {"[network] quic", a->quic == b->quic || a->use_queue},
        {"[tls] ca", same_text(old->tls.ca, new->tls.ca)},
        {"[tls] name-constraints",
         same_words(&old->tls.name_constraints, &new->tls.name_constraints)},
        {"[control] user", old->has_user == new->has_user && old->user == new->user},
        {"[control] socket", same_text(old->control_socket, new->control_socket)},
        {"[control] read-socket", same_optional(old->read_socket, new->read_socket)},
    };
    for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
        if (!kept[i].same)
            log_warning("%s has changed: that takes effect after a restart", kept[i].key);
}

/* ---- in a thread of its own ---- */

/* A log_sink: what is logged here, whoever asked for the reload is to hear, too. */
static void hear(void *context, const char *line, size_t length)
{
    struct reload *reload = context;
    static const char error[] = "error: ", warning[] = "warning: ";
    (void)!write(STDERR_FILENO, line, length);
    const char *text = line[0] == '<' ? line + strlen("<N>") : line; /* a journal's priority */
    const size_t left = length - (size_t)(text - line) - 1;
    if (left > strlen(error) && strncmp(text, error, strlen(error)) == 0)
        json_array_append_new(reload->errors,
                              json_stringn(text + strlen(error), left - strlen(error)));
    else if (left > strlen(warning) && strncmp(text, warning, strlen(warning)) == 0)
        json_array_append_new(reload->warnings,
                              json_stringn(text + strlen(warning), left - strlen(warning)));
}

static void deliver(struct message *message, void *receiver)
{
    struct reload *reload = container_of(message, struct reload, message);
    reload->done(receiver, reload);
}

static void *run(void *context)
{
    struct reload *reload = context;
    pthread_setname_np(pthread_self(), "reload");
    log_redirect(hear, reload);
    struct policy *policy = reload_read(&reload->source, 0, true);
    if (policy != NULL) {
        tell_what_stays(policy_file(reload->running), policy_file(policy));
        reload->tls = engine_load(reload->engine, policy);
        if (reload->tls != NULL)
            reload->policy = policy;
        else
            policy_unref(policy);
    }
    mailbox_post(reload->mailbox, &reload->message);
    return NULL;
}

bool reload_start(const struct reload_source *source, const struct engine *engine,
                  struct mailbox *mailbox, void (*done)(void *receiver, struct reload *reload))
{
    pthread_t thread;
    struct reload *reload = calloc(1, sizeof(*reload));
    CHECK(reload != NULL);
    *reload = (struct reload){
        .message.deliver = deliver,
        .source = *source,
        .engine = engine,
        .running = policy_ref(engine->policy),
        .mailbox = mailbox,
        .done = done,
        .errors = json_array(),
        .warnings = json_array(),
    };
    int error = pthread_create(&thread, NULL, run, reload);
    if (error != 0) {
        reload_free(reload);
        errno = error;
        return false;
    }
    pthread_detach(thread);
    return true;
}

void reload_free(struct reload *reload)
{
    policy_unref(reload->running);
    policy_unref(reload->policy);
    engine_tls_free(reload->tls);
    json_decref(reload->errors);
    json_decref(reload->warnings);
    free(reload);
}
