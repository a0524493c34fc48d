/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * written.h - what was written as JSON is what it should be, whatever the order of its keys.
 * cmocka.h must be included before. */
#ifndef TESTS_EVENT_WRITTEN_H
#define TESTS_EVENT_WRITTEN_H

#include "core/jsonw.h"

#include <jansson.h>

/* `expected` has single quotes for double ones, which are put in their place. */
static inline void assert_json(struct jsonw *json, char *expected)
{
    json_t *got = json_loads(jsonw_text(json), JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(got);
    for (char *at = expected; *at != '\0'; at++)
        *at = *at == '\'' ? '"' : *at;
    json_t *parsed = json_loads(expected, 0, NULL);
    assert_non_null(parsed);
    if (!json_equal(got, parsed))
        fail_msg("%s\nis not\n%s", jsonw_text(json), expected);
    json_decref(got);
    json_decref(parsed);
}

#endif
