/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fuzz.h"
#include "policy/device_name.h"
#include "policy/leases.h"

#include <string.h>

struct run {
    const char *text;
    size_t length;
    struct leases *leases;
};

/* A name is shown in logs and on terminals. */
static void must_be_plain(const char *name)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    must_hold(name[0] != '\0' && strlen(name) < DEVICE_NAME_SIZE);
    must_hold(name[strspn(name, plain)] == '\0');
}

static void see_lease(void *context, const struct lease *lease)
{
    struct run *run = context;
    must_hold(lease->address.family == AF_INET || lease->address.family == AF_INET6);
    must_hold(lease->name_length == 0 ||
              (lease->name >= run->text && lease->name_length <= run->length &&
               (size_t)(lease->name - run->text) <= run->length - lease->name_length));
    leases_add(run->leases, lease);
    const char *by_address = leases_name_of_address(run->leases, &lease->address, NULL);
    if (by_address != NULL)
        must_be_plain(by_address);
    const char *by_mac = lease->has_mac ? leases_name_of_mac(run->leases, lease->mac) : NULL;
    if (by_mac != NULL)
        must_be_plain(by_mac);
    /* The last word counts, if it is a name. */
    must_hold(by_address == NULL || !lease->has_mac || by_mac == by_address);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct run run = {(const char *)bytes, length, leases_new()};
    must_hold(run.leases != NULL);
    enum lease_format format = lease_file_read(run.text, length, see_lease, &run);
    must_hold(format != LEASES_UNKNOWN || leases_count(run.leases) == 0);
    must_hold(leases_count(run.leases) <= LEASES_LIMIT);
    leases_free(run.leases);
    return 0;
}
