/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The loopback interface is all the network that is needed, and root all the rights. */
#include "conn/dial.h"
#include "pairs.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- a listener, or what once was one ---- */

static struct address parsed(const char *text)
{
    struct address address;
    if (!address_parse(&address, text))
        fail_msg("%s is no address", text);
    return address;
}

/* Its port is the kernel's choice and written to `address`. */
static int listen_at(struct address *address)
{
    struct sockaddr_storage local;
    socklen_t length = address_to_sockaddr(address, &local);
    int fd = socket(address->family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&local, length), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&local, &length), 0);
    assert_true(address_from_sockaddr(address, &local));
    return fd;
}

static int option_of(int fd, int level, int option)
{
    int value = -1;
    socklen_t length = sizeof(value);
    assert_int_equal(getsockopt(fd, level, option, &value, &length), 0);
    return value;
}

static int wait_for_result(int fd)
{
    struct pollfd decided = {.fd = fd, .events = POLLOUT};
    assert_int_equal(poll(&decided, 1, 60000), 1);
    return dial_result(fd);
}

/* ---- connecting ---- */

static void assert_connects(const char *text)
{
    struct address address = parsed(text);
    int listener = listen_at(&address);
    int fd = dial_start(&address, NULL);
    assert_true(fd >= 0);
    assert_int_equal(wait_for_result(fd), 0);
    int peer = accept(listener, NULL, NULL);
    assert_true(peer >= 0);
    char heard[8] = "";
    assert_int_equal(send(fd, "hello", 5, MSG_NOSIGNAL), 5);
    assert_int_equal(recv(peer, heard, sizeof(heard), 0), 5);
    assert_string_equal(heard, "hello");
    close(peer);
    close(fd);
    close(listener);
}

static void an_origin_with_an_ipv4_address_is_reached(void **state)
{
    (void)state;
    assert_connects("127.0.0.1:0");
}

static void an_origin_with_an_ipv6_address_is_reached(void **state)
{
    (void)state;
    assert_connects("[::1]:0");
}

/* Nobody may wait for it, and no child may inherit it. */
static void the_socket_does_not_block_and_is_closed_on_exec(void **state)
{
    (void)state;
    struct address address = parsed("127.0.0.1:0");
    char byte;
    int listener = listen_at(&address);
    int fd = dial_start(&address, NULL);
    assert_true(fd >= 0);
    assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    assert_int_equal(wait_for_result(fd), 0);
    assert_int_equal(recv(fd, &byte, 1, 0), -1);
    assert_int_equal(errno, EAGAIN);
    close(fd);
    close(listener);
}

/* Loopback is so quick that the kernel may know at once. */
static void an_origin_that_refuses_is_told_as_such(void **state)
{
    (void)state;
    struct address address = parsed("127.0.0.1:0");
    int listener = listen_at(&address);
    close(listener);
    errno = 0;
    int fd = dial_start(&address, NULL);
    assert_int_equal(fd >= 0 ? wait_for_result(fd) : errno, ECONNREFUSED);
    if (fd >= 0)
        close(fd);
}

static void what_can_never_be_reached_is_told_at_once(void **state)
{
    (void)state;
    struct address broadcast = parsed("255.255.255.255:443"), none = {0};
    size_t before = open_descriptors();
    errno = 0;
    assert_int_equal(dial_start(&broadcast, NULL), -1);
    assert_true(errno == EACCES || errno == ENETUNREACH); /* the latter without any route */
    errno = 0;
    assert_int_equal(dial_start(&none, NULL), -1);
    assert_int_equal(errno, EAFNOSUPPORT);
    assert_int_equal(open_descriptors(), before);
}

static void a_result_is_told_also_of_what_is_no_socket(void **state)
{
    (void)state;
    int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(dial_result(file), ENOTSOCK);
    close(file);
    assert_int_equal(dial_result(-1), EBADF);
}

/* ---- the source address ---- */

/* Somebody else connects from this address, as a device does; `source` gets the port, too. */
static int connect_from(struct address *source, const struct address *origin)
{
    struct sockaddr_storage local, remote;
    socklen_t length = address_to_sockaddr(source, &local);
    int fd = socket(source->family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&local, length), 0);
    length = address_to_sockaddr(origin, &remote);
    assert_int_equal(connect(fd, (struct sockaddr *)&remote, length), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&local, &length), 0);
    assert_true(address_from_sockaddr(source, &local));
    return fd;
}

