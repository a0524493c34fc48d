/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "event/recorder.h"

#include "core/log.h"

#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "../folder.h"
#include "../stand_in.h"

/* The longest line that is taken; see recorder.c. */
#define LINE_LIMIT (RECORDER_LINE_LIMIT - 1)

/* A recorder that writes events.json and keys, with one feed. */
struct studio {
    struct folder folder;
    struct path events, keys;
    struct recorder *recorder;
    struct recorder_feed *feed;
};

#define FEEDS 5

static int make_folder_only(void **state)
{
    struct studio *studio = calloc(1, sizeof(*studio));
    *state = studio;
    if (studio == NULL)
        return -1;
    studio->folder = make_folder();
    studio->events = path_in(&studio->folder, "events.json");
    studio->keys = path_in(&studio->folder, "keys");
    return 0;
}

static void start(struct studio *studio, const char *events, const char *keys)
{
    const struct recorder_paths paths = {.events = events, .keylog = keys};
    studio->recorder = recorder_start(&paths, FEEDS);
    assert_non_null(studio->recorder);
    studio->feed = recorder_feed(studio->recorder);
}

static int make_studio(void **state)
{
    if (make_folder_only(state) != 0)
        return -1;
    struct studio *studio = *state;
    start(studio, studio->events.text, studio->keys.text);
    return 0;
}

static void stop(struct studio *studio)
{
    recorder_stop(studio->recorder);
    studio->recorder = NULL;
}

static int drop_studio(void **state)
{
    struct studio *studio = *state;
    stop(studio);
    remove_folder(&studio->folder);
    free(studio);
    return 0;
}

static void put(struct studio *studio, enum output output, const char *line)
{
    recorder_put(studio->feed, output, line, strlen(line));
}

static void assert_file(const struct studio *studio, const char *name, const char *expected)
{
    char *text = text_in(&studio->folder, name);
    assert_string_equal(text, expected);
    free(text);
}

static void wait_for(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0)
        ; /* a signal came */
}

static void raise_flag(void *flag)
{
    sem_post(flag);
}

/* Waits until the recorder has written what was put before. The first answer may overtake lines
 * that came in the same turn of its loop; the second belongs to a later turn. */
static void settle(struct recorder *recorder)
{
    sem_t answered;
    sem_init(&answered, 0, 0);
    for (int i = 0; i < 2; i++) {
        recorder_ping(recorder, raise_flag, &answered);
        wait_for(&answered);
    }
    sem_destroy(&answered);
}

/* Keeps the recorder from writing, as a slow disk would. */
struct hold {
    sem_t held, released;
};

static void stay_held(void *context)
{
    struct hold *hold = context;
    sem_post(&hold->held);
    wait_for(&hold->released);
}

static void hold_recorder(struct hold *hold, struct recorder *recorder)
{
    sem_init(&hold->held, 0, 0);
    sem_init(&hold->released, 0, 0);
    recorder_ping(recorder, stay_held, hold);
    wait_for(&hold->held);
}

static void release_recorder(struct hold *hold, struct recorder *recorder)
{
    sem_post(&hold->released);
    settle(recorder);
    sem_destroy(&hold->held);
    sem_destroy(&hold->released);
}

/* ---- lines ---- */

static void lines_go_to_their_files_in_order(void **state)
{
    struct studio *studio = *state;
    put(studio, OUTPUT_EVENTS, "first event\n");
    put(studio, OUTPUT_KEYLOG, "first key\n");
    put(studio, OUTPUT_EVENTS, "second event\n");
    put(studio, OUTPUT_KEYLOG, "second key\n");
    stop(studio);
    assert_file(studio, "events.json", "first event\nsecond event\n");
    assert_file(studio, "keys", "first key\nsecond key\n");
}

static void lines_are_written_without_being_asked_for(void **state)
{
    struct studio *studio = *state;
    for (int i = 1; i <= 3; i++) {
        put(studio, OUTPUT_EVENTS, "event\n");
        settle(studio->recorder);
        char *text = text_in(&studio->folder, "events.json");
        assert_int_equal(strlen(text), i * 6);
        free(text);
    }
    assert_int_equal(counter_read(&recorder_counters(studio->recorder)->written), 3);
    assert_int_equal(counter_read(&recorder_counters(studio->recorder)->lost), 0);
    assert_int_equal(recorder_dropped(studio->recorder), 0);
}

