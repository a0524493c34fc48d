/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/naming.h"

#include "control/mdns_listeners.h"
#include "core/file.h"
#include "core/log.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_MS 2000
#define LEASE_FILE_LIMIT ((off_t)16 << 20)

/* How a file was when it was read. */
struct file_state {
    ino_t inode;
    off_t size;
    struct timespec modified, changed;
};

struct lease_source {
    char *path;
    bool usual;              /* not the operator's: it need not be there */
    struct file_state state; /* all zero: it was not there */
    bool unsettled;          /* it was read while it may have been written */
    bool used;               /* something was found in it */
    int told;                /* the error that the operator knows of */
    bool unknown_told;
};

struct lease_sources {
    struct lease_source *items;
    size_t count;
};

struct naming {
    struct engine *engine;
    struct loop *loop;
    struct timeout_class look_time;
    struct timer look;
    bool watch_mdns;
    struct mdns_listeners mdns;
    struct lease_sources sources;
    bool other_sources; /* than what is known was read from */
    char *vendor_file;
    struct file_state vendor_state;
};

/* Where servers keep their leases unless they are told otherwise. On OpenWrt, and there only, that
 * is in /tmp, where elsewhere anybody may write. */
static const char *const usual_files[] = {
    "/var/lib/misc/dnsmasq.leases",   "/var/lib/dnsmasq/dnsmasq.leases",
    "/var/lib/dhcp/dhcpd.leases",     "/var/lib/dhcpd/dhcpd.leases",
    "/var/lib/kea/kea-leases4.csv.2", "/var/lib/kea/kea-leases4.csv",
    "/var/lib/kea/kea-leases6.csv.2", "/var/lib/kea/kea-leases6.csv",
};
static const char *const usual_files_of_openwrt[] = {"/tmp/dhcp.leases", "/tmp/hosts/odhcpd",
                                                     "/tmp/odhcpd.leases"};

/* ---- files ---- */

static struct file_state state_of(const struct stat *status)
{
    return (struct file_state){status->st_ino, status->st_size, status->st_mtim, status->st_ctim};
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool same_state(const struct file_state *a, const struct file_state *b)
{
    return a->inode == b->inode && a->size == b->size && same_time(&a->modified, &b->modified) &&
           same_time(&a->changed, &b->changed);
}

/* Never what opening would wait for. False with errno. */
static bool find_file(const char *path, off_t limit, struct file_state *state)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return false;
    if (!S_ISREG(status.st_mode) || status.st_size > limit) {
        errno = S_ISREG(status.st_mode) ? EFBIG : EINVAL;
        return false;
    }
    *state = state_of(&status);
    return true;
}

/* ---- leases ---- */

static void tell_missing(struct lease_source *source, int error)
{
    if (source->told == error || (error == ENOENT && source->usual))
        return;
    source->told = error;
    errno = error;
    if (error == ENOENT)
        log_info("there is no %s yet: names of devices will be read from it when it is there",
                 source->path);
    else
        log_warning("%s cannot be read: %m: no names of devices come from there (the user that "
                    "interceptd runs as must be allowed to)",
                    source->path);
}

static void add_lease(void *context, const struct lease *lease)
{
    leases_add(context, lease);
}

static void tell_format(struct lease_source *source, enum lease_format format, size_t length)
{
    static const char *const names[] = {[LEASES_DNSMASQ] = "dnsmasq",
                                        [LEASES_ISC] = "ISC dhcpd",
                                        [LEASES_ODHCPD] = "odhcpd",
                                        [LEASES_KEA] = "Kea"};
    if (format != LEASES_UNKNOWN && !source->used)
        log_info("names of devices are read from %s (%s)", source->path, names[format]);
    source->used = source->used || format != LEASES_UNKNOWN;
    if (format == LEASES_UNKNOWN && length > 0 && !source->usual && !source->unknown_told) {
        log_warning(
            "%s has no leases in it, in any form that is known (dnsmasq, ISC dhcpd, odhcpd, "
            "Kea)",
            source->path);
        source->unknown_told = true;
    }
}

static void read_source(struct lease_source *source, struct leases *leases)
{
    size_t length;
    if (source->state.inode == 0)
        return;
    char *text = file_read(source->path, &length);
    if (text == NULL) {
        tell_missing(source, errno);
        return;
    }
    source->told = 0;
    tell_format(source, lease_file_read(text, length, add_lease, leases), length);
    free(text);
}

/* True if it is to be read (again). A file that was changed a moment ago may be about to change
 * once more, within what its time can tell. */
static bool has_changed(struct lease_source *source)
{
    struct file_state now = {0};
    if (!find_file(source->path, LEASE_FILE_LIMIT, &now))
        tell_missing(source, errno);
    bool changed = source->unsettled || !same_state(&now, &source->state);
    time_t age = time(NULL) - now.modified.tv_sec;
    source->unsettled = changed && now.inode != 0 && age >= 0 && age < 2;
    source->state = now;
    return changed;
}

static void read_leases(struct naming *naming)
{
    bool changed = naming->other_sources;
    naming->other_sources = false;
    for (size_t i = 0; i < naming->sources.count; i++)
        changed = has_changed(&naming->sources.items[i]) || changed;
    struct leases *leases = changed ? leases_new() : NULL;
    if (leases == NULL)
        return;
    for (size_t i = 0; i < naming->sources.count; i++)
        read_source(&naming->sources.items[i], leases);
    devices_set_leases(naming->engine->known->devices, leases);
}

