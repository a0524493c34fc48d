/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "event/line_file.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "../core/log_capture.h"
#include "../folder.h"

/* A file of lines, open in a folder of its own. */
struct desk {
    struct folder folder;
    struct path path;
    struct line_file *file;
};

static void open_with(struct desk *desk, uint64_t size, unsigned keep)
{
    const struct line_rotation rotation = {.size = size, .keep = keep};
    assert_true(line_file_open(desk->file, strdup(desk->path.text), &rotation));
}

static int make_desk(void **state)
{
    struct desk *desk = calloc(1, sizeof(*desk));
    *state = desk;
    if (desk == NULL)
        return -1;
    desk->folder = make_folder();
    desk->path = path_in(&desk->folder, "lines");
    desk->file = calloc(1, sizeof(*desk->file));
    assert_non_null(desk->file);
    line_file_init(desk->file, 0640);
    open_with(desk, 0, 1);
    return 0;
}

static int clear_desk(void **state)
{
    struct desk *desk = *state;
    line_file_fini(desk->file);
    free(desk->file);
    remove_folder(&desk->folder);
    free(desk);
    return 0;
}

static struct line_counts write_line(struct desk *desk, const char *line)
{
    struct line_counts added = line_file_add(desk->file, line, strlen(line));
    struct line_counts flushed = line_file_flush(desk->file);
    return (struct line_counts){added.written + flushed.written, added.lost + flushed.lost};
}

static void assert_file(const struct desk *desk, const char *name, const char *expected)
{
    char *text = text_in(&desk->folder, name);
    assert_string_equal(text, expected);
    free(text);
}

static bool is_there(const struct desk *desk, const char *name)
{
    return access(path_in(&desk->folder, name).text, F_OK) == 0;
}

/* ---- rotation ---- */

static void a_file_that_is_large_becomes_an_older_one(void **state)
{
    struct desk *desk = *state;
    open_with(desk, 10, 2);
    assert_int_equal(write_line(desk, "one\n").written, 1);
    assert_int_equal(write_line(desk, "two\n").written, 1);
    assert_false(is_there(desk, "lines.1"));
    write_line(desk, "three\n");
    assert_file(desk, "lines.1", "one\ntwo\nthree\n");
    assert_file(desk, "lines", "");
    write_line(desk, "four four four\n");
    assert_file(desk, "lines.2", "one\ntwo\nthree\n");
    assert_file(desk, "lines.1", "four four four\n");
    write_line(desk, "five\n");
    assert_file(desk, "lines", "five\n");
}

static void no_more_files_are_kept_than_are_wanted(void **state)
{
    struct desk *desk = *state;
    open_with(desk, 1, 1);
    write_line(desk, "one\n");
    write_line(desk, "two\n");
    assert_file(desk, "lines.1", "two\n");
    assert_false(is_there(desk, "lines.2"));
    open_with(desk, 1, 3);
    for (int i = 0; i < 6; i++)
        write_line(desk, "more\n");
    assert_true(is_there(desk, "lines.3"));
    assert_false(is_there(desk, "lines.4"));
}

static void what_was_there_at_the_start_counts(void **state)
{
    struct desk *desk = *state;
    write_line(desk, "one of ten\n");
    open_with(desk, 12, 1);
    write_line(desk, "two\n");
    assert_file(desk, "lines.1", "one of ten\ntwo\n");
}

static void without_a_size_it_grows_on(void **state)
{
    struct desk *desk = *state;
    char line[1001];
    snprintf(line, sizeof(line), "%0999d\n", 1);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(write_line(desk, line).lost, 0);
    assert_false(is_there(desk, "lines.1"));
}

static void a_file_that_somebody_else_has_rotated_is_opened_anew(void **state)
{
    struct desk *desk = *state;
    open_with(desk, 6, 2);
    write_line(desk, "one\n");
    assert_int_equal(rename(desk->path.text, path_in(&desk->folder, "theirs").text), 0);
    write_line(desk, "two\n");
    write_line(desk, "three\n");
    assert_file(desk, "theirs", "one\ntwo\n");
    assert_file(desk, "lines.1", "three\n");
}