static void more_lines_than_one_turn_takes_are_all_written(void **state)
{
    struct studio *studio = *state;
    struct hold hold;
    hold_recorder(&hold, studio->recorder);
    for (int i = 0; i < 30000; i++)
        put(studio, OUTPUT_EVENTS, "e\n");
    release_recorder(&hold, studio->recorder);
    stop(studio);
    char *text = text_in(&studio->folder, "events.json");
    assert_int_equal(strlen(text), 60000);
    free(text);
}

static void what_was_there_before_is_kept(void **state)
{
    struct studio *studio = *state;
    put(studio, OUTPUT_EVENTS, "before\n");
    stop(studio);
    start(studio, studio->events.text, studio->keys.text);
    put(studio, OUTPUT_EVENTS, "after\n");
    stop(studio);
    assert_file(studio, "events.json", "before\nafter\n");
}

static void an_output_that_nobody_wants_takes_nothing(void **state)
{
    struct studio *studio = *state;
    start(studio, studio->events.text, NULL);
    assert_true(recorder_wants(studio->feed, OUTPUT_EVENTS));
    assert_false(recorder_wants(studio->feed, OUTPUT_KEYLOG));
    assert_true(recorder_wants(studio->feed, OUTPUT_LOG));
    put(studio, OUTPUT_KEYLOG, "key\n");
    put(studio, OUTPUT_EVENTS, "event\n");
    settle(studio->recorder);
    assert_int_equal(counter_read(&recorder_counters(studio->recorder)->written), 1);
    assert_int_equal(counter_read(&recorder_counters(studio->recorder)->lost), 0);
    stop(studio);
    assert_file(studio, "keys", "");
    assert_file(studio, "events.json", "event\n");
}

static void assert_first_lines(const char *text, size_t length, const char *next)
{
    assert_int_equal(strspn(text, "x"), length - 1);
    assert_int_equal(text[length - 1], '\n');
    assert_string_equal(text + length, next);
}

static void the_longest_line_is_written_and_a_longer_one_is_lost(void **state)
{
    static char line[LINE_LIMIT + 1];
    struct studio *studio = *state;
    memset(line, 'x', sizeof(line));
    line[LINE_LIMIT] = line[LINE_LIMIT - 1] = '\n';
    recorder_put(studio->feed, OUTPUT_EVENTS, line, LINE_LIMIT);
    line[LINE_LIMIT - 1] = 'x';
    recorder_put(studio->feed, OUTPUT_EVENTS, line, LINE_LIMIT + 1);
    put(studio, OUTPUT_EVENTS, "next\n");
    settle(studio->recorder);
    assert_int_equal(counter_read(&recorder_counters(studio->recorder)->written), 2);
    assert_int_equal(counter_read(&recorder_counters(studio->recorder)->lost), 1);
    stop(studio);
    char *text = text_in(&studio->folder, "events.json");
    assert_first_lines(text, LINE_LIMIT, "next\n");
    free(text);
}

/* ---- files ---- */

static void keys_are_for_the_owners_eyes_only(void **state)
{
    struct studio *studio = *state;
    mode_t mask = umask(0);
    start(studio, studio->events.text, studio->keys.text);
    umask(mask);
    assert_int_equal(mode_of(&studio->events), 0640);
    assert_int_equal(mode_of(&studio->keys), 0600);
}

static void a_file_gets_the_directories_that_it_lies_in(void **state)
{
    struct studio *studio = *state;
    start(studio, path_in(&studio->folder, "sub/deeper/events.json").text, NULL);
    put(studio, OUTPUT_EVENTS, "event\n");
    stop(studio);
    assert_file(studio, "sub/deeper/events.json", "event\n");
}

static void keep_log(void *context, const char *line, size_t length)
{
    snprintf(context, 1024, "%.*s", (int)length, line);
}

static void a_file_that_cannot_be_opened_is_told_at_once(void **state)
{
    struct studio *studio = *state;
    char logged[1024] = "";
    const struct recorder_paths paths = {.events = studio->folder.path}; /* a directory */
    log_redirect(keep_log, logged);
    struct recorder *recorder = recorder_start(&paths, 1);
    log_redirect(NULL, NULL);
    assert_null(recorder);
    assert_non_null(strstr(logged, studio->folder.path));
    assert_non_null(strstr(logged, "Is a directory"));
}

static void stopping_what_never_started_is_harmless(void **state)
{
    (void)state;
    recorder_stop(NULL);
}

/* ---- following ---- */

