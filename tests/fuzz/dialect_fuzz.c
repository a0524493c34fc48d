/* SPDX-License-Identifier: GPL-3.0-or-later */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "fuzz.h"
#include "policy/dialect.h"

#include <pcre2.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    char *pattern = strndup((const char *)bytes, length);
    must_hold(pattern != NULL);
    size_t size = strlen(pattern);
    struct dialect dialect;
    if (!dialect_translate(&dialect, pattern)) {
        must_hold(dialect.error != NULL && dialect.error_offset <= size);
        free(pattern);
        return 0;
    }
    must_hold(dialect.error == NULL && strlen(dialect.pattern) == dialect.length);
    for (size_t i = 0; i <= dialect.length; i++) {
        must_hold(dialect.origin[i] <= size);
        must_hold(i == 0 || dialect.origin[i - 1] <= dialect.origin[i]);
    }
    /* Whatever came of it, the compiler can say what it thinks of it. */
    int error;
    PCRE2_SIZE offset;
    uint32_t options = PCRE2_CASELESS | (dialect.unicode ? PCRE2_UTF : 0);
    pcre2_code *code =
        pcre2_compile((PCRE2_SPTR)dialect.pattern, dialect.length, options, &error, &offset, NULL);
    must_hold(code != NULL || offset <= dialect.length);
    pcre2_code_free(code);
    dialect_fini(&dialect);
    free(pattern);
    return 0;
}
