/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/basis.h"

#include <limits.h>
#include <string.h>

static struct patterns *compile(const struct config *config, const struct rules_config *rules,
                                const char *cache_name, struct report *report)
{
    char path[PATH_MAX];
    const char *cache = NULL;
    if (cache_name != NULL) {
        snprintf(path, sizeof(path), "%s/%s", config->state_directory, cache_name);
        cache = path;
    }
    return patterns_compile(&rules->patterns, cache, report);
}

/* One set a section; `name` is the sections'. */
static bool compile_section(struct basis *basis, struct patterns **patterns,
                            const struct rules_config *rules, const char *name, size_t index,
                            bool use_cache, struct report *report)
{
    char cache[48];
    snprintf(cache, sizeof(cache), "%s-%zu.hsdb", name, index + 1);
    *patterns = compile(basis->config, rules, use_cache && rules->patterns.count > 0 ? cache : NULL,
                        report);
    return *patterns != NULL;
}

static bool compile_destinations(struct basis *basis, bool use_cache, struct report *report)
{
    const struct destination_config *destination = basis->config->destinations;
    bool good = true;
    for (; destination != NULL; destination = destination->next)
        basis->destination_count++;
    basis->destinations = calloc(basis->destination_count + 1, sizeof(struct patterns *));
    CHECK(basis->destinations != NULL);
    destination = basis->config->destinations;
    for (size_t i = 0; destination != NULL; i++, destination = destination->next)
        if (!compile_section(basis, &basis->destinations[i], &destination->rules, "destination", i,
                             use_cache, report))
            good = false;
    return good;
}

static bool compile_devices(struct basis *basis, bool use_cache, struct report *report)
{
    const struct device_config *device = basis->config->devices;
    bool good = true;
    for (; device != NULL; device = device->next)
        basis->device_count++;
    basis->devices = calloc(basis->device_count + 1, sizeof(struct patterns *));
    CHECK(basis->devices != NULL);
    device = basis->config->devices;
    for (size_t i = 0; device != NULL; i++, device = device->next)
        if (!compile_section(basis, &basis->devices[i], &device->ignore, "device", i, use_cache,
                             report))
            good = false;
    return good;
}

struct basis *basis_new(struct config *config, bool use_cache, struct report *report)
{
    struct basis *basis = calloc(1, sizeof(*basis));
    CHECK(basis != NULL);
    atomic_init(&basis->references, 1);
    basis->config = config;
    basis->constraints =
        constraints_new(config->tls.name_constraints.items, config->tls.name_constraints.count);
    basis->ignore = compile(config, &config->ignore, use_cache ? "ignore.hsdb" : NULL, report);
    basis->allow = compile(config, &config->allow, use_cache ? "allow.hsdb" : NULL, report);
    basis->tcp = compile(config, &config->tcp, use_cache ? "tcp.hsdb" : NULL, report);
    bool has_destinations = compile_destinations(basis, use_cache, report);
    bool has_devices = compile_devices(basis, use_cache, report);
    if (basis->ignore != NULL && basis->allow != NULL && basis->tcp != NULL && has_destinations &&
        has_devices)
        return basis;
    basis_unref(basis);
    return NULL;
}

struct basis *basis_ref(struct basis *basis)
{
    atomic_fetch_add(&basis->references, 1);
    return basis;
}

void basis_unref(struct basis *basis)
{
    if (basis == NULL || atomic_fetch_sub(&basis->references, 1) > 1)
        return;
    patterns_free(basis->ignore);
    patterns_free(basis->allow);
    patterns_free(basis->tcp);
    for (size_t i = 0; i < basis->destination_count; i++)
        patterns_free(basis->destinations[i]);
    free(basis->destinations);
    for (size_t i = 0; i < basis->device_count; i++)
        patterns_free(basis->devices[i]);
    free(basis->devices);
    NAME_CONSTRAINTS_free(basis->constraints);
    config_free(basis->config);
    free(basis);
}