static void assert_followed(struct studio *studio, const char *expected)
{
    size_t length;
    uint64_t lost;
    const char *line = recorder_next(studio->recorder, &length, &lost);
    assert_non_null(line);
    assert_int_equal(length, strlen(expected));
    assert_memory_equal(line, expected, length);
    recorder_followed(studio->recorder);
}

static void assert_no_more(struct studio *studio)
{
    size_t length;
    uint64_t lost;
    assert_null(recorder_next(studio->recorder, &length, &lost));
    assert_int_equal(lost, 0);
}

static void whoever_follows_gets_the_events_that_are_written(void **state)
{
    struct studio *studio = *state;
    put(studio, OUTPUT_EVENTS, "before\n");
    settle(studio->recorder);
    assert_true(recorder_follow(studio->recorder) >= 0);
    put(studio, OUTPUT_EVENTS, "one\n");
    put(studio, OUTPUT_KEYLOG, "key\n");
    put(studio, OUTPUT_EVENTS, "two\n");
    settle(studio->recorder);
    assert_followed(studio, "one\n");
    assert_followed(studio, "two\n");
    assert_no_more(studio);
    recorder_unfollow(studio->recorder);
    put(studio, OUTPUT_EVENTS, "after\n");
    settle(studio->recorder);
    assert_no_more(studio);
    stop(studio);
    assert_file(studio, "events.json", "before\none\ntwo\nafter\n");
}

static void events_can_be_followed_where_there_is_no_file(void **state)
{
    struct studio *studio = *state;
    start(studio, NULL, NULL);
    assert_false(recorder_wants(studio->feed, OUTPUT_EVENTS));
    put(studio, OUTPUT_EVENTS, "nobody wants it\n");
    assert_true(recorder_follow(studio->recorder) >= 0);
    assert_true(recorder_wants(studio->feed, OUTPUT_EVENTS));
    put(studio, OUTPUT_EVENTS, "one\n");
    settle(studio->recorder);
    assert_followed(studio, "one\n");
    const struct recorder_paths none = {0};
    recorder_reopen(studio->recorder, &none); /* a reload forgets nobody */
    settle(studio->recorder);
    assert_true(recorder_wants(studio->feed, OUTPUT_EVENTS));
    recorder_unfollow(studio->recorder);
    assert_false(recorder_wants(studio->feed, OUTPUT_EVENTS));
    assert_int_equal(counter_read(&recorder_counters(studio->recorder)->written), 0);
    assert_int_equal(counter_read(&recorder_counters(studio->recorder)->lost), 0);
    stop(studio);
    assert_file(studio, "events.json", "");
}

/* ---- reopening ---- */

static void reopen(struct studio *studio, const char *events, const char *keys)
{
    const struct recorder_paths paths = {.events = events, .keylog = keys};
    recorder_reopen(studio->recorder, &paths);
    settle(studio->recorder);
}

static void after_a_rename_the_old_file_is_written_until_reopened(void **state)
{
    struct studio *studio = *state;
    const struct path rotated = path_in(&studio->folder, "events.json.1");
    put(studio, OUTPUT_EVENTS, "before\n");
    settle(studio->recorder);
    assert_int_equal(rename(studio->events.text, rotated.text), 0);
    put(studio, OUTPUT_EVENTS, "between\n");
    settle(studio->recorder);
    reopen(studio, studio->events.text, studio->keys.text);
    put(studio, OUTPUT_EVENTS, "after\n");
    stop(studio);
    assert_file(studio, "events.json.1", "before\nbetween\n");
    assert_file(studio, "events.json", "after\n");
}

static void a_reopened_file_is_there_before_the_first_line(void **state)
{
    struct studio *studio = *state;
    assert_int_equal(unlink(studio->events.text), 0);
    assert_int_equal(unlink(studio->keys.text), 0);
    reopen(studio, studio->events.text, studio->keys.text);
    assert_int_equal(mode_of(&studio->events), 0640);
    assert_int_equal(mode_of(&studio->keys), 0600);
}

static void reopening_may_change_what_is_wanted(void **state)
{
    struct studio *studio = *state;
    reopen(studio, NULL, path_in(&studio->folder, "other").text);
    assert_false(recorder_wants(studio->feed, OUTPUT_EVENTS));
    assert_true(recorder_wants(studio->feed, OUTPUT_KEYLOG));
    put(studio, OUTPUT_EVENTS, "event\n");
    put(studio, OUTPUT_KEYLOG, "key\n");
    settle(studio->recorder);
    reopen(studio, studio->events.text, NULL);
    assert_true(recorder_wants(studio->feed, OUTPUT_EVENTS));
    put(studio, OUTPUT_EVENTS, "later event\n");
    stop(studio);
    assert_file(studio, "events.json", "later event\n");
    assert_file(studio, "keys", "");
    assert_file(studio, "other", "key\n");
}

