/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/log.h"

#include "log_capture.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../stand_in.h"

/* The longest text of a line; see log.c. */
#define TEXT_LIMIT 2048

static int start_capture(void **state)
{
    static struct log_capture capture;
    log_set_level(LOG_LEVEL_VERBOSE);
    log_capture_start(&capture);
    *state = &capture;
    return 0;
}

static int end_capture(void **state)
{
    (void)state;
    log_redirect(NULL, NULL);
    log_set_level(LOG_LEVEL_INFO);
    return 0;
}

/* ---- levels ---- */

static void a_line_names_its_level_if_something_is_wrong(void **state)
{
    const struct log_capture *capture = *state;
    log_error("no %s", "disk");
    log_warning("little %s", "disk");
    log_info("%d disks", 2);
    log_verbose("a disk");
    assert_string_equal(capture->text, "error: no disk\nwarning: little disk\n2 disks\na disk\n");
    assert_int_equal(capture->lines, 4);
}

static void log_one_of_each(void)
{
    log_error("e");
    log_warning("w");
    log_info("i");
    log_verbose("v");
}

static void a_level_shows_itself_and_all_above_it(void **state)
{
    static const char *const shown[] = {
        [LOG_LEVEL_ERROR] = "error: e\n",
        [LOG_LEVEL_WARNING] = "error: e\nwarning: w\n",
        [LOG_LEVEL_INFO] = "error: e\nwarning: w\ni\n",
        [LOG_LEVEL_VERBOSE] = "error: e\nwarning: w\ni\nv\n",
    };
    struct log_capture *capture = *state;
    for (int level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_VERBOSE; level++) {
        log_capture_start(capture);
        log_set_level((enum log_level)level);
        log_one_of_each();
        assert_string_equal(capture->text, shown[level]);
        for (int asked = LOG_LEVEL_ERROR; asked <= LOG_LEVEL_VERBOSE; asked++)
            assert_int_equal(log_shows((enum log_level)asked), asked <= level);
    }
}

/* ---- what is in a line ---- */

/* A name from the wire must not look like a line of ours, nor move the terminal's cursor. */
static void control_characters_are_escaped(void **state)
{
    const struct log_capture *capture = *state;
    log_info("sni %s", "a\nerror: b\r\t\x1b[2J\x01\x1f\x7f");
    assert_string_equal(capture->text, "sni a\\x0aerror: b\\x0d\\x09\\x1b[2J\\x01\\x1f\\x7f\n");
    assert_int_equal(capture->lines, 1);
}

static void all_other_text_stays_as_it_is(void **state)
{
    const struct log_capture *capture = *state;
    const char *text = " !\"#$%&'()*+,-./0:;<=>?@A[\\]^_`a{|}~ gr\xc3\xbc\xc3\x9f \xe2\x82\xac";
    log_info("%s", text);
    assert_memory_equal(capture->text, text, strlen(text));
    assert_int_equal(capture->length, strlen(text) + 1);
}

static void an_empty_line_is_a_line(void **state)
{
    const struct log_capture *capture = *state;
    log_info("%s", "");
    assert_string_equal(capture->text, "\n");
}

static void a_line_that_is_too_long_is_cut_and_still_ends(void **state)
{
    const struct log_capture *capture = *state;
    char text[3 * TEXT_LIMIT];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    log_error("%s", text);
    assert_int_equal(capture->lines, 1);
    assert_memory_equal(capture->text, "error: xxx", 10);
    assert_int_equal(capture->text[capture->length - 1], '\n');
    assert_in_range(capture->length, TEXT_LIMIT, TEXT_LIMIT + 64);
    assert_int_equal(strspn(capture->text + 7, "x"), capture->length - 8);
}

/* Escapes make the line four times as long: it is cut again, but never within one of them. */
static void an_escape_is_never_cut(void **state)
{
    const struct log_capture *capture = *state;
    char text[TEXT_LIMIT];
    for (size_t shift = 0; shift < 4; shift++) {
        log_capture_start(*state);
        memset(text, 'y', shift);
        memset(text + shift, '\n', sizeof(text) - shift - 1);
        text[sizeof(text) - 1] = '\0';
        log_info("%s", text);
        size_t escaped = capture->length - shift - 1;
        assert_int_equal(escaped % 4, 0);
        assert_in_range(escaped, TEXT_LIMIT - 4, TEXT_LIMIT + 64);
        for (size_t at = shift; at + 1 < capture->length; at += 4)
            assert_memory_equal(capture->text + at, "\\x0a", 4);
        assert_int_equal(capture->text[capture->length - 1], '\n');
    }
}

