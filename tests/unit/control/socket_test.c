/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/socket.h"

#include "core/log.h"
#include "core/version.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

/* As in socket.c. */
#define CLIENTS_LIMIT 32

/* The socket, its loop, and what the commands were told. */
struct desk {
    struct loop loop;
    struct control_socket *socket;
    char directory[32], path[64], read_path[64];
    int answers;                   /* given so far */
    char last_arguments[64];       /* as JSON, "-" for none */
    size_t large;                  /* the length of the answer to "large" */
    struct control_peer peer;      /* who asked last, */
    json_int_t revision;           /* and for which revision; -1: any */
    struct control_requests later; /* those that are to be answered */
    struct control_stream stream;
    int left; /* clients that had a stream */
};

/* ---- the commands ---- */

static void write_large(struct jsonw *data, size_t length)
{
    char *text = malloc(length);
    assert_non_null(text);
    memset(text, 'l', length);
    jsonw_bytes(data, NULL, text, length);
    free(text);
}

static void follow(struct desk *desk, struct control_request *request);

static void answer(void *context, struct control_request *request)
{
    struct desk *desk = context;
    const char *command = request->command;
    const json_t *arguments = request->arguments;
    char *text = arguments != NULL ? json_dumps(arguments, JSON_COMPACT) : strdup("-");
    struct jsonw data;
    snprintf(desk->last_arguments, sizeof(desk->last_arguments), "%s", text);
    free(text);
    desk->answers++;
    desk->peer = request->peer;
    desk->revision = request->has_revision ? request->revision : -1;
    jsonw_init_growing(&data);
    if (strcmp(command, "nothing") == 0) {
        control_reply(request, NULL);
    } else if (strcmp(command, "later") == 0) {
        STAILQ_INSERT_TAIL(&desk->later, request, link);
    } else if (strcmp(command, "follow") == 0) {
        follow(desk, request);
    } else if (strcmp(command, "large") == 0) {
        write_large(&data, desk->large);
        control_reply(request, &data);
    } else {
        jsonw_object(&data, NULL);
        jsonw_string(&data, "command", command);
        jsonw_object_end(&data);
        if (strcmp(command, "fail") == 0)
            control_refuse(request, "failed", NULL, "it \"%s\"\n", "failed");
        else if (strcmp(command, "refuse") == 0)
            control_refuse(request, "conflict", &data, "no");
        else
            control_reply(request, &data);
    }
    jsonw_fini(&data);
}

static struct control_socket *open_at(struct desk *desk, const char *path)
{
    const struct control_socket_options options = {
        .path = path, .read_path = desk->read_path, .answer = answer, .context = desk};
    return control_socket_open(&desk->loop, &options);
}

static int make_desk(void **state)
{
    struct desk *desk = calloc(1, sizeof(*desk));
    *state = desk;
    strcpy(desk->directory, "/tmp/socket_test.XXXXXX");
    if (mkdtemp(desk->directory) == NULL || !loop_init(&desk->loop))
        return -1;
    snprintf(desk->path, sizeof(desk->path), "%s/control.sock", desk->directory);
    snprintf(desk->read_path, sizeof(desk->read_path), "%s/read.sock", desk->directory);
    STAILQ_INIT(&desk->later);
    desk->socket = open_at(desk, desk->path);
    if (desk->socket == NULL)
        return -1;
    control_socket_set_revision(desk->socket, 7);
    return 0;
}

/* Answers all that wait. */
static void reply_later(struct desk *desk)
{
    struct control_request *request;
    while ((request = STAILQ_FIRST(&desk->later)) != NULL) {
        STAILQ_REMOVE_HEAD(&desk->later, link);
        control_reply(request, NULL);
    }
}

static int drop_desk(void **state)
{
    struct desk *desk = *state;
    control_socket_close(desk->socket);
    reply_later(desk); /* to nobody */
    loop_fini(&desk->loop);
    int result = rmdir(desk->directory);
    free(desk);
    return result;
}

/* ---- a client ---- */

struct client {
    struct desk *desk;
    int fd;
    char line[4096]; /* the last one read, without its newline */
};

