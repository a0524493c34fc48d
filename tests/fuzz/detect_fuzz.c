/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/macros.h"
#include "fuzz.h"
#include "tap/detect.h"

#include <string.h>

static const char *const said_by_clients[] = {"http", "http2", "tls", "ssh",   "smtp",
                                              "ftp",  "mqtt",  "dns", "failed"};
static const char *const said_by_servers[] = {"ssh", "smtp", "ftp", "imap", "pop3", "failed"};

static bool is_one_of(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

/* A name that is known, and the same each time. */
static const char *detect(const uint8_t *bytes, size_t length, bool to_server)
{
    const char *name = detect_protocol(bytes, length, to_server);
    must_hold(name != NULL);
    if (to_server)
        must_hold(is_one_of(name, said_by_clients, ARRAY_SIZE(said_by_clients)));
    else
        must_hold(is_one_of(name, said_by_servers, ARRAY_SIZE(said_by_servers)));
    (void)detect_protocol(bytes, length, !to_server);
    must_hold(strcmp(detect_protocol(bytes, length, to_server), name) == 0);
    return name;
}

static bool is_known(const char *name)
{
    return strcmp(name, "failed") != 0;
}

/* What is known by its first bytes is known by more. Only a greeting may turn out to be another's:
 * it is read to its end. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    const char *by_client = detect(bytes, length, true), *by_server = detect(bytes, length, false);
    size_t step = length / 64 + 1;
    for (size_t cut = 0; cut < length; cut += step) {
        const char *part = detect(bytes, cut, true);
        must_hold(!is_known(part) || strcmp(part, by_client) == 0);
        part = detect(bytes, cut, false);
        must_hold(!is_known(part) || is_known(by_server));
    }
    return 0;
}
