/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- every test has an empty directory, and is in it ---- */

static char directory[PATH_MAX];
static mode_t old_mask;

static int enter_directory(void **state)
{
    (void)state;
    old_mask = umask(022);
    strcpy(directory, "/tmp/file_test.XXXXXX");
    return mkdtemp(directory) != NULL && chdir(directory) == 0 ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status, (void)type, (void)where;
    return remove(path);
}

static int leave_directory(void **state)
{
    (void)state;
    umask(old_mask);
    return chdir("/") == 0 ? nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS) : -1;
}

static void put_file(const char *path, const char *content)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs(content, file);
    assert_int_equal(fclose(file), 0);
}

static void assert_content(const char *path, const void *content, size_t length)
{
    size_t read_length = SIZE_MAX;
    char *read_content = file_read(path, &read_length);
    assert_non_null(read_content);
    assert_int_equal(read_length, length);
    assert_memory_equal(read_content, content, length);
    free(read_content);
}

static void assert_text_in(const char *path, const char *text)
{
    assert_content(path, text, strlen(text));
}

static void assert_mode(const char *path, mode_t mode)
{
    struct stat status;
    assert_int_equal(lstat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, mode);
}

/* Nothing temporary may be left behind. */
static void assert_entries(size_t expected)
{
    size_t count = 0;
    DIR *entries = opendir(".");
    assert_non_null(entries);
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(entries);
    assert_int_equal(count, expected);
}

static void assert_not_readable(const char *path, int error)
{
    size_t length;
    errno = 0;
    assert_null(file_read(path, &length));
    assert_int_equal(errno, error);
}

/* ---- reading ---- */

static void a_file_is_read_whole_with_a_nul_behind(void **state)
{
    (void)state;
    static const char content[] = "a\0b\nc\xff";
    size_t length = 0;
    assert_true(file_replace("file", content, 6, 0600));
    char *read_content = file_read("file", &length);
    assert_non_null(read_content);
    assert_int_equal(length, 6);
    assert_memory_equal(read_content, content, 7);
    free(read_content);
}

static void an_empty_file_is_an_empty_text(void **state)
{
    (void)state;
    size_t length = 1;
    put_file("empty", "");
    char *content = file_read("empty", &length);
    assert_non_null(content);
    assert_int_equal(length, 0);
    assert_string_equal(content, "");
    free(content);
}

/* As the files in /proc are; lengths around those at which the buffer grows. */
static void what_does_not_tell_its_size_is_read_whole(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 4095, 4096, 4097, 8191, 8192, 8193, 20000};
    static char content[20000];
    for (size_t i = 0; i < sizeof(content); i++)
        content[i] = (char)(i * 7 + i / 256);
    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        int ends[2];
        char path[64];
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        assert_int_equal(write(ends[1], content, lengths[i]), (ssize_t)lengths[i]);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[0]);
        close(ends[1]);
        assert_content(path, content, lengths[i]);
        close(ends[0]);
    }
}

static void what_is_not_there_is_not_read(void **state)
{
    (void)state;
    put_file("file", "");
    assert_not_readable("missing", ENOENT);
    assert_not_readable("file/below", ENOTDIR);
    assert_not_readable("", ENOENT);
}

static void a_directory_is_not_read(void **state)
{
    (void)state;
    assert_not_readable(".", EISDIR);
}

static void a_file_over_the_limit_is_not_read(void **state)
{
    (void)state;
    put_file("large", "");
    assert_int_equal(truncate("large", (off_t)FILE_SIZE_LIMIT + 1), 0);
    assert_not_readable("large", EFBIG);
}

static void a_file_without_an_end_is_given_up(void **state)
{
    (void)state;
    assert_not_readable("/dev/zero", EFBIG);
}

/* ---- replacing ---- */

static void replacing_makes_the_file_or_its_content_new(void **state)
{
    (void)state;
    assert_true(file_replace("file", "a longer text", 13, 0644));
    assert_text_in("file", "a longer text");
    assert_true(file_replace("file", "short", 5, 0644));
    assert_text_in("file", "short");
    assert_true(file_replace("file", NULL, 0, 0644));
    assert_text_in("file", "");
    assert_entries(1);
}

