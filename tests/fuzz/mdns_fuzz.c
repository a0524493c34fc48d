/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fuzz.h"
#include "policy/mdns.h"

#include <string.h>

static bool has_arpa(const uint8_t *packet, size_t length)
{
    for (size_t i = 0; i + 4 <= length; i++)
        if (strncasecmp((const char *)packet + i, "arpa", 4) == 0)
            return true;
    return false;
}

/* The first byte tells the family, and 4 or 16 more are the source's address. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    struct address source = {.family = length > 0 && (bytes[0] & 1) != 0 ? AF_INET6 : AF_INET};
    char name[MDNS_NAME_SIZE];
    const size_t size = address_ip_size(&source);
    if (length < 1 + size)
        return 0;
    memcpy(&source.ip, bytes + 1, size);
    const uint8_t *packet = bytes + 1 + size;
    length -= 1 + size;
    if (!mdns_read(packet, length, &source, name))
        return 0;
    size_t used = strlen(name);
    must_hold(used > strlen(".local") && used < MDNS_NAME_SIZE);
    must_hold(strcmp(name + used - strlen(".local"), ".local") == 0);
    must_hold(name[strspn(name, plain)] == '\0');
    must_hold(length > 12 && (packet[2] & 0x80) != 0);
    /* It has told the source's address, or pointed from it. */
    must_hold(memmem(packet, length, &source.ip, size) != NULL || has_arpa(packet, length));
    return 0;
}
