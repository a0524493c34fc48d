/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/device_name.h"

#include <string.h>

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

bool device_name_take(char name[static DEVICE_NAME_SIZE], const void *bytes, size_t length)
{
    const char *text = bytes;
    size_t used = 0, good = 0; /* up to the last plain character */
    for (size_t i = 0; i < length && used < DEVICE_NAME_SIZE - 1; i++) {
        char c = is_plain(text[i]) || text[i] == '.' || text[i] == '-' ? text[i] : '-';
        bool stands_for_others = c != text[i];
        if (!is_plain(c) && (used == 0 || (stands_for_others && name[used - 1] == '-')))
            continue;
        name[used++] = c;
        if (is_plain(c))
            good = used;
    }
    name[good] = '\0';
    return good > 0;
}
