/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/lan.h"

#include "core/log.h"
#include "core/thread.h"

#include <string.h>

void lan_init(struct lan *lan, const char *const *named, size_t named_count)
{
    *lan = (struct lan){.named = named, .named_count = named_count};
    thread_mutex_init(&lan->lock);
}

void lan_fini(struct lan *lan)
{
    pthread_mutex_destroy(&lan->lock);
}

static bool same_interfaces(const struct interfaces *a, const struct interfaces *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->names[i], b->names[i]) != 0)
            return false;
    return true;
}

static void join_names(const struct interfaces *interfaces, char *text, size_t size)
{
    size_t length = 0;
    text[0] = '\0';
    for (size_t i = 0; i < interfaces->count && length < size; i++)
        length += (size_t)snprintf(text + length, size - length, "%s%s", i > 0 ? " " : "",
                                   interfaces->names[i]);
}

static void tell(const struct interfaces *now)
{
    char names[1024];
    join_names(now, names, sizeof(names));
    if (now->count > 0)
        log_info("devices are on: %s", names);
    else
        log_warning("no LAN interface found: every interface has the default route; waiting for "
                    "one (or name it: lan = NAME in [network])");
    if (now->left_out > 0)
        log_warning("%zu more interfaces are left out: name the devices' ones (lan = NAME in "
                    "[network])",
                    now->left_out);
}

static void take_named(struct lan *lan)
{
    for (size_t i = 0; i < lan->named_count && i < INTERFACES_LIMIT; i++) {
        if (if_nametoindex(lan->named[i]) == 0)
            log_warning("there is no interface %s yet: waiting for it", lan->named[i]);
        snprintf(lan->now.names[lan->now.count++], IFNAMSIZ, "%s", lan->named[i]);
    }
}

bool lan_find(struct lan *lan)
{
    if (lan->named_count > 0) {
        take_named(lan);
        return true;
    }
    if (!interfaces_find_lan(&lan->now)) {
        log_error("the network interfaces could not be listed: %m");
        return false;
    }
    tell(&lan->now);
    return true;
}

bool lan_find_again(struct lan *lan)
{
    struct interfaces found;
    if (lan->named_count > 0 || !interfaces_find_lan(&found) || same_interfaces(&found, &lan->now))
        return false;
    pthread_mutex_lock(&lan->lock);
    lan->now = found;
    pthread_mutex_unlock(&lan->lock);
    tell(&found);
    return true;
}

void lan_copy(struct lan *lan, struct interfaces *copy)
{
    pthread_mutex_lock(&lan->lock);
    *copy = lan->now;
    pthread_mutex_unlock(&lan->lock);
}

void lan_text(struct lan *lan, char *text, size_t size)
{
    pthread_mutex_lock(&lan->lock);
    join_names(&lan->now, text, size);
    pthread_mutex_unlock(&lan->lock);
}
