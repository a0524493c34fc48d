/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A transparent listener needs a privilege that tests do without: what is accepted from is an
 * ordinary one, on the loopback interface. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gate/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

static struct address address_of(const char *text)
{
    struct address address;
    assert_true(address_parse(&address, text));
    return address;
}

static struct address own_address(int fd)
{
    struct sockaddr_storage name;
    socklen_t length = sizeof(name);
    struct address address;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &length), 0);
    assert_true(address_from_sockaddr(&address, &name));
    return address;
}

/* Listens on any port of the address; -1 if this machine has no such address. */
static int listen_on(const char *text)
{
    const struct address address = address_of(text);
    struct sockaddr_storage name;
    const int off = 0;
    socklen_t length = address_to_sockaddr(&address, &name);
    int fd = socket(address.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (address.family == AF_INET6) /* IPv4 too */
        (void)setsockopt(fd, SOL_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (bind(fd, (struct sockaddr *)&name, length) == 0 && listen(fd, 4) == 0)
        return fd;
    close(fd);
    return -1;
}

static int connect_to(const struct address *address)
{
    struct sockaddr_storage name;
    socklen_t length = address_to_sockaddr(address, &name);
    int fd = socket(address->family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&name, length), 0);
    return fd;
}

static void wait_for_connection(int listener)
{
    struct pollfd poll_for = {.fd = listener, .events = POLLIN};
    assert_int_equal(poll(&poll_for, 1, 10000), 1);
}

static void assert_same(const struct address *a, const struct address *b)
{
    assert_true(address_same_ip(a, b));
    assert_int_equal(a->port, b->port);
}

static void a_connection_comes_with_both_its_addresses(void **state)
{
    (void)state;
    struct address device, origin;
    int listener = listen_on("127.0.0.1:0");
    assert_true(listener >= 0);
    const struct address local = own_address(listener);
    int client = connect_to(&local);
    const struct address peer = own_address(client);
    wait_for_connection(listener);
    int fd = listener_accept(listener, &device, &origin);
    assert_true(fd >= 0);
    assert_same(&device, &peer);
    assert_same(&origin, &local);
    close(fd);
    close(client);
    close(listener);
}

static void an_accepted_socket_does_not_block_and_is_not_inherited(void **state)
{
    (void)state;
    struct address device, origin;
    int listener = listen_on("127.0.0.1:0");
    assert_true(listener >= 0);
    const struct address local = own_address(listener);
    int client = connect_to(&local);
    wait_for_connection(listener);
    int fd = listener_accept(listener, &device, &origin);
    assert_true(fd >= 0);
    assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    char byte;
    assert_int_equal(recv(fd, &byte, 1, 0), -1);
    assert_int_equal(errno, EAGAIN);
    close(fd);
    close(client);
    close(listener);
}

static void an_ipv4_connection_to_an_ipv6_listener_is_ipv4(void **state)
{
    (void)state;
    struct address device, origin, local = address_of("127.0.0.1:0");
    int listener = listen_on("[::]:0");
    assert_true(listener >= 0);
    local.port = own_address(listener).port;
    int client = connect_to(&local);
    const struct address peer = own_address(client);
    wait_for_connection(listener);
    int fd = listener_accept(listener, &device, &origin);
    assert_true(fd >= 0);
    assert_int_equal(device.family, AF_INET);
    assert_same(&device, &peer);
    assert_same(&origin, &local);
    close(fd);
    close(client);
    close(listener);
}

static void without_a_connection_there_is_nothing_to_accept(void **state)
{
    (void)state;
    struct address device, origin;
    int listener = listen_on("127.0.0.1:0");
    assert_true(listener >= 0);
    assert_int_equal(listener_accept(listener, &device, &origin), -1);
    assert_int_equal(errno, EAGAIN);
    close(listener);
    assert_int_equal(listener_accept(-1, &device, &origin), -1);
    assert_int_equal(errno, EBADF);
}

static void the_loopback_addresses_are_ours(void **state)
{
    (void)state;
    struct address address = address_of("127.0.0.1:0");
    assert_true(listener_address_is_ours(&address));
    address = address_of("127.255.255.254:443");
    assert_true(listener_address_is_ours(&address));
    address = address_of("[::1]:0");
    assert_true(listener_address_is_ours(&address));
}

static bool may_bind_to_any_address(void)
{
    char text[2] = "";
    int fd = open("/proc/sys/net/ipv4/ip_nonlocal_bind", O_RDONLY | O_CLOEXEC);
    bool may = fd >= 0 && read(fd, text, 1) == 1 && text[0] != '0';
    if (fd >= 0)
        close(fd);
    return may;
}

/* From the ranges that RFC 5737 and RFC 3849 keep for documents. */
static void the_addresses_of_documents_are_not_ours(void **state)
{
    (void)state;
    static const char *const addresses[] = {"192.0.2.1:0", "198.51.100.255:443",
                                            "203.0.113.7:65535", "[2001:db8::1]:0",
                                            "[2001:db8:ffff::1]:443"};
    assert_false(may_bind_to_any_address()); /* no more could be told from it then */
    for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
        const struct address address = address_of(addresses[i]);
        assert_false(listener_address_is_ours(&address));
    }
}

/* The address counts: its port may be taken, or be one that only root may have. */
static void a_port_that_is_taken_changes_nothing(void **state)
{
    (void)state;
    int listener = listen_on("127.0.0.1:0");
    assert_true(listener >= 0);
    struct address address = own_address(listener);
    assert_true(listener_address_is_ours(&address));
    address.port = 1;
    assert_true(listener_address_is_ours(&address));
    assert_int_equal(address.port, 1);
    close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_comes_with_both_its_addresses),
        cmocka_unit_test(an_accepted_socket_does_not_block_and_is_not_inherited),
        cmocka_unit_test(an_ipv4_connection_to_an_ipv6_listener_is_ipv4),
        cmocka_unit_test(without_a_connection_there_is_nothing_to_accept),
        cmocka_unit_test(the_loopback_addresses_are_ours),
        cmocka_unit_test(the_addresses_of_documents_are_not_ours),
        cmocka_unit_test(a_port_that_is_taken_changes_nothing),
    };
    return cmocka_run_group_tests_name("gate/listener", tests, NULL, NULL);
}