/* What was told of a file that was looked at before need not be told again. */
static void add_source(struct lease_sources *sources, const struct lease_sources *before,
                       const char *path, bool usual)
{
    struct lease_source *source = &sources->items[sources->count++];
    *source = (struct lease_source){.path = strdup(path), .usual = usual};
    CHECK(source->path != NULL);
    for (size_t i = 0; i < before->count; i++) {
        const struct lease_source *old = &before->items[i];
        if (old->usual != usual || strcmp(old->path, path) != 0)
            continue;
        source->told = old->told;
        source->used = old->used;
        source->unknown_told = old->unknown_told;
    }
}

static void free_sources(struct lease_sources *sources)
{
    for (size_t i = 0; i < sources->count; i++)
        free(sources->items[i].path);
    free(sources->items);
}

static void add_usual_sources(struct lease_sources *sources, const struct lease_sources *before)
{
    for (size_t i = 0; i < ARRAY_SIZE(usual_files); i++)
        add_source(sources, before, usual_files[i], true);
    if (access("/etc/openwrt_release", F_OK) == 0)
        for (size_t i = 0; i < ARRAY_SIZE(usual_files_of_openwrt); i++)
            add_source(sources, before, usual_files_of_openwrt[i], true);
}

static bool same_sources(const struct lease_sources *a, const struct lease_sources *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (a->items[i].usual != b->items[i].usual ||
            strcmp(a->items[i].path, b->items[i].path) != 0)
            return false;
    return true;
}

/* Where they are the same, as with most changes, nothing is read again. */
static void find_sources(struct naming *naming, const struct network_config *network)
{
    struct lease_sources now = {0};
    size_t limit =
        network->leases.count + ARRAY_SIZE(usual_files) + ARRAY_SIZE(usual_files_of_openwrt);
    now.items = calloc(limit, sizeof(*now.items));
    CHECK(now.items != NULL);
    if (network->leases_auto)
        add_usual_sources(&now, &naming->sources);
    for (size_t i = 0; i < network->leases.count; i++)
        add_source(&now, &naming->sources, network->leases.items[i], false);
    if (same_sources(&now, &naming->sources)) {
        free_sources(&now);
        return;
    }
    free_sources(&naming->sources);
    naming->sources = now;
    naming->other_sources = true;
}

/* ---- vendors ---- */

static struct vendors *load_vendors(const char *path)
{
    size_t length;
    char *text = file_read(path, &length);
    if (text == NULL)
        return NULL;
    struct vendors *vendors = vendors_parse(text, length);
    free(text);
    return vendors;
}

/* Read once, and again at a reload if it is another one then. */
static void read_vendors(struct naming *naming, const char *path)
{
    struct file_state state = {0};
    struct vendors *vendors = NULL;
    bool is_there = path != NULL && find_file(path, (off_t)FILE_SIZE_LIMIT, &state);
    bool same_path =
        path != NULL && naming->vendor_file != NULL && strcmp(path, naming->vendor_file) == 0;
    if (same_path && same_state(&state, &naming->vendor_state))
        return;
    if (is_there)
        vendors = load_vendors(path);
    if (vendors == NULL && path != NULL)
        log_info("vendors of devices are not known: %s: %m (the package ieee-data has the list)",
                 path);
    free(naming->vendor_file);
    naming->vendor_file = path != NULL ? strdup(path) : NULL;
    naming->vendor_state = state;
    devices_set_vendors(naming->engine->known->devices, vendors);
}

/* ---- all of it ---- */

static void look(struct timer *timer)
{
    struct naming *naming = container_of(timer, struct naming, look);
    struct interfaces lan;
    bool listens = naming->watch_mdns && gate_lan(naming->engine->gate, &lan);
    mdns_listeners_follow(&naming->mdns, listens ? &lan : NULL);
    read_leases(naming);
    timer_start(timer, &naming->look_time, naming->loop->now, look);
}

void naming_reload(struct naming *naming)
{
    const struct network_config *network = &policy_config(naming->engine->policy)->network;
    naming->watch_mdns = network->watch_mdns;
    find_sources(naming, network);
    read_vendors(naming, network->vendor_file);
    look(&naming->look);
}

struct naming *naming_open(struct loop *loop, struct engine *engine)
{
    struct naming *naming = calloc(1, sizeof(*naming));
    CHECK(naming != NULL);
    naming->engine = engine;
    naming->loop = loop;
    if (!mdns_listeners_init(&naming->mdns, loop, engine->known->devices)) {
        log_error("the names of devices cannot be listened to: %m");
        naming_close(naming);
        return NULL;
    }
    timeout_class_init(&naming->look_time, &loop->timeouts, LOOK_MS);
    naming_reload(naming);
    return naming;
}

void naming_close(struct naming *naming)
{
    if (naming == NULL)
        return;
    timer_stop(&naming->look);
    mdns_listeners_fini(&naming->mdns);
    free_sources(&naming->sources);
    free(naming->vendor_file);
    free(naming);
}
