/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fuzz.h"
#include "tap/redact.h"

/* What has no credentials stays as it is; what had some has none that are found once more, but for
 * what says that they were there. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct text url = text_from(bytes, length);
    size_t size = length * 12 + 1;
    char *out = malloc(size), *again = malloc(size);
    must_hold(out != NULL && again != NULL);
    size_t count = redact_url(url, out, size);
    must_hold(count < size);
    if (!redact_finds(url))
        must_hold(count == length && (length == 0 || memcmp(out, bytes, length) == 0));
    must_hold(redact_url(text_from(out, count), again, size) == count);
    must_hold(memcmp(out, again, count) == 0);
    must_hold(redact_url(url, out, length / 2) <= length / 2);
    free(out);
    free(again);
    return 0;
}
