/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/amend.h"

#include <string.h>

/* ---- settings ---- */

const char *const amend_settings[] = {
    "allow.match",
    "events.ignored",
    "ignore.after-rejections",
    "ignore.learn",
    "ignore.learned-for",
    "ignore.match",
    "ignore.rejections-within",
    "network.devices",
    "network.drain-timeout",
    "network.quic",
    "tcp.match",
    "tls.legacy-server",
    "tls.min-version",
    "tls.upstream",
    NULL,
};

const char *const amend_device_settings[] = {"address", "intercept", "mac", "name", "quic", NULL};

static bool is_among(const char *const *names, const char *name)
{
    while (*names != NULL && strcmp(*names, name) != 0)
        names++;
    return *names != NULL;
}

const struct schema_key *amend_key(const char *setting)
{
    char section[32];
    const char *dot = strchr(setting, '.');
    if (dot == NULL)
        return NULL;
    snprintf(section, sizeof(section), "%.*s", (int)(dot - setting), setting);
    return schema_find(section, dot + 1);
}

/* Stores the value in the field of `object` that the key is for; what can be set at run time and
 * repeats is a set of bits. */
static const char *set_key(struct config *config, const struct schema_key *key, void *object,
                           const char *text, struct report *report)
{
    const struct value value = {.text = text, .config = config, .report = report};
    void *field = (char *)object + key->offset;
    if (key->repeats)
        memset(field, 0, sizeof(unsigned));
    return key->parse(&value, field);
}

static void set(struct config *config, const struct edit *edit, const struct schema_key *key,
                void *object, struct report *report)
{
    const char *complaint = "it cannot be set at run time";
    const char *const *settings =
        edit->subject.device != NULL ? amend_device_settings : amend_settings;
    if (key != NULL && is_among(settings, edit->subject.text))
        complaint = set_key(config, key, object, edit->value, report);
    if (complaint != NULL)
        report_error(report, (struct place){0}, 0, "%s = %.100s: %s", edit->subject.text,
                     edit->value, complaint);
}

/* ---- devices ---- */

static bool parse_with(const char *name, struct device_config *device, const char *text)
{
    struct config unused = {0};
    struct report report = {0};
    return set_key(&unused, schema_find("device", name), device, text, &report) == NULL;
}

bool amend_identify(struct device_config *device, const char *text)
{
    struct device_config by_mac = {0}, by_address = {0};
    const bool is_mac = parse_with("mac", &by_mac, text);
    if (!is_mac && !parse_with("address", &by_address, text))
        return false;
    device->has_mac = is_mac;
    device->has_address = !is_mac;
    memcpy(device->mac, by_mac.mac, MAC_SIZE);
    device->address = by_address.address;
    device->prefix = by_address.prefix;
    return true;
}

const char *amend_device_text(const struct device_config *device, char text[static KNOWN_BY_SIZE])
{
    char ip[INET6_ADDRSTRLEN];
    if (device->has_mac)
        return mac_text(device->mac, text);
    const size_t bits = address_ip_size(&device->address) * 8;
    const char *address = address_ip_text(&device->address, ip);
    if (device->prefix == bits)
        snprintf(text, KNOWN_BY_SIZE, "%s", address);
    else
        snprintf(text, KNOWN_BY_SIZE, "%s/%u", address, (unsigned)device->prefix);
    return text;
}

/* Its title is "[device NAME]". */
const char *amend_section_name(const struct device_config *device,
                               char name[static SECTION_NAME_SIZE])
{
    const char *title = device->scope.section + strlen("[device ");
    snprintf(name, SECTION_NAME_SIZE, "%.*s", (int)strlen(title) - 1, title);
    return name;
}

static bool is_section(const struct device_config *device, const char *name)
{
    char own[SECTION_NAME_SIZE];
    return strcmp(amend_section_name(device, own), name) == 0;
}

static struct device_config *find_section(struct device_config *device, const char *name)
{
    while (device != NULL && !is_section(device, name))
        device = device->next;
    return device;
}