static void the_paths_are_the_recorders_own(void **state)
{
    struct studio *studio = *state;
    struct path path = studio->events;
    start(studio, path.text, NULL);
    const struct recorder_paths paths = {.events = path.text};
    assert_int_equal(unlink(studio->events.text), 0);
    struct hold hold;
    hold_recorder(&hold, studio->recorder);
    recorder_reopen(studio->recorder, &paths);
    memset(path.text, 'x', strlen(path.text));
    release_recorder(&hold, studio->recorder);
    put(studio, OUTPUT_EVENTS, "event\n");
    stop(studio);
    assert_file(studio, "events.json", "event\n");
}

static void events_are_rotated_and_keys_are_not(void **state)
{
    struct studio *studio = *state;
    const struct recorder_paths paths = {.events = studio->events.text,
                                         .keylog = studio->keys.text,
                                         .rotation = {.size = 5, .keep = 1}};
    recorder_reopen(studio->recorder, &paths);
    settle(studio->recorder);
    put(studio, OUTPUT_EVENTS, "event\n");
    put(studio, OUTPUT_KEYLOG, "first key\n");
    settle(studio->recorder);
    put(studio, OUTPUT_EVENTS, "next\n");
    put(studio, OUTPUT_KEYLOG, "next key\n");
    stop(studio);
    assert_file(studio, "events.json.1", "next\n");
    assert_file(studio, "keys", "first key\nnext key\n");
}

/* ---- full disks ---- */

static void lines_for_a_full_disk_are_lost_and_counted(void **state)
{
    struct studio *studio = *state;
    struct stand_in file;
    char told[1024];
    replace_stderr(&file);
    start(studio, "/dev/full", studio->keys.text);
    for (int i = 0; i < 3; i++) {
        put(studio, OUTPUT_EVENTS, "event\n");
        put(studio, OUTPUT_KEYLOG, "key\n");
        settle(studio->recorder);
    }
    uint64_t written = counter_read(&recorder_counters(studio->recorder)->written);
    uint64_t lost = counter_read(&recorder_counters(studio->recorder)->lost);
    assert_true(recorder_fails(studio->recorder, OUTPUT_EVENTS));
    assert_false(recorder_fails(studio->recorder, OUTPUT_KEYLOG));
    stop(studio);
    restore_stderr(&file, told, sizeof(told));
    assert_int_equal(lost, 3);
    assert_int_equal(written, 3);
    assert_file(studio, "keys", "key\nkey\nkey\n");
    /* Told once, not with every line. */
    const char *line = strstr(told, "/dev/full");
    assert_non_null(line);
    assert_non_null(strstr(line, "No space left on device"));
    assert_null(strstr(line + 1, "/dev/full"));
}

/* A file size limit is a disk that is full and has room again. */
static void limit_file_size(rlim_t size)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = size < limit.rlim_max ? size : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void put_while_limited(struct studio *studio, const char *line, rlim_t limit)
{
    limit_file_size(limit);
    put(studio, OUTPUT_EVENTS, line);
    settle(studio->recorder);
    limit_file_size(RLIM_INFINITY);
}

static void a_disk_that_has_room_again_is_written_again(void **state)
{
    struct studio *studio = *state;
    struct stand_in file;
    char told[1024];
    put(studio, OUTPUT_EVENTS, "whole\n");
    settle(studio->recorder);
    replace_stderr(&file);
    put_while_limited(studio, "lost\n", strlen("whole\n"));
    put(studio, OUTPUT_EVENTS, "whole again\n");
    settle(studio->recorder);
    uint64_t lost = counter_read(&recorder_counters(studio->recorder)->lost);
    uint64_t written = counter_read(&recorder_counters(studio->recorder)->written);
    stop(studio);
    restore_stderr(&file, told, sizeof(told));
    assert_file(studio, "events.json", "whole\nwhole again\n");
    assert_int_equal(lost, 1);
    assert_int_equal(written, 2);
    assert_non_null(strstr(told, "works again"));
}

