/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/suggest.h"

#include <string.h>

const char *suggest_name(const char *name, uint16_t port, char pattern[static SUGGEST_SIZE])
{
    size_t length = 0;
    pattern[length++] = '^';
    for (; *name != '\0' && length + 16 < SUGGEST_SIZE; name++) {
        if (strchr(".[]()*+?{}|^$\\", *name) != NULL)
            pattern[length++] = '\\';
        pattern[length++] = *name;
    }
    snprintf(pattern + length, SUGGEST_SIZE - length, ":%u$", (unsigned)port);
    return pattern;
}

const char *suggest_address(const struct address *origin, char pattern[static SUGGEST_SIZE])
{
    char ip[INET6_ADDRSTRLEN];
    return suggest_name(address_ip_text(origin, ip), origin->port, pattern);
}

const char *suggest_finding(const struct learned_finding *finding, unsigned match,
                            char pattern[static SUGGEST_SIZE])
{
    if (finding->is_name && (match & MATCH_NAMES) != 0)
        return suggest_name(finding->host, finding->port, pattern);
    return suggest_address(&finding->evidence.origin, pattern);
}