struct device_config *amend_section(const struct config *config, const char *name)
{
    struct device_config *device = find_section(config->devices, name);
    return device != NULL ? device : find_section(config->overlays, name);
}

/* Sections are a list: to change one is to copy it and all before it. */
static void copy_sections(struct config *config)
{
    struct device_config **place = &config->devices;
    for (; *place != NULL; place = &(*place)->next) {
        struct device_config *copy = arena_alloc(&config->arena, sizeof(*copy));
        CHECK(copy != NULL);
        *copy = **place;
        *place = copy;
    }
}

static char *copy_text(struct config *config, const char *text)
{
    char *copy = arena_strdup(&config->arena, text);
    CHECK(copy != NULL);
    return copy;
}

static void name_section(struct config *config, struct device_config *device, const char *name)
{
    char title[SECTION_NAME_SIZE + 16];
    snprintf(title, sizeof(title), "[device %s]", name);
    device->name = copy_text(config, name);
    device->scope.section = copy_text(config, title);
}

/* Behind those that are there. */
static struct device_config *add_overlay(struct config *config, const char *name)
{
    struct device_config **place = &config->overlays;
    struct device_config *device = arena_alloc(&config->arena, sizeof(*device));
    CHECK(device != NULL);
    while (*place != NULL)
        place = &(*place)->next;
    *place = device;
    name_section(config, device, name);
    device->inherits = true;
    device->ignore.match = config->ignore.match;
    (void)amend_identify(device, name);
    return device;
}

static void apply_device(struct config *config, const struct edit *edit, struct report *report)
{
    const char *key = edit->subject.text;
    struct device_config *device = amend_section(config, edit->subject.device);
    if (device == NULL)
        device = add_overlay(config, edit->subject.device);
    if (edit->subject.kind == EDIT_PATTERN)
        return;
    if (strcmp(key, "name") == 0) {
        device->name = copy_text(config, edit->value);
        return;
    }
    set(config, edit, schema_find("device", key), device, report);
    if (strcmp(key, "intercept") == 0)
        device->inherits = false;
}

/* ---- all of it ---- */

/* Devices last: what they inherit is set by then. */
static void apply(struct config *config, const struct edits *edits, struct report *report)
{
    const struct edit *edit;
    TAILQ_FOREACH (edit, &edits->items, link)
        if (edit->subject.device == NULL && edit->subject.kind == EDIT_SETTING &&
            edits_holds(edits, edit))
            set(config, edit, amend_key(edit->subject.text), config, report);
    TAILQ_FOREACH (edit, &edits->items, link)
        if (edit->subject.device != NULL && edits_holds(edits, edit))
            apply_device(config, edit, report);
}

static size_t count_sections(const struct device_config *device)
{
    size_t count = 0;
    for (; device != NULL; device = device->next)
        count++;
    return count;
}

/* Those of the file and those that were made since alike. */
static void check_sections(const struct config *config, struct report *report)
{
    if (count_sections(config->devices) + count_sections(config->overlays) > DEVICE_SECTIONS_LIMIT)
        report_error(report, (struct place){0}, 0,
                     "more than %d devices have settings of their own", DEVICE_SECTIONS_LIMIT);
}

bool amend_is_needed(const struct edits *edits)
{
    const struct edit *edit;
    TAILQ_FOREACH (edit, &edits->items, link)
        if (edit->subject.kind == EDIT_SETTING || edit->subject.device != NULL)
            return true;
    return false;
}

struct config *amend_config(const struct config *config, const struct edits *edits,
                            struct report *report)
{
    struct config *amended = calloc(1, sizeof(*amended));
    const size_t errors = report->errors;
    CHECK(amended != NULL);
    *amended = *config;
    amended->arena = (struct arena){0};
    amended->credentials = NULL;
    amended->overlays = NULL;
    copy_sections(amended);
    apply(amended, edits, report);
    check_sections(amended, report);
    if (report->errors == errors)
        return amended;
    config_free(amended);
    return NULL;
}