static void a_line_that_was_cut_is_taken_back(void **state)
{
    struct studio *studio = *state;
    struct stand_in file;
    char told[1024];
    replace_stderr(&file);
    put_while_limited(studio, "cut here|and lost\n", strlen("cut here"));
    put(studio, OUTPUT_EVENTS, "whole\n");
    put(studio, OUTPUT_EVENTS, "next\n");
    stop(studio);
    restore_stderr(&file, told, sizeof(told));
    assert_file(studio, "events.json", "whole\nnext\n");
}

/* ---- feeds ---- */

static void what_does_not_fit_into_a_feed_is_dropped_and_counted(void **state)
{
    struct studio *studio = *state;
    struct hold hold;
    char line[1001], expected[1001];
    int count = 3000, next = 0;
    hold_recorder(&hold, studio->recorder);
    for (int i = 0; i < count; i++) {
        snprintf(line, sizeof(line), "%0999d\n", i);
        put(studio, OUTPUT_EVENTS, line);
    }
    int dropped = (int)recorder_dropped(studio->recorder);
    release_recorder(&hold, studio->recorder);
    put(studio, OUTPUT_EVENTS, "room again\n");
    stop(studio);
    assert_in_range(dropped, 1, count - 1);
    char *text = text_in(&studio->folder, "events.json");
    char *rest = text;
    for (; next < count - dropped; next++) {
        snprintf(expected, sizeof(expected), "%0999d\n", next);
        assert_memory_equal(rest, expected, 1000);
        rest += 1000;
    }
    assert_string_equal(rest, "room again\n");
    free(text);
}

static void a_full_feed_leaves_the_others_alone(void **state)
{
    struct studio *studio = *state;
    struct recorder_feed *other = recorder_feed(studio->recorder);
    struct hold hold;
    static char line[50000];
    memset(line, 'x', sizeof(line) - 1);
    line[sizeof(line) - 1] = '\n';
    hold_recorder(&hold, studio->recorder);
    while (recorder_dropped(studio->recorder) == 0)
        recorder_put(studio->feed, OUTPUT_EVENTS, line, sizeof(line));
    recorder_put(other, OUTPUT_KEYLOG, "key\n", 4);
    assert_int_equal(recorder_dropped(studio->recorder), 1);
    release_recorder(&hold, studio->recorder);
    stop(studio);
    assert_file(studio, "keys", "key\n");
}

#define THREAD_LINES 5000

struct writer {
    pthread_t thread;
    struct recorder_feed *feed;
    int index;
};

static void *write_lines(void *context)
{
    struct writer *writer = context;
    char line[64];
    for (int i = 0; i < THREAD_LINES; i++) {
        int length = snprintf(line, sizeof(line), "%d wrote line %d\n", writer->index, i);
        recorder_put(writer->feed, OUTPUT_EVENTS, line, (size_t)length);
    }
    return NULL;
}

static void assert_lines_of_all(struct studio *studio)
{
    char *text = text_in(&studio->folder, "events.json"), expected[64];
    int next[FEEDS] = {0};
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        int index = *line - '0';
        assert_in_range(index, 1, FEEDS - 1);
        snprintf(expected, sizeof(expected), "%d wrote line %d", index, next[index]++);
        assert_string_equal(line, expected);
    }
    for (int i = 1; i < FEEDS; i++)
        assert_int_equal(next[i], THREAD_LINES);
    free(text);
}

/* While others write, feeds are added and files are opened anew: nothing gets lost. */
static void threads_write_through_their_own_feeds(void **state)
{
    struct studio *studio = *state;
    const struct recorder_paths paths = {.events = studio->events.text,
                                         .keylog = studio->keys.text};
    struct writer writers[FEEDS];
    for (int i = 1; i < FEEDS; i++) {
        writers[i].feed = recorder_feed(studio->recorder);
        writers[i].index = i;
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_lines, &writers[i]), 0);
        recorder_reopen(studio->recorder, &paths);
    }
    for (int i = 1; i < FEEDS; i++)
        pthread_join(writers[i].thread, NULL);
    settle(studio->recorder);
    assert_int_equal(recorder_dropped(studio->recorder), 0);
    stop(studio);
    assert_lines_of_all(studio);
}

/* ---- the log ---- */

static void a_threads_log_goes_through_its_feed_to_standard_error(void **state)
{
    struct studio *studio = *state;
    struct stand_in file;
    char text[256];
    replace_stderr(&file);
    log_redirect(recorder_log_sink, studio->feed);
    log_info("clientconnect %s", "10.0.0.7:50012");
    log_error("no disk");
    log_redirect(NULL, NULL);
    stop(studio);
    restore_stderr(&file, text, sizeof(text));
    assert_string_equal(text, "clientconnect 10.0.0.7:50012\nerror: no disk\n");
}