/* ---- where lines go ---- */

static void *log_in_thread(void *context)
{
    log_capture_start(context);
    log_info("from the thread");
    return NULL;
}

static void a_redirection_is_its_threads_own(void **state)
{
    struct log_capture theirs;
    const struct log_capture *ours = *state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, log_in_thread, &theirs), 0);
    pthread_join(thread, NULL);
    log_info("from here");
    assert_string_equal(theirs.text, "from the thread\n");
    assert_string_equal(ours->text, "from here\n");
}

static void without_a_redirection_lines_go_to_standard_error(void **state)
{
    struct log_capture *capture = *state;
    struct stand_in file;
    char text[256];
    replace_stderr(&file);
    log_redirect(NULL, NULL);
    log_error("no disk");
    log_redirect(log_capture_line, capture);
    log_error("no light");
    restore_stderr(&file, text, sizeof(text));
    assert_string_equal(text, "error: no disk\n");
    assert_string_equal(capture->text, "error: no light\n");
}

/* A journal reads the priority at the start. The answer is kept for the life of a process, so this
 * one is a process of its own. */
static void lines_for_the_journal_start_with_their_priority(void **state)
{
    (void)state;
    struct stand_in file;
    char text[256];
    int status = -1;
    replace_stderr(&file);
    pid_t child = fork();
    if (child == 0) {
        log_redirect(NULL, NULL);
        log_set_level(LOG_LEVEL_VERBOSE);
        setenv("JOURNAL_STREAM", "8:12345", 1);
        log_one_of_each();
        _exit(0);
    }
    pid_t ended = waitpid(child, &status, 0);
    restore_stderr(&file, text, sizeof(text));
    assert_true(child > 0 && ended == child && status == 0);
    assert_string_equal(text, "<3>error: e\n<4>warning: w\n<6>i\n<7>v\n");
}

#define THREADS 4
#define THREAD_LINES 250
#define THREAD_TEXT "the quick brown fox jumps over the lazy dog"

static void *log_many(void *context)
{
    for (int i = 0; i < THREAD_LINES; i++)
        log_info("%d " THREAD_TEXT " %d", *(int *)context, i);
    return NULL;
}

/* One thread changes the level meanwhile, among those that show these lines. */
static void *change_level(void *context)
{
    (void)context;
    for (int i = 0; i < THREAD_LINES; i++)
        log_set_level(i % 2 == 0 ? LOG_LEVEL_INFO : LOG_LEVEL_VERBOSE);
    return NULL;
}

static void log_from_all_threads(void)
{
    pthread_t threads[THREADS], changing;
    int numbers[THREADS];
    pthread_create(&changing, NULL, change_level, NULL);
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        pthread_create(&threads[i], NULL, log_many, &numbers[i]);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    pthread_join(changing, NULL);
}

static void lines_of_threads_never_mix(void **state)
{
    (void)state;
    static char text[THREADS * THREAD_LINES * 80];
    struct stand_in file;
    int next[THREADS] = {0}, wrong = 0;
    replace_stderr(&file);
    log_from_all_threads();
    restore_stderr(&file, text, sizeof(text));
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        int thread = *line - '0';
        char expected[80];
        assert_in_range(thread, 0, THREADS - 1);
        snprintf(expected, sizeof(expected), "%d " THREAD_TEXT " %d", thread, next[thread]++);
        wrong += strcmp(line, expected) != 0;
    }
    assert_int_equal(wrong, 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(next[i], THREAD_LINES);
}

#define captured(test) cmocka_unit_test_setup_teardown(test, start_capture, end_capture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* First, while nobody here has asked yet for whom lines are. */
        captured(lines_for_the_journal_start_with_their_priority),
        captured(a_line_names_its_level_if_something_is_wrong),
        captured(a_level_shows_itself_and_all_above_it),
        captured(control_characters_are_escaped),
        captured(all_other_text_stays_as_it_is),
        captured(an_empty_line_is_a_line),
        captured(a_line_that_is_too_long_is_cut_and_still_ends),
        captured(an_escape_is_never_cut),
        captured(a_redirection_is_its_threads_own),
        captured(without_a_redirection_lines_go_to_standard_error),
        captured(lines_of_threads_never_mix),
    };
    unsetenv("JOURNAL_STREAM");
    return cmocka_run_group_tests_name("core/log", tests, NULL, NULL);
}