static void the_mode_is_the_one_asked_for(void **state)
{
    (void)state;
    umask(077);
    assert_true(file_replace("file", "x", 1, 0644));
    assert_mode("file", 0644);
    umask(0);
    assert_true(file_replace("file", "x", 1, 0600));
    assert_mode("file", 0600);
    assert_true(file_create("other", "x", 1, 0640));
    assert_mode("other", 0640);
}

static void whoever_reads_the_old_file_reads_it_to_its_end(void **state)
{
    (void)state;
    char text[16] = "";
    put_file("file", "old content");
    int fd = open("file", O_RDONLY | O_CLOEXEC);
    assert_true(file_replace("file", "new", 3, 0600));
    assert_int_equal(read(fd, text, sizeof(text)), 11);
    assert_string_equal(text, "old content");
    close(fd);
}

static void megabytes_are_written_whole(void **state)
{
    (void)state;
    size_t length = ((size_t)5 << 20) + 1;
    char *content = malloc(length);
    assert_non_null(content);
    for (size_t i = 0; i < length; i++)
        content[i] = (char)(i * 7 + i / 256);
    assert_true(file_replace("file", content, length, 0600));
    assert_content("file", content, length);
    free(content);
}

/* A file size limit is the full disk that needs no root. */
static void limit_file_size(rlim_t size)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = size < limit.rlim_max ? size : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_full_disk_leaves_the_file_as_it_was(void **state)
{
    (void)state;
    static const char content[4000];
    put_file("file", "old");
    signal(SIGXFSZ, SIG_IGN);
    limit_file_size(1000);
    errno = 0;
    bool replaced = file_replace("file", content, sizeof(content), 0600);
    int replace_error = errno;
    bool created = file_create("other", content, sizeof(content), 0600);
    int create_error = errno;
    limit_file_size(RLIM_INFINITY);
    assert_false(replaced);
    assert_int_equal(replace_error, EFBIG);
    assert_false(created);
    assert_int_equal(create_error, EFBIG);
    assert_text_in("file", "old");
    assert_entries(1);
}

static void a_directory_is_not_replaced(void **state)
{
    (void)state;
    assert_int_equal(mkdir("sub", 0755), 0);
    errno = 0;
    assert_false(file_replace("sub", "x", 1, 0600));
    assert_int_equal(errno, EISDIR);
    assert_entries(1);
}

static void a_file_in_no_directory_is_not_written(void **state)
{
    (void)state;
    errno = 0;
    assert_false(file_replace("missing/file", "x", 1, 0600));
    assert_int_equal(errno, ENOENT);
    errno = 0;
    assert_false(file_create("missing/file", "x", 1, 0600));
    assert_int_equal(errno, ENOENT);
    assert_entries(0);
}

/* The name beside it has to fit too. */
static void a_name_that_is_too_long_is_not_written(void **state)
{
    (void)state;
    char path[PATH_MAX];
    for (size_t i = 0; i + 1 < sizeof(path); i++)
        path[i] = i % 2 == 0 ? '.' : '/';
    path[sizeof(path) - 1] = '\0';
    errno = 0;
    assert_false(file_replace(path, "x", 1, 0600));
    assert_int_equal(errno, ENAMETOOLONG);
}

/* Somebody may have guessed the temporary name, and put a link there to a file of ours. */
static void a_planted_link_is_not_written_through(void **state)
{
    (void)state;
    char temporary[64];
    put_file("victim", "precious");
    snprintf(temporary, sizeof(temporary), "file.new-%d", (int)getpid());
    assert_int_equal(symlink("victim", temporary), 0);
    assert_true(file_replace("file", "new", 3, 0600));
    assert_text_in("victim", "precious");
    assert_text_in("file", "new");
    assert_entries(2);
}

/* ---- creating ---- */

static void creating_makes_a_file(void **state)
{
    (void)state;
    assert_true(file_create("file", "new", 3, 0600));
    assert_text_in("file", "new");
    assert_mode("file", 0600);
    assert_entries(1);
}

static void creating_never_replaces(void **state)
{
    (void)state;
    put_file("file", "old");
    errno = 0;
    assert_false(file_create("file", "new", 3, 0600));
    assert_int_equal(errno, EEXIST);
    assert_text_in("file", "old");
    assert_entries(1);
}

