/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fuzz.h"
#include "tap/altsvc.h"

#include <string.h>
#include <strings.h>

static size_t filter(const struct altsvc *start, const uint8_t *bytes, size_t length, size_t step,
                     uint8_t *out)
{
    struct altsvc altsvc = *start;
    size_t done = 0, kept = 0;
    for (size_t at = 0; at < length; at += step) {
        size_t count = length - at < step ? length - at : step;
        /* What was kept stands at the end of `out` already. */
        memcpy(out + done + kept, bytes + at, count);
        size_t shown = kept + count;
        size_t on = altsvc_by_origin(&altsvc, out + done, shown, &kept);
        must_hold(on <= shown && kept <= shown - on && kept <= ALTSVC_LINE_LIMIT);
        done += on;
    }
    return done + kept;
}

static bool mentions_altsvc(const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i + 8 <= length; i++)
        if (strncasecmp((const char *)bytes + i, "alt-svc:", 8) == 0)
            return true;
    return false;
}

/* Requests, a NUL, and what is answered. However it is cut, the same comes out; and without an
 * Alt-Svc line what went in. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    const uint8_t *end = length > 0 ? memchr(bytes, 0, length) : NULL;
    struct altsvc altsvc = {0};
    if (end == NULL)
        return 0;
    altsvc_by_device(&altsvc, bytes, (size_t)(end - bytes));
    length -= (size_t)(end - bytes) + 1;
    bytes = end + 1;
    uint8_t *whole = malloc(length + 1), *cut = malloc(length + 1);
    must_hold(whole != NULL && cut != NULL);
    size_t whole_length = filter(&altsvc, bytes, length, length + 1, whole);
    size_t cut_length = filter(&altsvc, bytes, length, length / 32 + 1, cut);
    must_hold(whole_length == cut_length && memcmp(whole, cut, cut_length) == 0);
    if (!mentions_altsvc(bytes, length))
        must_hold(whole_length == length && memcmp(whole, bytes, length) == 0);
    free(whole);
    free(cut);
    return 0;
}
