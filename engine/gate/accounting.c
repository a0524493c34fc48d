/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/accounting.h"

#include "core/log.h"

#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

#define DIRECTORY "/proc/sys/net/netfilter/"

static const struct {
    const char *name;
    const char *loss; /* without it */
} switches[] = {
    {"nf_conntrack_acct", "packets and bytes of ignored connections are unknown"},
    {"nf_conntrack_timestamp",
     "it is unknown when ignored connections began, and which rule they passed by"},
    /* 2 is "while somebody listens", of newer kernels */
    {"nf_conntrack_events", "ignored connections leave no record when they end"},
};

static bool is_on(const char *path)
{
    char value = '0';
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool on = read(fd, &value, 1) == 1 && value != '0';
    close(fd);
    return on;
}

static bool turn_on(const char *path)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool done = write(fd, "1\n", 2) == 2;
    close(fd);
    return done;
}

void accounting_turn_on(void)
{
    char path[96];
    for (size_t i = 0; i < ARRAY_SIZE(switches); i++) {
        snprintf(path, sizeof(path), DIRECTORY "%s", switches[i].name);
        if (!is_on(path) && !turn_on(path))
            log_warning("%s: %m: so %s; turn it on with: sysctl -w net.netfilter.%s=1", path,
                        switches[i].loss, switches[i].name);
    }
}
