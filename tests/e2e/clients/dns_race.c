/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * dns_race RESOLVER COUNT FIRST FAMILY [SECOND]: asks for the addresses of nFIRST.race.test and so
 * on, and sends a SYN to port 443 of each the moment it is told. With SECOND, a number, each name
 * is followed by the one whose number is larger by that, once the first one's connection is there.
 * Prints the mean time that an answer took, in microseconds. */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static double now_us(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

/* A query for one name: nNUMBER.race.test. Returns its length. */
static size_t make_query(uint8_t *query, unsigned number, int ipv6)
{
    char label[16];
    const uint8_t rest[] = "\4race\4test";
    size_t length = (size_t)snprintf(label, sizeof(label), "n%u", number), at = 12;
    memset(query, 0, 12);
    query[0] = (uint8_t)(number >> 8);
    query[1] = (uint8_t)number;
    query[2] = 1; /* recursion desired */
    query[5] = 1; /* one question */
    query[at++] = (uint8_t)length;
    memcpy(query + at, label, length);
    at += length;
    memcpy(query + at, rest, sizeof(rest)); /* with the root behind */
    at += sizeof(rest);
    query[at++] = 0;
    query[at++] = ipv6 ? 28 : 1;
    query[at++] = 0;
    query[at++] = 1;
    return at;
}

/* Waits until it is answered, or not. */
static void send_syn(const uint8_t *address, int ipv6, int waits)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(443)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(443)};
    memcpy(ipv6 ? (void *)&v6.sin6_addr : (void *)&v4.sin_addr, address, ipv6 ? 16 : 4);
    int fd = socket(ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | (waits ? 0 : SOCK_NONBLOCK), 0);
    if (fd < 0)
        fail("socket");
    (void)!connect(fd, ipv6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4,
                   ipv6 ? sizeof(v6) : sizeof(v4));
    close(fd);
}

/* Resolves a name and connects. Returns the time that the answer took, in microseconds. */
static double race(int fd, unsigned number, int ipv6, int waits)
{
    const size_t size = ipv6 ? 16 : 4;
    uint8_t query[64], answer[512];
    size_t length = make_query(query, number, ipv6);
    double start = now_us();
    if (send(fd, query, length, 0) < 0)
        fail("send");
    ssize_t got = recv(fd, answer, sizeof(answer), 0);
    double waited = now_us() - start;
    if (got < (ssize_t)(length + size))
        fail("answer");
    send_syn(answer + got - size, ipv6, waits); /* the address is the last thing in it */
    return waited;
}

int main(int argc, char **argv)
{
    struct sockaddr_in resolver = {.sin_family = AF_INET, .sin_port = htons(53)};
    struct timeval timeout = {.tv_sec = 30};
    double waited = 0;
    if (argc < 5 || argc > 6 || inet_pton(AF_INET, argv[1], &resolver.sin_addr) != 1)
        return 2;
    const unsigned count = (unsigned)atoi(argv[2]), first = (unsigned)atoi(argv[3]);
    const unsigned second = argc == 6 ? (unsigned)atoi(argv[5]) : 0;
    const int ipv6 = strcmp(argv[4], "ipv6") == 0;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&resolver, sizeof(resolver)) != 0)
        fail("resolver");
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    for (unsigned number = first; number < first + count; number++) {
        waited += race(fd, number, ipv6, second > 0);
        if (second > 0)
            waited += race(fd, number + second, ipv6, 0);
    }
    printf("%.1f\n", waited / (second > 0 ? 2 * count : count));
    return 0;
}