/* A directory of that name cannot be written over. */
static void where_there_is_no_rotating_it_grows_on(void **state)
{
    struct desk *desk = *state;
    struct log_capture log;
    open_with(desk, 6, 1);
    assert_int_equal(mkdir(path_in(&desk->folder, "lines.1").text, 0700), 0);
    log_capture_start(&log);
    write_line(desk, "one one\n");
    write_line(desk, "2\n");
    write_line(desk, "3\n");
    log_redirect(NULL, NULL);
    assert_file(desk, "lines", "one one\n2\n3\n");
    assert_non_null(strstr(log.text, "could not be renamed"));
    assert_int_equal(log.lines, 2); /* of 8 bytes, and of 12, which is as large again */
}

static void a_device_is_never_rotated(void **state)
{
    struct desk *desk = *state;
    const struct line_rotation rotation = {.size = 1, .keep = 1};
    assert_true(line_file_open(desk->file, strdup("/dev/null"), &rotation));
    assert_int_equal(write_line(desk, "one\n").written, 1);
    assert_int_equal(access("/dev/null.1", F_OK), -1);
}

/* ---- full disks ---- */

static void limit_file_size(rlim_t size)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = size < limit.rlim_max ? size : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static struct line_counts write_lines(struct desk *desk, const char *const *lines, size_t count,
                                      rlim_t limit, struct log_capture *log)
{
    for (size_t i = 0; i < count; i++)
        assert_int_equal(line_file_add(desk->file, lines[i], strlen(lines[i])).lost, 0);
    log_capture_start(log);
    limit_file_size(limit);
    struct line_counts counts = line_file_flush(desk->file);
    limit_file_size(RLIM_INFINITY);
    log_redirect(NULL, NULL);
    return counts;
}

static void what_fits_is_written_in_whole_lines(void **state)
{
    struct desk *desk = *state;
    static const char *const lines[] = {"one\n", "two\n", "three\n", "four\n"};
    struct log_capture log;
    struct line_counts counts = write_lines(desk, lines, 4, 11, &log);
    assert_int_equal(counts.written, 2);
    assert_int_equal(counts.lost, 2);
    assert_file(desk, "lines", "one\ntwo\n");
    assert_true(atomic_load(&desk->file->failing));
    assert_non_null(strstr(log.text, "/lines: File too large: paused"));
}

static void when_there_is_room_again_the_losses_are_told(void **state)
{
    struct desk *desk = *state;
    static const char *const lines[] = {"one\n", "two\n", "three\n"};
    struct log_capture log;
    write_lines(desk, lines, 3, 5, &log);
    write_lines(desk, lines, 1, 4, &log);
    assert_int_equal(log.lines, 0); /* it was told before */
    assert_int_equal(write_lines(desk, lines, 1, 8, &log).written, 1);
    assert_non_null(strstr(log.text, "works again; lines lost: 3\n"));
    assert_false(atomic_load(&desk->file->failing));
    assert_file(desk, "lines", "one\none\n");
}

/* ---- half lines ---- */

static void put_text(const struct desk *desk, const char *text)
{
    FILE *file = fopen(desk->path.text, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void a_half_line_of_before_gets_an_end(void **state)
{
    struct desk *desk = *state;
    struct log_capture log;
    static const char *const lines[] = {"one\n", "two\n"};
    put_text(desk, "half");
    open_with(desk, 0, 1);
    /* There is no room for the end, nor for a line; then for both. */
    struct line_counts counts = write_lines(desk, lines, 2, 4, &log);
    assert_int_equal(counts.written, 0);
    assert_int_equal(counts.lost, 2);
    counts = write_lines(desk, lines, 2, 9, &log);
    assert_int_equal(counts.written, 1);
    assert_int_equal(counts.lost, 1);
    assert_file(desk, "lines", "half\none\n");
}

#define with_desk(test) cmocka_unit_test_setup_teardown(test, make_desk, clear_desk)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_desk(a_file_that_is_large_becomes_an_older_one),
        with_desk(no_more_files_are_kept_than_are_wanted),
        with_desk(what_was_there_at_the_start_counts),
        with_desk(without_a_size_it_grows_on),
        with_desk(a_file_that_somebody_else_has_rotated_is_opened_anew),
        with_desk(where_there_is_no_rotating_it_grows_on),
        with_desk(a_device_is_never_rotated),
        with_desk(what_fits_is_written_in_whole_lines),
        with_desk(when_there_is_room_again_the_losses_are_told),
        with_desk(a_half_line_of_before_gets_an_end),
    };
    unsetenv("JOURNAL_STREAM");
    signal(SIGXFSZ, SIG_IGN);
    return cmocka_run_group_tests_name("event/line_file", tests, NULL, NULL);
}
