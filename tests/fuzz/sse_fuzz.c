/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/sse.h"

#include "../unit/tap/listening.h"
#include "fuzz.h"

static char *hear_events(const uint8_t *bytes, size_t length, size_t piece)
{
    struct listening listening = {0};
    listen_start(&listening, &(struct tap_options){.bodies = 20}, "", 443);
    struct sse *sse = sse_new(listening.tap, "http", 0);
    must_hold(sse != NULL);
    for (size_t at = 0; at < length; at += piece)
        sse_read(sse, bytes + at, length - at < piece ? length - at : piece);
    tap_free(listening.tap, sse);
    listen_end(&listening);
    return listening.told;
}

/* However it is cut, the same events come out. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    char *whole = hear_events(bytes, length, length + 1);
    char *cut = hear_events(bytes, length, 1);
    must_hold(strcmp(whole, cut) == 0);
    free(whole);
    free(cut);
    return 0;
}
