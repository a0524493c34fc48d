/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fuzz.h"
#include "tap/host.h"

#include <string.h>

/* A host is text of the length that fits, and what has been found stays found when more comes. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    char host[HOST_SIZE], early[HOST_SIZE];
    enum host_result result = host_read(host, bytes, length);
    if (result == HOST_FOUND) {
        must_hold(strlen(host) > 0 && strlen(host) < HOST_SIZE);
        must_hold(strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789-._[]:") == strlen(host));
    }
    size_t step = length / 64 + 1;
    for (size_t cut = 0; cut < length; cut += step)
        if (host_read(early, bytes, cut) == HOST_FOUND)
            must_hold(result == HOST_FOUND && strcmp(host, early) == 0);
    return 0;
}
