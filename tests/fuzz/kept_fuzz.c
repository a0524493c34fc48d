/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/kept.h"
#include "fuzz.h"

#include <string.h>

/* What was read can be written, and read again, and is the same then. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    const struct kept_now now = {.monotonic = 1000000, .real = 1700000000};
    struct edits *edits = edits_new(), *again = edits_new();
    const char *why = NULL;
    if (!kept_read(edits, (const char *)bytes, length, &now, &why)) {
        must_hold(why != NULL && edits->count == 0);
        edits_free(edits);
        edits_free(again);
        return 0;
    }
    char *text = kept_write(edits, &now);
    must_hold(kept_read(again, text, strlen(text), &now, &why));
    must_hold(again->count == edits->count);
    char *second = kept_write(again, &now);
    must_hold(strcmp(text, second) == 0);
    free(text);
    free(second);
    edits_free(edits);
    edits_free(again);
    return 0;
}
