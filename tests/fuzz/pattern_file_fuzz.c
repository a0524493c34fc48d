/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fuzz.h"
#include "policy/pattern_file.h"

#include <string.h>

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r';
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct arena arena = {0};
    struct report report = {0};
    struct pattern_list list = {0};
    pattern_file_parse(&list, &arena, (const char *)bytes, length, "fuzz", &report);

    const char *text = (const char *)bytes, *end = text + length;
    unsigned line = 1;
    for (size_t i = 0; i < list.count; i++) {
        const struct pattern_source *source = &list.items[i];
        size_t size = strlen(source->text);
        must_hold(size > 0 && source->text[0] != '#');
        must_hold(!is_blank(source->text[0]) && !is_blank(source->text[size - 1]));
        must_hold(memchr(source->text, '\n', size) == NULL);
        /* It stands where its place says. */
        must_hold(source->place.line > line || (i == 0 && source->place.line == line));
        for (; line < source->place.line; line++) {
            text = memchr(text, '\n', (size_t)(end - text));
            must_hold(text != NULL);
            text++;
        }
        must_hold(source->column >= 1 && (size_t)(end - text) >= source->column - 1 + size);
        must_hold(memcmp(text + source->column - 1, source->text, size) == 0);
    }
    arena_fini(&arena);
    report_fini(&report);
    return 0;
}
