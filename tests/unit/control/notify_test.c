/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/notify.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

/* A service manager that listens at a path, and in the abstract namespace. */
struct manager {
    char directory[32], path[64], abstract_name[64];
    int at_path, at_name;
};

static int listen_at(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    memcpy(address.sun_path, name, strlen(name));
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
    return bind(fd, (struct sockaddr *)&address, length) == 0 ? fd : -1;
}

static int make_manager(void **state)
{
    static struct manager manager;
    strcpy(manager.directory, "/tmp/notify_test.XXXXXX");
    if (mkdtemp(manager.directory) == NULL)
        return -1;
    snprintf(manager.path, sizeof(manager.path), "%s/notify", manager.directory);
    snprintf(manager.abstract_name, sizeof(manager.abstract_name), "@notify_test.%d",
             (int)getpid());
    manager.at_path = listen_at(manager.path);
    manager.at_name = listen_at(manager.abstract_name);
    *state = &manager;
    return manager.at_path >= 0 && manager.at_name >= 0 ? 0 : -1;
}

static int drop_manager(void **state)
{
    const struct manager *manager = *state;
    close(manager->at_path);
    close(manager->at_name);
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    return unlink(manager->path) == 0 ? rmdir(manager->directory) : -1;
}

static void assert_told(int fd, const char *expected)
{
    char text[1024];
    ssize_t length = recv(fd, text, sizeof(text) - 1, 0);
    assert_true(length >= 0);
    text[length] = '\0';
    assert_string_equal(text, expected);
}

static void assert_told_nothing(int fd)
{
    char byte;
    assert_int_equal(recv(fd, &byte, 1, 0), -1);
    assert_int_equal(errno, EAGAIN);
}

static size_t told_length(int fd)
{
    char text[4096];
    ssize_t length = recv(fd, text, sizeof(text), 0);
    return length > 0 ? (size_t)length : 0;
}

/* ---- telling ---- */

static void a_manager_at_a_path_is_told(void **state)
{
    const struct manager *manager = *state;
    setenv("NOTIFY_SOCKET", manager->path, 1);
    notify("READY=1");
    notify("STATUS=%d patterns of %s\nWATCHDOG=1", 3, "ignore.list");
    assert_told(manager->at_path, "READY=1");
    assert_told(manager->at_path, "STATUS=3 patterns of ignore.list\nWATCHDOG=1");
    assert_told_nothing(manager->at_path);
    assert_told_nothing(manager->at_name);
}

static void a_manager_in_the_abstract_namespace_is_told(void **state)
{
    const struct manager *manager = *state;
    setenv("NOTIFY_SOCKET", manager->abstract_name, 1);
    notify("RELOADING=1\nMONOTONIC_USEC=%llu", 12345678901ULL);
    assert_told(manager->at_name, "RELOADING=1\nMONOTONIC_USEC=12345678901");
    assert_told_nothing(manager->at_path);
}

/* Without a manager, at a wrong address, or when it has gone: all the same. */
static void where_nobody_listens_nothing_happens(void **state)
{
    const struct manager *manager = *state;
    char missing[128], longest[300];
    unsetenv("NOTIFY_SOCKET");
    notify("READY=1");
    snprintf(missing, sizeof(missing), "%s/missing", manager->directory);
    memset(longest, 'x', sizeof(longest) - 1);
    longest[0] = '/';
    longest[sizeof(longest) - 1] = '\0';
    const char *const wrong[] = {"", "/", "@", "notify", missing, longest, manager->directory};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        setenv("NOTIFY_SOCKET", wrong[i], 1);
        notify("READY=1");
    }
    assert_told_nothing(manager->at_path);
    assert_told_nothing(manager->at_name);
}

static void a_text_that_is_too_long_is_cut(void **state)
{
    const struct manager *manager = *state;
    char text[2000];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    setenv("NOTIFY_SOCKET", manager->path, 1);
    notify("STATUS=%s", text);
    assert_in_range(told_length(manager->at_path), 256, sizeof(text));
}

static void telling_leaves_no_descriptor_open(void **state)
{
    const struct manager *manager = *state;
    setenv("NOTIFY_SOCKET", manager->path, 1);
    int before = dup(manager->at_path);
    close(before);
    notify("READY=1");
    int after = dup(manager->at_path);
    close(after);
    assert_int_equal(after, before);
}

/* ---- the watchdog ---- */

static void the_watchdogs_interval_is_told_in_ms(void **state)
{
    (void)state;
    setenv("WATCHDOG_USEC", "30000000", 1);
    assert_int_equal(notify_watchdog_ms(), 30000);
    setenv("WATCHDOG_USEC", "1500", 1);
    assert_int_equal(notify_watchdog_ms(), 1);
}

static void without_a_watchdog_there_is_no_interval(void **state)
{
    (void)state;
    unsetenv("WATCHDOG_USEC");
    assert_int_equal(notify_watchdog_ms(), 0);
    setenv("WATCHDOG_USEC", "", 1);
    assert_int_equal(notify_watchdog_ms(), 0);
    setenv("WATCHDOG_USEC", "soon", 1);
    assert_int_equal(notify_watchdog_ms(), 0);
}

/* A parent's environment may have been passed on to us. */
static void another_processs_watchdog_is_not_ours(void **state)
{
    (void)state;
    char process[32];
    setenv("WATCHDOG_USEC", "30000000", 1);
    snprintf(process, sizeof(process), "%d", (int)getpid());
    setenv("WATCHDOG_PID", process, 1);
    assert_int_equal(notify_watchdog_ms(), 30000);
    snprintf(process, sizeof(process), "%d", (int)getppid());
    setenv("WATCHDOG_PID", process, 1);
    assert_int_equal(notify_watchdog_ms(), 0);
}

#define with_manager(test) cmocka_unit_test_setup_teardown(test, make_manager, drop_manager)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_manager(a_manager_at_a_path_is_told),
        with_manager(a_manager_in_the_abstract_namespace_is_told),
        with_manager(where_nobody_listens_nothing_happens),
        with_manager(a_text_that_is_too_long_is_cut),
        with_manager(telling_leaves_no_descriptor_open),
        with_manager(the_watchdogs_interval_is_told_in_ms),
        with_manager(without_a_watchdog_there_is_no_interval),
        with_manager(another_processs_watchdog_is_not_ours),
    };
    unsetenv("WATCHDOG_PID");
    return cmocka_run_group_tests_name("control/notify", tests, NULL, NULL);
}