/* Also while the device's own port is in use between the same two hosts. */
static void the_origin_sees_the_address_that_was_asked_for(void **state)
{
    (void)state;
    struct address address = parsed("127.0.0.1:0"), source = parsed("127.0.0.77:0"), seen;
    struct sockaddr_storage remote;
    socklen_t length = sizeof(remote);
    int listener = listen_at(&address);
    int device = connect_from(&source, &address);
    close(accept(listener, NULL, NULL));
    int fd = dial_start(&address, &source);
    assert_true(fd >= 0);
    assert_int_equal(wait_for_result(fd), 0);
    int peer = accept(listener, (struct sockaddr *)&remote, &length);
    assert_true(peer >= 0);
    assert_true(address_from_sockaddr(&seen, &remote));
    assert_true(address_same_ip(&seen, &source));
    close(device);
    close(peer);
    close(fd);
    close(listener);
}

/* Either of two capabilities is right enough (ip(7), IP_TRANSPARENT). */
static void change_right_to_be_transparent(capng_act_t change)
{
    assert_int_equal(capng_get_caps_process(), 0);
    assert_int_equal(capng_updatev(change, CAPNG_EFFECTIVE, CAP_NET_ADMIN, CAP_NET_RAW, -1), 0);
    assert_int_equal(capng_apply(CAPNG_SELECT_CAPS), 0);
}

static void without_the_right_to_a_source_address_nothing_is_dialled(void **state)
{
    (void)state;
    struct address address = parsed("127.0.0.1:0"), source = parsed("127.0.0.77:50012");
    int listener = listen_at(&address);
    size_t before = open_descriptors();
    change_right_to_be_transparent(CAPNG_DROP);
    errno = 0;
    int fd = dial_start(&address, &source), error = errno;
    change_right_to_be_transparent(CAPNG_ADD);
    assert_int_equal(fd, -1);
    assert_int_equal(error, EPERM);
    assert_int_equal(open_descriptors(), before);
    close(listener);
}

/* An IPv6 source for an IPv4 origin; the option, or then the bind, says no. */
static void a_source_of_the_other_family_is_refused(void **state)
{
    (void)state;
    struct address address = parsed("127.0.0.1:443"), source = parsed("[::1]:50012");
    size_t before = open_descriptors();
    assert_int_equal(dial_start(&address, &source), -1);
    assert_int_equal(open_descriptors(), before);
}

/* ---- tuning ---- */

static void assert_tuned(int fd)
{
    assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_NODELAY), 1);
    assert_int_equal(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
    int given_up_after =
        option_of(fd, IPPROTO_TCP, TCP_KEEPIDLE) +
        option_of(fd, IPPROTO_TCP, TCP_KEEPINTVL) * option_of(fd, IPPROTO_TCP, TCP_KEEPCNT);
    assert_int_equal(given_up_after, 15 * 60);
}

static void small_writes_go_at_once_and_lost_peers_are_noticed(void **state)
{
    (void)state;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    dial_tune(fd);
    assert_tuned(fd);
    close(fd);
}

static void a_dialled_socket_is_tuned(void **state)
{
    (void)state;
    struct address address = parsed("127.0.0.1:0");
    int listener = listen_at(&address);
    int fd = dial_start(&address, NULL);
    assert_true(fd >= 0);
    assert_tuned(fd);
    close(fd);
    close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_origin_with_an_ipv4_address_is_reached),
        cmocka_unit_test(an_origin_with_an_ipv6_address_is_reached),
        cmocka_unit_test(the_socket_does_not_block_and_is_closed_on_exec),
        cmocka_unit_test(an_origin_that_refuses_is_told_as_such),
        cmocka_unit_test(what_can_never_be_reached_is_told_at_once),
        cmocka_unit_test(a_result_is_told_also_of_what_is_no_socket),
        cmocka_unit_test(the_origin_sees_the_address_that_was_asked_for),
        cmocka_unit_test(without_the_right_to_a_source_address_nothing_is_dialled),
        cmocka_unit_test(a_source_of_the_other_family_is_refused),
        cmocka_unit_test(small_writes_go_at_once_and_lost_peers_are_noticed),
        cmocka_unit_test(a_dialled_socket_is_tuned),
    };
    return cmocka_run_group_tests_name("conn/dial", tests, NULL, NULL);
}
