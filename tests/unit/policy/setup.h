/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * setup.h - what the tests of this folder share: reports as text, configurations and policies from
 * text. cmocka.h must be included before. */
#ifndef TESTS_POLICY_SETUP_H
#define TESTS_POLICY_SETUP_H

#include "../folder.h"
#include "core/file.h"
#include "policy/policy.h"

#include <string.h>
#include <unistd.h>

/* The report's line `index`, counting from 0. */
static inline const char *report_text(const struct report *report, size_t index)
{
    const struct report_line *line;
    STAILQ_FOREACH (line, &report->lines, link)
        if (index-- == 0)
            return line->text;
    fail_msg("the report has only %zu lines", report->errors);
    return NULL;
}

/* These lines, in this order, and no others. Empties the report. */
static inline void assert_reported(struct report *report, const char *const lines[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_string_equal(report_text(report, i), lines[i]);
    if (report->errors > count)
        fail_msg("one line too many: %s", report_text(report, count));
    report_fini(report);
}

static inline void assert_only_error(struct report *report, const char *text)
{
    assert_reported(report, &text, 1);
}

static inline void assert_nothing_reported(struct report *report)
{
    assert_reported(report, NULL, 0);
}

/* What the text says, as if it stood in /etc/test.conf. */
static inline struct config *parse_config(const char *text, struct report *report)
{
    return config_parse(text, strlen(text), "/etc/test.conf", NULL, 0, report);
}

/* The same where nothing is wrong with it. */
static inline struct config *good_config(const char *text)
{
    struct report report = {0};
    struct config *config = parse_config(text, &report);
    assert_nothing_reported(&report);
    return config;
}

/* A view of the policy that the text says; it holds the only reference. */
static inline struct policy_view *view_of(const char *text)
{
    struct report report = {0};
    struct policy *policy = policy_new(good_config(text), 1, false, &report);
    assert_nothing_reported(&report);
    assert_non_null(policy);
    struct policy_view *view = policy_view_new(policy, NULL);
    assert_non_null(view);
    policy_unref(policy);
    return view;
}

/* ---- files ---- */

static inline void write_file(const struct path *path, const char *content)
{
    assert_true(file_replace(path->text, content, strlen(content), 0600));
}

#endif