/* Turns the loop for as long as it has something to do. */
static void turn(struct desk *desk)
{
    struct pollfd events = {.fd = desk->loop.epoll, .events = POLLIN};
    do
        loop_turn(&desk->loop, 0);
    while (poll(&events, 1, 0) == 1);
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Everything in order: what was sent last is a newline. False where there is no more. */
static bool read_line(struct client *client)
{
    size_t length = 0;
    while (length + 1 < sizeof(client->line)) {
        char c;
        ssize_t count = recv(client->fd, &c, 1, 0);
        if (count < 0 && errno == EAGAIN) {
            turn(client->desk);
            count = recv(client->fd, &c, 1, 0);
        }
        if (count <= 0 || c == '\n') {
            client->line[length] = '\0';
            return count > 0;
        }
        client->line[length++] = c;
    }
    return false;
}

/* Connects, and reads the greeting. */
static struct client client_of(struct desk *desk)
{
    struct client client = {.desk = desk, .fd = connect_to(desk->path)};
    assert_true(client.fd >= 0);
    assert_true(read_line(&client));
    return client;
}

static void ask(struct client *client, const char *text)
{
    assert_int_equal(send(client->fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    turn(client->desk);
}

static void assert_answer(struct client *client, const char *expected)
{
    assert_true(read_line(client));
    assert_string_equal(client->line, expected);
}

static void assert_no_answer(struct client *client)
{
    char byte;
    turn(client->desk);
    assert_int_equal(recv(client->fd, &byte, 1, 0), -1);
    assert_int_equal(errno, EAGAIN);
}

/* Hung up; a reset is what closing with a request unread looks like. */
static void assert_hung_up(struct client *client)
{
    char bytes[4096];
    ssize_t count;
    turn(client->desk);
    while ((count = recv(client->fd, bytes, sizeof(bytes), 0)) > 0)
        ;
    assert_true(count == 0 || errno == ECONNRESET);
}

/* ---- requests and answers ---- */

static void the_first_line_says_who_answers(void **state)
{
    struct client client = client_of(*state);
    assert_string_equal(client.line, "{\"interceptd\":\"" INTERCEPTD_VERSION "\",\"api\":1}");
    close(client.fd);
}

static void a_request_is_answered_under_its_id(void **state)
{
    struct client client = client_of(*state);
    ask(&client, "{\"id\": 17, \"cmd\": \"status\", \"args\": {\"a\": [1]}}\n");
    assert_answer(&client, "{\"id\":17,\"ok\":true,\"rev\":7,\"data\":{\"command\":\"status\"}}");
    assert_string_equal(client.desk->last_arguments, "{\"a\":[1]}");
    ask(&client, "{\"cmd\": \"status\"}\n");
    assert_answer(&client, "{\"ok\":true,\"rev\":7,\"data\":{\"command\":\"status\"}}");
    assert_string_equal(client.desk->last_arguments, "-");
    close(client.fd);
}

static void an_answer_may_have_no_data(void **state)
{
    struct client client = client_of(*state);
    ask(&client, "{\"id\": 1, \"cmd\": \"nothing\"}\n");
    assert_answer(&client, "{\"id\":1,\"ok\":true,\"rev\":7}");
    close(client.fd);
}

static void an_error_is_a_sentence_and_no_data(void **state)
{
    struct client client = client_of(*state);
    ask(&client, "{\"id\": -1, \"cmd\": \"fail\"}\n");
    assert_answer(&client, "{\"id\":-1,\"ok\":false,\"rev\":7,\"code\":\"failed\",\"error\":\"it "
                           "\\\"failed\\\"\\n\"}");
    close(client.fd);
}

static void what_is_no_request_is_told_so_and_the_next_one_is_answered(void **state)
{
    static const char *const cases[] = {"",
                                        "{",
                                        "null",
                                        "[]",
                                        "{\"id\": 1} {}",
                                        "\"cmd\"",
                                        "{\"cmd\": 1}",
                                        "\xff",
                                        "{\"cmd\": \"\xff\"}"};
    struct client client = client_of(*state);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        ask(&client, cases[i]);
        ask(&client, "\n");
        assert_answer(&client, "{\"ok\":false,\"rev\":7,\"code\":\"request\",\"error\":\"a request "
                               "is an object with \\\"cmd\\\"\"}");
    }
    ask(&client, "{\"id\": 5}\n");
    assert_answer(&client, "{\"id\":5,\"ok\":false,\"rev\":7,\"code\":\"request\",\"error\":\"a "
                           "request is an object with \\\"cmd\\\"\"}");
    assert_int_equal(client.desk->answers, 0);
    ask(&client, "{\"cmd\": \"nothing\"}\n");
    assert_answer(&client, "{\"ok\":true,\"rev\":7}");
    close(client.fd);
}

static void a_request_may_come_byte_by_byte(void **state)
{
    static const char request[] = "{\"id\": 1, \"cmd\": \"nothing\"}\n";
    struct client client = client_of(*state);
    for (size_t i = 0; i < sizeof(request) - 1; i++) {
        assert_no_answer(&client);
        ask(&client, (char[]){request[i], '\0'});
    }
    assert_answer(&client, "{\"id\":1,\"ok\":true,\"rev\":7}");
    close(client.fd);
}

static void requests_may_come_all_at_once_and_are_answered_in_order(void **state)
{
    struct client client = client_of(*state);
    ask(&client, "{\"id\": 1, \"cmd\": \"nothing\"}\n{\"id\": 2, \"cmd\": \"fail\"}\n"
                 "{\"id\": 3, \"cmd\": \"nothing\"}\n{\"id\": 4, \"cmd\"");
    assert_answer(&client, "{\"id\":1,\"ok\":true,\"rev\":7}");
    assert_answer(
        &client,
        "{\"id\":2,\"ok\":false,\"rev\":7,\"code\":\"failed\",\"error\":\"it \\\"failed\\\"\\n\"}");
    assert_answer(&client, "{\"id\":3,\"ok\":true,\"rev\":7}");
    assert_no_answer(&client);
    ask(&client, ": \"nothing\"}\n");
    assert_answer(&client, "{\"id\":4,\"ok\":true,\"rev\":7}");
    close(client.fd);
}

static void clients_do_not_get_each_others_answers(void **state)
{
    struct client first = client_of(*state), second = client_of(*state);
    ask(&first, "{\"id\": 1, ");
    ask(&second, "{\"id\": 2, \"cmd\": \"nothing\"}\n");
    ask(&first, "\"cmd\": \"nothing\"}\n");
    assert_answer(&second, "{\"id\":2,\"ok\":true,\"rev\":7}");
    assert_answer(&first, "{\"id\":1,\"ok\":true,\"rev\":7}");
    assert_no_answer(&second);
    close(first.fd);
    close(second.fd);
}

/* ---- answers that come later ---- */

static void an_answer_may_come_later_and_in_its_turn(void **state)
{
    struct client client = client_of(*state);
    ask(&client, "{\"id\": 1, \"cmd\": \"later\"}\n{\"id\": 2, \"cmd\": \"nothing\"}\n");
    assert_no_answer(&client);
    assert_int_equal(client.desk->answers, 1); /* the second is not even asked */
    control_socket_set_revision(client.desk->socket, 8);
    reply_later(client.desk);
    turn(client.desk);
    assert_answer(&client, "{\"id\":1,\"ok\":true,\"rev\":8}");
    assert_answer(&client, "{\"id\":2,\"ok\":true,\"rev\":8}");
    close(client.fd);
}

static void others_are_answered_meanwhile(void **state)
{
    struct client first = client_of(*state), second = client_of(*state);
    ask(&first, "{\"id\": 1, \"cmd\": \"later\"}\n");
    ask(&second, "{\"id\": 2, \"cmd\": \"nothing\"}\n");
    assert_answer(&second, "{\"id\":2,\"ok\":true,\"rev\":7}");
    reply_later(first.desk);
    turn(first.desk);
    assert_answer(&first, "{\"id\":1,\"ok\":true,\"rev\":7}");
    close(first.fd);
    close(second.fd);
}

static void a_thousand_requests_at_once_are_a_thousand_answers(void **state)
{
    struct client client = client_of(*state);
    static const char request[] = "{\"cmd\": \"nothing\"}\n";
    static char all[1000 * (sizeof(request) - 1) + 1];
    for (int i = 0; i < 1000; i++)
        strcat(all + (size_t)i * (sizeof(request) - 1), request);
    ask(&client, all);
    for (int i = 0; i < 1000; i++)
        assert_answer(&client, "{\"ok\":true,\"rev\":7}");
    close(client.fd);
}

static void who_leaves_before_the_answer_harms_nobody(void **state)
{
    struct desk *desk = *state;
    struct client client = client_of(desk);
    ask(&client, "{\"cmd\": \"later\"}\n");
    close(client.fd);
    turn(desk);
    reply_later(desk);
    turn(desk);
    client = client_of(desk);
    ask(&client, "{\"cmd\": \"later\"}\n");
    control_socket_close(desk->socket);
    desk->socket = NULL;
    reply_later(desk);
    close(client.fd);
}

static void who_has_asked_its_last_gets_a_late_answer_too(void **state)
{
    struct client client = client_of(*state);
    ask(&client, "{\"cmd\": \"later\"}\n{\"id\": 2, \"cmd\": \"nothing\"}\n");
    assert_int_equal(shutdown(client.fd, SHUT_WR), 0);
    turn(client.desk);
    reply_later(client.desk);
    turn(client.desk);
    assert_answer(&client, "{\"ok\":true,\"rev\":7}");
    assert_answer(&client, "{\"id\":2,\"ok\":true,\"rev\":7}");
    assert_hung_up(&client);
    close(client.fd);
}

static void a_refusal_has_a_word_for_programs_and_may_have_data(void **state)
{
    struct client client = client_of(*state);
    ask(&client, "{\"id\": 3, \"cmd\": \"refuse\"}\n");
    assert_answer(&client, "{\"id\":3,\"ok\":false,\"rev\":7,\"code\":\"conflict\","
                           "\"error\":\"no\",\"data\":{\"command\":\"refuse\"}}");
    close(client.fd);
}

static void the_revision_that_a_request_is_for_is_told(void **state)
{
    struct client client = client_of(*state);
    ask(&client, "{\"cmd\": \"nothing\", \"if_rev\": 41}\n{\"cmd\": \"nothing\"}\n");
    assert_answer(&client, "{\"ok\":true,\"rev\":7}");
    assert_answer(&client, "{\"ok\":true,\"rev\":7}");
    assert_int_equal(client.desk->revision, -1);
    ask(&client, "{\"cmd\": \"nothing\", \"if_rev\": 41}\n");
    assert_int_equal(client.desk->revision, 41);
    assert_answer(&client, "{\"ok\":true,\"rev\":7}");
    ask(&client, "{\"cmd\": \"nothing\", \"if_rev\": \"x\"}\n");
    assert_answer(&client, "{\"ok\":false,\"rev\":7,\"code\":\"request\","
                           "\"error\":\"if_rev is to be a number\"}");
    close(client.fd);
}

/* ---- who asks ---- */

static void the_kernel_tells_who_asks_and_by_which_socket(void **state)
{
    struct desk *desk = *state;
    struct client client = client_of(desk);
    ask(&client, "{\"cmd\": \"nothing\"}\n");
    assert_int_equal(desk->peer.uid, getuid());
    assert_int_equal(desk->peer.pid, getpid());
    assert_false(desk->peer.read_only);
    assert_true(desk->peer.insider);
    close(client.fd);
    client = (struct client){.desk = desk, .fd = connect_to(desk->read_path)};
    assert_true(client.fd >= 0);
    assert_answer(&client,
                  "{\"interceptd\":\"" INTERCEPTD_VERSION "\",\"api\":1,\"read_only\":true}");
    ask(&client, "{\"cmd\": \"nothing\"}\n");
    assert_true(desk->peer.read_only);
    assert_true(desk->peer.insider); /* we are who runs it */
    close(client.fd);
}

static void everybody_may_use_the_socket_for_those_who_only_ask(void **state)
{
    struct desk *desk = *state;
    struct stat status;
    assert_int_equal(stat(desk->read_path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0666);
    control_socket_close(desk->socket);
    desk->socket = NULL;
    assert_int_equal(access(desk->read_path, F_OK), -1);
}

/* ---- streams ---- */

static void stream_left(struct control_stream *stream)
{
    struct desk *desk = container_of(stream, struct desk, stream);
    desk->left++;
}

static void follow(struct desk *desk, struct control_request *request)
{
    struct control_stream *stream = &desk->stream;
    if (desk->stream.client != NULL) {
        static struct control_stream other;
        other.gone = stream_left;
        assert_false(control_stream_open(&other, request));
        return;
    }
    desk->stream.gone = stream_left;
    assert_true(control_stream_open(stream, request));
}

static void put(struct desk *desk, const char *line)
{
    control_stream_send(&desk->stream, line, strlen(line));
}

static void a_stream_adds_lines_between_answers(void **state)
{
    struct client client = client_of(*state);
    ask(&client, "{\"id\": 1, \"cmd\": \"follow\"}\n");
    assert_answer(&client, "{\"id\":1,\"ok\":true,\"rev\":7}");
    put(client.desk, "{\"a\":1}\n");
    put(client.desk, "{\"a\":2}\n");
    control_stream_flush(&client.desk->stream);
    assert_answer(&client, "{\"a\":1}");
    ask(&client, "{\"id\": 2, \"cmd\": \"nothing\"}\n");
    put(client.desk, "{\"a\":3}\n");
    control_stream_flush(&client.desk->stream);
    assert_answer(&client, "{\"a\":2}");
    assert_answer(&client, "{\"id\":2,\"ok\":true,\"rev\":7}");
    assert_answer(&client, "{\"a\":3}");
    ask(&client, "{\"id\": 3, \"cmd\": \"follow\"}\n");
    assert_answer(&client, "{\"id\":3,\"ok\":false,\"rev\":7,\"code\":\"request\","
                           "\"error\":\"there is a stream on this connection already\"}");
    assert_int_equal(client.desk->left, 0);
    close(client.fd);
    turn(client.desk);
    assert_int_equal(client.desk->left, 1);
}

static void who_has_asked_its_last_may_still_follow(void **state)
{
    struct client client = client_of(*state);
    ask(&client, "{\"cmd\": \"follow\"}\n");
    assert_int_equal(shutdown(client.fd, SHUT_WR), 0);
    turn(client.desk);
    assert_answer(&client, "{\"ok\":true,\"rev\":7}");
    put(client.desk, "{\"a\":1}\n");
    control_stream_flush(&client.desk->stream);
    assert_answer(&client, "{\"a\":1}");
    close(client.fd);
    turn(client.desk);
    assert_int_equal(client.desk->left, 1);
}

/* The lines come as they were put; where some are missing it is told how many, and where. */
static void a_slow_reader_is_told_what_it_has_missed(void **state)
{
    enum { LINES = 40000 };
    struct client client = client_of(*state);
    char line[64];
    long next = 0, missing = 0, gaps = 0;
    ask(&client, "{\"cmd\": \"follow\"}\n");
    assert_answer(&client, "{\"ok\":true,\"rev\":7}");
    for (int i = 0; i < LINES; i++) {
        snprintf(line, sizeof(line), "{\"n\":%d,\"x\":\"xxxxxxxxxxxxxxxxxxxx\"}\n", i);
        put(client.desk, line);
        if (i % 100 == 0)
            control_stream_flush(&client.desk->stream);
    }
    control_stream_lose(&client.desk->stream, 5); /* that did not even come as far */
    control_stream_flush(&client.desk->stream);
    while (next < LINES && read_line(&client)) {
        long number;
        if (sscanf(client.line, "{\"gap\":%ld}", &number) == 1) {
            missing += number;
            next += number;
            gaps++;
        } else {
            assert_int_equal(sscanf(client.line, "{\"n\":%ld,", &number), 1);
            assert_int_equal(number, next);
            next++;
        }
    }
    assert_int_equal(next, LINES + 5);
    assert_true(gaps >= 1 && missing > 1000);
    put(client.desk, "{\"a\":1}\n");
    control_stream_flush(&client.desk->stream);
    assert_answer(&client, "{\"a\":1}");
    close(client.fd);
}

static void a_stream_that_was_closed_says_no_more(void **state)
{
    struct client client = client_of(*state);
    ask(&client, "{\"cmd\": \"follow\"}\n");
    assert_answer(&client, "{\"ok\":true,\"rev\":7}");
    control_stream_close(&client.desk->stream);
    put(client.desk, "{\"a\":1}\n");
    control_stream_flush(&client.desk->stream);
    assert_no_answer(&client);
    ask(&client, "{\"cmd\": \"nothing\"}\n");
    assert_answer(&client, "{\"ok\":true,\"rev\":7}");
    close(client.fd);
    turn(client.desk);
    assert_int_equal(client.desk->left, 0);
}

/* ---- large ones ---- */

/* Sends as fast as it is read. False if we are hung up on. */
static bool send_all(struct client *client, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t count = send(client->fd, bytes, length, MSG_NOSIGNAL);
        if (count < 0 && errno != EAGAIN)
            return false;
        if (count > 0) {
            bytes += count;
            length -= (size_t)count;
        }
        turn(client->desk);
    }
    return true;
}

/* A request of `length` bytes, its newline among them; only its end makes it one. */
static char *padded_request(size_t length)
{
    static const char request[] = "{\"id\": 1, \"cmd\": \"nothing\"}\n";
    char *text = malloc(length);
    assert_non_null(text);
    memset(text, ' ', length);
    memcpy(text + length - sizeof(request) + 1, request, sizeof(request) - 1);
    return text;
}

static void a_large_request_is_answered(void **state)
{
    struct client client = client_of(*state);
    size_t length = CONTROL_REQUEST_LIMIT / 2;
    char *request = padded_request(length);
    assert_true(send_all(&client, request, length));
    assert_answer(&client, "{\"id\":1,\"ok\":true,\"rev\":7}");
    free(request);
    close(client.fd);
}

static void a_request_over_the_limit_is_hung_up_on(void **state)
{
    struct client client = client_of(*state), other = client_of(*state);
    size_t length = CONTROL_REQUEST_LIMIT + (64 << 10);
    char *request = padded_request(length);
    assert_false(send_all(&client, request, length));
    assert_hung_up(&client);
    assert_int_equal(client.desk->answers, 0);
    ask(&other, "{\"cmd\": \"nothing\"}\n");
    assert_answer(&other, "{\"ok\":true,\"rev\":7}");
    free(request);
    close(client.fd);
    close(other.fd);
}

/* Reads the answer to "large" to its last byte and not beyond. */
static void assert_large_answer(struct client *client)
{
    static char bytes[65536];
    size_t left = strlen("{\"ok\":true,\"rev\":7,\"data\":\"\"}\n") + client->desk->large;
    while (left > 0) {
        size_t size = left < sizeof(bytes) ? left : sizeof(bytes);
        ssize_t count = recv(client->fd, bytes, size, 0);
        if (count < 0 && errno == EAGAIN) {
            turn(client->desk);
            count = recv(client->fd, bytes, size, 0);
        }
        assert_true(count > 0);
        left -= (size_t)count;
        const char *newline = memchr(bytes, '\n', (size_t)count);
        assert_ptr_equal(newline, left == 0 ? bytes + count - 1 : NULL);
    }
}

static void while_an_answer_waits_no_other_request_is_read(void **state)
{
    struct client client = client_of(*state);
    client.desk->large = 3 << 20;
    ask(&client, "{\"cmd\": \"large\"}\n");
    ask(&client, "{\"id\": 2, \"cmd\": \"nothing\"}\n");
    assert_int_equal(client.desk->answers, 1);
    assert_large_answer(&client);
    assert_answer(&client, "{\"id\":2,\"ok\":true,\"rev\":7}");
    assert_int_equal(client.desk->answers, 2);
    close(client.fd);
}

static void who_does_not_read_does_not_hold_up_the_others(void **state)
{
    struct client lazy = client_of(*state), other = client_of(*state);
    lazy.desk->large = 3 << 20;
    ask(&lazy, "{\"cmd\": \"large\"}\n");
    ask(&other, "{\"cmd\": \"nothing\"}\n");
    assert_answer(&other, "{\"ok\":true,\"rev\":7}");
    close(lazy.fd);
    turn(other.desk);
    ask(&other, "{\"cmd\": \"nothing\"}\n");
    assert_answer(&other, "{\"ok\":true,\"rev\":7}");
    close(other.fd);
}

/* ---- coming and going ---- */

static void who_has_asked_its_last_still_gets_the_answer(void **state)
{
    struct client client = client_of(*state);
    client.desk->large = 1 << 20;
    ask(&client, "{\"cmd\": \"large\"}\n");
    assert_int_equal(shutdown(client.fd, SHUT_WR), 0);
    assert_large_answer(&client);
    assert_hung_up(&client);
    close(client.fd);
}

static void who_leaves_at_once_harms_nobody(void **state)
{
    struct desk *desk = *state;
    static const char request_and_more[] = "{\"cmd\": \"nothing\"}\n{";
    for (int i = 0; i < 100; i++) {
        int fd = connect_to(desk->path);
        assert_true(fd >= 0);
        if (i % 2 == 0)
            turn(desk);
        if (i % 3 == 0)
            (void)!send(fd, request_and_more, sizeof(request_and_more) - 1, MSG_NOSIGNAL);
        close(fd);
        turn(desk);
    }
    struct client client = client_of(desk);
    ask(&client, "{\"cmd\": \"nothing\"}\n");
    assert_answer(&client, "{\"ok\":true,\"rev\":7}");
    close(client.fd);
}

static void too_many_clients_are_turned_away_until_one_leaves(void **state)
{
    struct desk *desk = *state;
    struct client clients[CLIENTS_LIMIT];
    for (int i = 0; i < CLIENTS_LIMIT; i++)
        clients[i] = client_of(desk);
    struct client late = {.desk = desk, .fd = connect_to(desk->path)};
    assert_hung_up(&late);
    close(late.fd);
    close(clients[0].fd);
    turn(desk);
    clients[0] = client_of(desk);
    for (int i = 0; i < CLIENTS_LIMIT; i++) {
        ask(&clients[i], "{\"cmd\": \"nothing\"}\n");
        assert_answer(&clients[i], "{\"ok\":true,\"rev\":7}");
        close(clients[i].fd);
    }
}

/* Everybody on this box may ask: who fills the one socket keeps nobody from the other. */
static void who_may_only_ask_never_keeps_the_operator_out(void **state)
{
    struct desk *desk = *state;
    int strangers[CLIENTS_LIMIT];
    for (int i = 0; i < CLIENTS_LIMIT; i++) {
        strangers[i] = connect_to(desk->read_path);
        assert_true(strangers[i] >= 0);
        turn(desk);
    }
    struct client late = {.desk = desk, .fd = connect_to(desk->read_path)};
    assert_hung_up(&late);
    close(late.fd);
    struct client operator= client_of(desk);
    ask(&operator, "{\"cmd\": \"nothing\"}\n");
    assert_answer(&operator, "{\"ok\":true,\"rev\":7}");
    close(operator.fd);
    for (int i = 0; i < CLIENTS_LIMIT; i++)
        close(strangers[i]);
}

/* ---- opening and closing ---- */

static void owner_and_group_may_use_the_socket(void **state)
{
    struct desk *desk = *state;
    struct stat status;
    mode_t mask = umask(0);
    control_socket_close(desk->socket);
    desk->socket = open_at(desk, desk->path);
    control_socket_set_revision(desk->socket, 7);
    mode_t left = umask(mask);
    assert_non_null(desk->socket);
    assert_int_equal(stat(desk->path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0660);
    assert_int_equal(left, 0);
}

static void closing_hangs_up_and_removes_the_path(void **state)
{
    struct desk *desk = *state;
    struct client client = client_of(desk);
    control_socket_close(desk->socket);
    desk->socket = NULL;
    assert_hung_up(&client);
    assert_int_equal(access(desk->path, F_OK), -1);
    assert_int_equal(connect_to(desk->path), -1);
    close(client.fd);
    turn(desk); /* the loop has forgotten all of it */
}

/* What a daemon that was killed leaves behind. */
static void a_stale_socket_is_replaced(void **state)
{
    struct desk *desk = *state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    control_socket_close(desk->socket);
    strcpy(address.sun_path, desk->path);
    int stale = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(stale, (struct sockaddr *)&address, sizeof(address)), 0);
    close(stale);
    assert_int_equal(connect_to(desk->path), -1);
    desk->socket = open_at(desk, desk->path);
    control_socket_set_revision(desk->socket, 7);
    assert_non_null(desk->socket);
    struct client client = client_of(desk);
    close(client.fd);
}

static void missing_directories_are_made(void **state)
{
    struct desk *desk = *state;
    char directory[64], path[96];
    snprintf(directory, sizeof(directory), "%s/run", desk->directory);
    snprintf(path, sizeof(path), "%s/control.sock", directory);
    struct control_socket *socket = open_at(desk, path);
    assert_non_null(socket);
    close(connect_to(path));
    control_socket_close(socket);
    assert_int_equal(rmdir(directory), 0);
}

static void keep_log(void *context, const char *line, size_t length)
{
    snprintf(context, 1024, "%.*s", (int)length, line);
}

static void assert_not_opened(struct desk *desk, const char *path, const char *reason)
{
    char logged[1024] = "";
    log_redirect(keep_log, logged);
    struct control_socket *socket = open_at(desk, path);
    log_redirect(NULL, NULL);
    assert_null(socket);
    assert_non_null(strstr(logged, path));
    assert_non_null(strstr(logged, reason));
}

static void a_path_that_cannot_be_used_is_told(void **state)
{
    struct desk *desk = *state;
    char longest[200];
    memset(longest, 'x', sizeof(longest) - 1);
    longest[0] = '/';
    longest[sizeof(longest) - 1] = '\0';
    assert_not_opened(desk, longest, "File name too long");
    assert_not_opened(desk, desk->directory, "Address already in use");
    struct client client = client_of(desk); /* the one that is open does not suffer */
    close(client.fd);
}

static void closing_what_never_opened_is_harmless(void **state)
{
    (void)state;
    control_socket_close(NULL);
}

#define with_desk(test) cmocka_unit_test_setup_teardown(test, make_desk, drop_desk)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_desk(the_first_line_says_who_answers),
        with_desk(a_request_is_answered_under_its_id),
        with_desk(an_answer_may_have_no_data),
        with_desk(an_error_is_a_sentence_and_no_data),
        with_desk(what_is_no_request_is_told_so_and_the_next_one_is_answered),
        with_desk(a_request_may_come_byte_by_byte),
        with_desk(requests_may_come_all_at_once_and_are_answered_in_order),
        with_desk(clients_do_not_get_each_others_answers),
        with_desk(an_answer_may_come_later_and_in_its_turn),
        with_desk(others_are_answered_meanwhile),
        with_desk(a_thousand_requests_at_once_are_a_thousand_answers),
        with_desk(who_leaves_before_the_answer_harms_nobody),
        with_desk(who_has_asked_its_last_gets_a_late_answer_too),
        with_desk(a_refusal_has_a_word_for_programs_and_may_have_data),
        with_desk(the_revision_that_a_request_is_for_is_told),
        with_desk(the_kernel_tells_who_asks_and_by_which_socket),
        with_desk(everybody_may_use_the_socket_for_those_who_only_ask),
        with_desk(a_stream_adds_lines_between_answers),
        with_desk(who_has_asked_its_last_may_still_follow),
        with_desk(a_slow_reader_is_told_what_it_has_missed),
        with_desk(a_stream_that_was_closed_says_no_more),
        with_desk(a_large_request_is_answered),
        with_desk(a_request_over_the_limit_is_hung_up_on),
        with_desk(while_an_answer_waits_no_other_request_is_read),
        with_desk(who_does_not_read_does_not_hold_up_the_others),
        with_desk(who_has_asked_its_last_still_gets_the_answer),
        with_desk(who_leaves_at_once_harms_nobody),
        with_desk(too_many_clients_are_turned_away_until_one_leaves),
        with_desk(who_may_only_ask_never_keeps_the_operator_out),
        with_desk(owner_and_group_may_use_the_socket),
        with_desk(closing_hangs_up_and_removes_the_path),
        with_desk(a_stale_socket_is_replaced),
        with_desk(missing_directories_are_made),
        with_desk(a_path_that_cannot_be_used_is_told),
        cmocka_unit_test(closing_what_never_opened_is_harmless),
    };
    alarm(120); /* a loop that is never woken is a failure too */
    return cmocka_run_group_tests_name("control/socket", tests, NULL, NULL);
}
