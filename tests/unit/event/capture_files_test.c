/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "event/capture_files.h"

#include "core/log.h"

#include "../folder.h"
#include "../stand_in.h"
#include "packets.h"

#include <jansson.h>
#include <signal.h>
#include <sys/resource.h>

struct studio {
    struct folder folder;
    struct packet_sinks sinks;
    struct capture_files files;
    struct captured captured;
    char text[CAPTURE_FAULT_SIZE];
    int filters; /* that are alive */
};

static int make_studio(void **state)
{
    struct studio *studio = calloc(1, sizeof(*studio));
    *state = studio;
    if (studio == NULL)
        return -1;
    studio->folder = make_folder();
    packet_sinks_init(&studio->sinks);
    studio->files.sinks = &studio->sinks;
    studio->captured.stream.device.address = address_of("10.0.0.7:50012");
    studio->captured.stream.origin.address = address_of("93.184.216.34:443");
    studio->captured.comment = "a comment";
    studio->captured.comment_length = 9;
    studio->captured.event = "an event";
    studio->captured.event_length = 8;
    tcp_stream_init(&studio->captured.stream, 1);
    return 0;
}

static int drop_studio(void **state)
{
    struct studio *studio = *state;
    capture_files_end(&studio->files, NULL, "the test is over", NULL);
    assert_int_equal(atomic_load(&studio->sinks.count), 0);
    assert_int_equal(studio->filters, 0);
    remove_folder(&studio->folder);
    free(studio);
    return 0;
}

static const char *add(struct studio *studio, const char *name, uint64_t limit)
{
    const struct capture_file_options options = {
        .directory = path_in(&studio->folder, "captures").text, .name = name, .limit = limit};
    return capture_files_add(&studio->files, &options, studio->text);
}

static json_t *told(struct studio *studio)
{
    struct jsonw json;
    jsonw_init_growing(&json);
    jsonw_array(&json, NULL);
    capture_files_write(&studio->files, &json);
    jsonw_array_end(&json);
    json_t *files = json_loads(jsonw_text(&json), 0, NULL);
    assert_non_null(files);
    jsonw_fini(&json);
    return files;
}