static void creating_never_replaces_a_link_that_leads_nowhere(void **state)
{
    (void)state;
    assert_int_equal(symlink("nowhere", "file"), 0);
    errno = 0;
    assert_false(file_create("file", "new", 3, 0600));
    assert_int_equal(errno, EEXIST);
    assert_int_equal(access("nowhere", F_OK), -1);
    assert_entries(1);
}

/* ---- parents ---- */

static void all_parents_are_made_but_not_the_file(void **state)
{
    (void)state;
    assert_true(file_make_parents("a/b/c/file", 0700));
    assert_mode("a", 0700);
    assert_mode("a/b/c", 0700);
    assert_int_equal(access("a/b/c/file", F_OK), -1);
    assert_true(file_replace("a/b/c/file", "x", 1, 0600));
}

static void an_absolute_path_has_its_parents_made(void **state)
{
    (void)state;
    char path[PATH_MAX + 16];
    snprintf(path, sizeof(path), "%s/a/b/file", directory);
    assert_true(file_make_parents(path, 0755));
    assert_int_equal(access("a/b", F_OK), 0);
    assert_true(file_make_parents("/file", 0755));
}

static void parents_that_are_there_stay_as_they_are(void **state)
{
    (void)state;
    assert_int_equal(mkdir("a", 0711), 0);
    put_file("a/file", "old");
    assert_true(file_make_parents("a/b/file", 0700));
    assert_true(file_make_parents("a/b/file", 0700));
    assert_mode("a", 0711);
    assert_text_in("a/file", "old");
}

static void a_bare_name_needs_no_parents(void **state)
{
    (void)state;
    assert_true(file_make_parents("file", 0755));
    assert_entries(0);
}

static void doubled_slashes_change_nothing(void **state)
{
    (void)state;
    assert_true(file_make_parents("a//b///file", 0755));
    assert_int_equal(access("a/b", F_OK), 0);
    assert_entries(1);
}

static void a_file_among_the_parents_is_an_error(void **state)
{
    (void)state;
    put_file("file", "old");
    errno = 0;
    assert_false(file_make_parents("file/b/c", 0755));
    assert_int_equal(errno, ENOTDIR);
    assert_text_in("file", "old");
}

static void parents_with_too_long_a_path_are_not_made(void **state)
{
    (void)state;
    char path[PATH_MAX + 2];
    memset(path, 'a', sizeof(path) - 1);
    path[1] = '/';
    path[sizeof(path) - 1] = '\0';
    errno = 0;
    assert_false(file_make_parents(path, 0755));
    assert_int_equal(errno, ENAMETOOLONG);
    assert_entries(0);
}

#define in_directory(test) cmocka_unit_test_setup_teardown(test, enter_directory, leave_directory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_directory(a_file_is_read_whole_with_a_nul_behind),
        in_directory(an_empty_file_is_an_empty_text),
        in_directory(what_does_not_tell_its_size_is_read_whole),
        in_directory(what_is_not_there_is_not_read),
        in_directory(a_directory_is_not_read),
        in_directory(a_file_over_the_limit_is_not_read),
        in_directory(a_file_without_an_end_is_given_up),
        in_directory(replacing_makes_the_file_or_its_content_new),
        in_directory(the_mode_is_the_one_asked_for),
        in_directory(whoever_reads_the_old_file_reads_it_to_its_end),
        in_directory(megabytes_are_written_whole),
        in_directory(a_full_disk_leaves_the_file_as_it_was),
        in_directory(a_directory_is_not_replaced),
        in_directory(a_file_in_no_directory_is_not_written),
        in_directory(a_name_that_is_too_long_is_not_written),
        in_directory(a_planted_link_is_not_written_through),
        in_directory(creating_makes_a_file),
        in_directory(creating_never_replaces),
        in_directory(creating_never_replaces_a_link_that_leads_nowhere),
        in_directory(all_parents_are_made_but_not_the_file),
        in_directory(an_absolute_path_has_its_parents_made),
        in_directory(parents_that_are_there_stay_as_they_are),
        in_directory(a_bare_name_needs_no_parents),
        in_directory(doubled_slashes_change_nothing),
        in_directory(a_file_among_the_parents_is_an_error),
        in_directory(parents_with_too_long_a_path_are_not_made),
    };
    return cmocka_run_group_tests_name("core/file", tests, NULL, NULL);
}