/* ---- pings ---- */

static void the_store_has_the_events_where_there_is_no_file(void **state)
{
    static const char event[] = "{\"timestamp\":\"2026-11-23T12:00:00.000000+0000\","
                                "\"event_type\":\"x\"}\n";
    struct studio *studio = *state;
    const struct path file = path_in(&studio->folder, "store.db");
    struct recorder_paths paths = {
        .store = {.file = file.text, .keep = 365 * 86400, .size = 1 << 20}};
    studio->recorder = recorder_start(&paths, FEEDS);
    assert_non_null(studio->recorder);
    studio->feed = recorder_feed(studio->recorder);
    const struct store_counters *counters = recorder_store_counters(studio->recorder);
    assert_true(recorder_wants(studio->feed, OUTPUT_EVENTS));
    put(studio, OUTPUT_EVENTS, event);
    settle(studio->recorder);
    assert_int_equal(counter_read(&counters->stored), 1);
    /* And no more once nobody wants it. */
    paths = (struct recorder_paths){.events = studio->events.text};
    recorder_reopen(studio->recorder, &paths);
    settle(studio->recorder);
    put(studio, OUTPUT_EVENTS, event);
    settle(studio->recorder);
    assert_file(studio, "events.json", event);
    assert_int_equal(counter_read(&counters->stored), 1);
    assert_int_equal(counter_read(&counters->lost), 0);
}

struct pong {
    sem_t answered;
    pthread_t thread;
};

static void note_thread(void *context)
{
    struct pong *pong = context;
    pong->thread = pthread_self();
    sem_post(&pong->answered);
}

static void a_ping_is_answered_from_the_recorders_thread(void **state)
{
    struct studio *studio = *state;
    struct pong pong;
    sem_init(&pong.answered, 0, 0);
    recorder_ping(studio->recorder, note_thread, &pong);
    wait_for(&pong.answered);
    assert_false(pthread_equal(pong.thread, pthread_self()));
    sem_destroy(&pong.answered);
}

#define with_studio(test) cmocka_unit_test_setup_teardown(test, make_studio, drop_studio)
#define with_folder(test) cmocka_unit_test_setup_teardown(test, make_folder_only, drop_studio)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_studio(lines_go_to_their_files_in_order),
        with_studio(lines_are_written_without_being_asked_for),
        with_studio(more_lines_than_one_turn_takes_are_all_written),
        with_studio(what_was_there_before_is_kept),
        with_folder(an_output_that_nobody_wants_takes_nothing),
        with_studio(the_longest_line_is_written_and_a_longer_one_is_lost),
        with_folder(keys_are_for_the_owners_eyes_only),
        with_folder(a_file_gets_the_directories_that_it_lies_in),
        with_folder(a_file_that_cannot_be_opened_is_told_at_once),
        cmocka_unit_test(stopping_what_never_started_is_harmless),
        with_studio(whoever_follows_gets_the_events_that_are_written),
        with_folder(events_can_be_followed_where_there_is_no_file),
        with_folder(the_store_has_the_events_where_there_is_no_file),
        with_studio(after_a_rename_the_old_file_is_written_until_reopened),
        with_studio(a_reopened_file_is_there_before_the_first_line),
        with_studio(reopening_may_change_what_is_wanted),
        with_folder(the_paths_are_the_recorders_own),
        with_studio(events_are_rotated_and_keys_are_not),
        with_folder(lines_for_a_full_disk_are_lost_and_counted),
        with_studio(a_disk_that_has_room_again_is_written_again),
        with_studio(a_line_that_was_cut_is_taken_back),
        with_studio(what_does_not_fit_into_a_feed_is_dropped_and_counted),
        with_studio(a_full_feed_leaves_the_others_alone),
        with_studio(threads_write_through_their_own_feeds),
        with_studio(a_threads_log_goes_through_its_feed_to_standard_error),
        with_studio(a_ping_is_answered_from_the_recorders_thread),
    };
    unsetenv("JOURNAL_STREAM");
    signal(SIGXFSZ, SIG_IGN);
    alarm(120); /* a recorder that never answers is a failure too */
    return cmocka_run_group_tests_name("event/recorder", tests, NULL, NULL);
}