static long long number(const json_t *files, size_t index, const char *key)
{
    const json_t *value = json_object_get(json_array_get(files, index), key);
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

static struct stat status_of(struct studio *studio, const char *name)
{
    char path[64];
    struct stat status;
    snprintf(path, sizeof(path), "captures/%s", name);
    assert_int_equal(stat(path_in(&studio->folder, path).text, &status), 0);
    return status;
}

static void say(struct studio *studio, size_t length)
{
    static const unsigned char bytes[100000];
    tcp_stream_data(&studio->captured.stream, 1, true, bytes, length);
    packet_sinks_flush(&studio->sinks);
}

static void a_file_is_its_owners_alone_and_has_all_packets(void **state)
{
    struct studio *studio = *state;
    assert_null(add(studio, "x", 1 << 20));
    assert_int_equal(status_of(studio, "x").st_mode & 0777, 0600);
    packet_sinks_begin(&studio->sinks, &studio->captured, 1);
    say(studio, 3000);
    packet_sinks_end(&studio->captured);
    json_t *files = told(studio);
    assert_int_equal(number(files, 0, "packets"), 7);
    assert_int_equal(number(files, 0, "connections"), 1);
    assert_int_equal(number(files, 0, "lost"), 0);
    assert_int_equal(number(files, 0, "bytes"), status_of(studio, "x").st_size);
    json_decref(files);
    assert_true(capture_files_has(&studio->files, "x"));
    capture_files_end(&studio->files, "x", "it was stopped", NULL);
    assert_false(capture_files_has(&studio->files, NULL));
}

static void what_is_there_already_is_not_written_over(void **state)
{
    struct studio *studio = *state;
    assert_null(add(studio, "x", 1 << 20));
    const char *fault = add(studio, "x", 1 << 20);
    assert_non_null(fault);
    assert_non_null(strstr(fault, "captures/x: File exists"));
    capture_files_end(&studio->files, NULL, "it was stopped", NULL);
    assert_non_null(add(studio, "x", 1 << 20));
    assert_int_equal(symlink("/dev/null", path_in(&studio->folder, "captures/y").text), 0);
    assert_non_null(add(studio, "y", 1 << 20));
}

static void a_file_ends_at_its_limit_and_makes_room_for_another_one(void **state)
{
    struct studio *studio = *state;
    const uint64_t limit = 20000;
    assert_null(add(studio, "x", limit));
    packet_sinks_begin(&studio->sinks, &studio->captured, 1);
    say(studio, 100000);
    json_t *files = told(studio);
    assert_string_equal(json_string_value(json_object_get(json_array_get(files, 0), "ended")),
                        "it is as long as it may be");
    assert_true(number(files, 0, "bytes") <= (long long)limit);
    assert_int_equal(number(files, 0, "bytes"), status_of(studio, "x").st_size);
    assert_true(number(files, 0, "lost") > 0);
    json_decref(files);
    assert_int_equal(atomic_load(&studio->sinks.count), 0);
    packet_sinks_end(&studio->captured);
    char name[] = "0";
    for (; name[0] < '7'; name[0]++)
        assert_null(add(studio, name, limit));
    assert_null(add(studio, "in its place", limit));
    assert_string_equal(add(studio, "too many", limit), "eight captures are running already");
    assert_false(capture_files_has(&studio->files, "x"));
}

/* What a full disk does: a write that is cut short, and then none. */
static void a_file_that_cannot_be_written_is_whole_up_to_there(void **state)
{
    struct studio *studio = *state;
    struct rlimit old, small;
    struct stand_in log;
    char text[1000];
    assert_null(add(studio, "x", 1 << 30));
    packet_sinks_begin(&studio->sinks, &studio->captured, 1);
    say(studio, 1000);
    const off_t whole = status_of(studio, "x").st_size;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = (rlim_t)whole + 777;
    signal(SIGXFSZ, SIG_IGN);
    log_set_level(LOG_LEVEL_INFO);
    replace_stderr(&log);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    say(studio, 5000);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    restore_stderr(&log, text, sizeof(text));
    log_set_level(LOG_LEVEL_WARNING);
    assert_non_null(strstr(text, "/captures/x: File too large"));
    assert_non_null(strstr(text, "has ended: it could not be written"));
    assert_int_equal(status_of(studio, "x").st_size, whole);
    json_t *files = told(studio);
    assert_int_equal(number(files, 0, "packets"), 5);
    assert_int_equal(number(files, 0, "lost"), 5);
    json_decref(files);
    packet_sinks_end(&studio->captured);
}

/* ---- filters ---- */

struct picky {
    struct studio *studio;
    const char *event;
};

static bool matches(void *filter, const char *event, size_t length)
{
    const struct picky *picky = filter;
    return length == strlen(picky->event) && memcmp(event, picky->event, length) == 0;
}

static void free_filter(void *filter)
{
    ((struct picky *)filter)->studio->filters--;
    free(filter);
}

static const char *add_filtered(struct studio *studio, const char *name, const char *event)
{
    struct picky *picky = malloc(sizeof(*picky));
    assert_non_null(picky);
    *picky = (struct picky){studio, event};
    studio->filters++;
    const struct capture_file_options options = {
        .directory = path_in(&studio->folder, "captures").text,
        .name = name,
        .limit = 1 << 20,
        .filter_text = "~d x",
        .matches = matches,
        .free_filter = free_filter,
        .filter = picky,
    };
    return capture_files_add(&studio->files, &options, studio->text);
}

static void a_filter_sees_the_event_and_is_freed_with_the_file(void **state)
{
    struct studio *studio = *state;
    assert_null(add_filtered(studio, "none", "another event"));
    assert_null(add_filtered(studio, "all", "an event"));
    assert_non_null(add_filtered(studio, "all", "an event"));
    assert_int_equal(studio->filters, 2);
    packet_sinks_begin(&studio->sinks, &studio->captured, 1);
    json_t *files = told(studio);
    assert_int_equal(number(files, 0, "connections"), 0);
    assert_int_equal(number(files, 1, "connections"), 1);
    json_decref(files);
    packet_sinks_end(&studio->captured);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_studio, drop_studio)

int main(void)
{
    log_set_level(LOG_LEVEL_WARNING);
    const struct CMUnitTest tests[] = {
        TEST(a_file_is_its_owners_alone_and_has_all_packets),
        TEST(what_is_there_already_is_not_written_over),
        TEST(a_file_ends_at_its_limit_and_makes_room_for_another_one),
        TEST(a_file_that_cannot_be_written_is_whole_up_to_there),
        TEST(a_filter_sees_the_event_and_is_freed_with_the_file),
    };
    return cmocka_run_group_tests_name("event/capture_files", tests, NULL, NULL);
}
