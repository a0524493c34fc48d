/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conn/splice.h"

#include "pairs.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include <cmocka.h>

struct stage {
    struct pair device, origin;
    struct pipe_pool pool;
    struct splice splice;
};

/* What an unchanged pipe holds. */
#define PIPE_SIZE 65536

static int make_stage_of(void **state, bool (*make)(struct pair *pair))
{
    struct stage *stage = calloc(1, sizeof(*stage));
    *state = stage;
    if (stage == NULL || !make(&stage->device) || !make(&stage->origin))
        return -1;
    return splice_init(&stage->splice, stage->device.ours, stage->origin.ours, &stage->pool) ? 0
                                                                                             : -1;
}

static int make_stage(void **state)
{
    return make_stage_of(state, pair_make);
}

static int make_tcp_stage(void **state)
{
    return make_stage_of(state, pair_make_tcp);
}

static int drop_stage(void **state)
{
    struct stage *stage = *state;
    splice_fini(&stage->splice);
    pipe_pool_fini(&stage->pool);
    pair_close_peer(&stage->device);
    pair_close_peer(&stage->origin);
    close(stage->device.ours);
    close(stage->origin.ours);
    free(stage);
    return 0;
}

/* No test has so much to do at once: whoever takes more turns does nothing in them. */
#define TURNS 10000

/* Runs as the owner does: as long as there is news of what is waited for. */
static enum splice_result pump(struct stage *stage)
{
    struct splice *splice = &stage->splice;
    enum splice_result result = splice_run(splice, true, true);
    bool device_news = true, origin_news = true;
    int turns = 0;
    while (result == SPLICE_AGAIN ||
           (result == SPLICE_GOING &&
            pairs_have_news(stage->device.ours, (short)splice_device_events(splice),
                            stage->origin.ours, (short)splice_origin_events(splice), &device_news,
                            &origin_news))) {
        if (result == SPLICE_AGAIN)
            device_news = origin_news = true;
        assert_true(turns++ < TURNS);
        result = splice_run(splice, device_news, origin_news);
    }
    return result;
}

/* ---- what peers do ---- */

static void peer_says(const struct pair *pair, const char *text)
{
    assert_int_equal(send(pair->peer, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void peer_ends(const struct pair *pair)
{
    assert_int_equal(shutdown(pair->peer, SHUT_WR), 0);
}

static void assert_peer_hears(const struct pair *pair, const char *text)
{
    char heard[64] = "";
    assert_int_equal(recv(pair->peer, heard, sizeof(heard) - 1, 0), strlen(text));
    assert_string_equal(heard, text);
}

static void assert_peer_hears_nothing(const struct pair *pair)
{
    char byte;
    assert_int_equal(recv(pair->peer, &byte, 1, 0), -1);
    assert_int_equal(errno, EAGAIN);
}

static void assert_peer_hears_the_end(const struct pair *pair)
{
    char byte;
    assert_int_equal(recv(pair->peer, &byte, 1, 0), 0);
}

/* A Unix socket is reset by closing it with bytes unread. */
static void peer_resets(struct stage *stage, struct pair *pair, const struct pair *other)
{
    peer_says(other, "never read");
    assert_int_equal(pump(stage), SPLICE_GOING);
    pair_close_peer(pair);
}

/* One stream of bytes through our hands; each step does what can be done. */
struct stream {
    const struct pair *from, *to;
    uint32_t number;
    size_t sent, received, total;
};

static void send_some(struct stream *stream)
{
    unsigned char bytes[5000];
    while (stream->sent < stream->total) {
        size_t length = stream->total - stream->sent;
        length = length < sizeof(bytes) ? length : sizeof(bytes);
        pattern_fill(stream->number, stream->sent, bytes, length);
        ssize_t count = send(stream->from->peer, bytes, length, MSG_NOSIGNAL);
        if (count <= 0)
            return;
        stream->sent += (size_t)count;
    }
}

static void receive_some(struct stream *stream, size_t limit)
{
    unsigned char bytes[3001];
    while (limit > 0) {
        size_t size = limit < sizeof(bytes) ? limit : sizeof(bytes);
        ssize_t count = recv(stream->to->peer, bytes, size, 0);
        if (count <= 0)
            return;
        assert_true(pattern_matches(stream->number, stream->received, bytes, (size_t)count));
        stream->received += (size_t)count;
        limit -= (size_t)count;
    }
}

/* Sends for as long as anything goes, while the peer behind does not read. */
static void send_until_stuck(struct stage *stage, struct stream *stream)
{
    size_t before;
    stream->total = SIZE_MAX / 2;
    do {
        before = stream->sent;
        send_some(stream);
        assert_int_equal(pump(stage), SPLICE_GOING);
    } while (stream->sent > before);
    stream->total = stream->sent;
}

static void receive_the_rest(struct stage *stage, struct stream *stream)
{
    size_t before;
    do {
        before = stream->received;
        receive_some(stream, SIZE_MAX);
        assert_int_equal(pump(stage), SPLICE_GOING);
    } while (stream->received > before);
    assert_int_equal(stream->received, stream->sent);
}

/* ---- both ways ---- */

static void at_first_both_sides_are_waited_for(void **state)
{
    struct stage *stage = *state;
    assert_int_equal(splice_device_events(&stage->splice), EPOLLIN);
    assert_int_equal(splice_origin_events(&stage->splice), EPOLLIN);
    assert_int_equal(pump(stage), SPLICE_GOING);
    assert_int_equal(splice_device_events(&stage->splice), EPOLLIN);
    assert_int_equal(splice_origin_events(&stage->splice), EPOLLIN);
}

static void bytes_go_both_ways(void **state)
{
    struct stage *stage = *state;
    peer_says(&stage->device, "request");
    assert_int_equal(pump(stage), SPLICE_GOING);
    assert_peer_hears(&stage->origin, "request");
    peer_says(&stage->origin, "response");
    peer_says(&stage->device, "more");
    assert_int_equal(pump(stage), SPLICE_GOING);
    assert_peer_hears(&stage->device, "response");
    assert_peer_hears(&stage->origin, "more");
    assert_int_equal(stage->splice.up.bytes, 11);
    assert_int_equal(stage->splice.down.bytes, 8);
}

/* The ClientHello was peeked at, and is still there: it goes first. */
static void what_was_only_peeked_at_is_passed_on_too(void **state)
{
    struct stage *stage = *state;
    char peeked[16];
    peer_says(&stage->device, "hello");
    assert_int_equal(recv(stage->device.ours, peeked, sizeof(peeked), MSG_PEEK), 5);
    peer_says(&stage->device, ", and more");
    assert_int_equal(pump(stage), SPLICE_GOING);
    assert_peer_hears(&stage->origin, "hello, and more");
}

static void a_side_without_news_is_not_touched(void **state)
{
    struct stage *stage = *state;
    peer_says(&stage->device, "request");
    peer_says(&stage->origin, "response");
    assert_int_equal(splice_run(&stage->splice, false, false), SPLICE_GOING);
    assert_int_equal(pair_unread(&stage->device), 7);
    assert_int_equal(splice_run(&stage->splice, false, true), SPLICE_GOING);
    assert_int_equal(pair_unread(&stage->device), 7);
    assert_peer_hears(&stage->device, "response");
    assert_peer_hears_nothing(&stage->origin);
}

/* At different paces, and with little room on the way. */
static void megabytes_arrive_exactly_as_they_were_sent(void **state)
{
    struct stage *stage = *state;
    struct stream up = {&stage->device, &stage->origin, 1, 0, 0, (5 << 20) + 17};
    struct stream down = {&stage->origin, &stage->device, 2, 0, 0, (4 << 20) + 1};
    pair_narrow(&stage->device);
    pair_narrow(&stage->origin);
    while (up.received < up.total || down.received < down.total) {
        size_t before = up.received + down.received;
        send_some(&up);
        send_some(&down);
        assert_int_equal(pump(stage), SPLICE_GOING);
        receive_some(&up, 7001);
        receive_some(&down, 40009);
        assert_true(up.received + down.received > before);
    }
    assert_int_equal(stage->splice.up.bytes, up.total);
    assert_int_equal(stage->splice.down.bytes, down.total);
}

/* Each of these fills a place of the pipe, so the pipe is full long before its bytes are many. */
static void a_busy_side_is_cut_short_and_asked_again(void **state)
{
    struct stage *stage = *state;
    char heard[512];
    int large = 1 << 20;
    assert_int_equal(setsockopt(stage->device.peer, SOL_SOCKET, SO_SNDBUF, &large, sizeof(large)),
                     0);
    assert_int_equal(setsockopt(stage->origin.ours, SOL_SOCKET, SO_SNDBUF, &large, sizeof(large)),
                     0);
    for (int i = 0; i < 400; i++)
        peer_says(&stage->device, "x");
    assert_int_equal(splice_run(&stage->splice, true, false), SPLICE_AGAIN);
    assert_in_range(stage->splice.up.bytes, 1, 399);
    assert_int_equal(splice_device_events(&stage->splice), EPOLLIN);
    assert_int_equal(pump(stage), SPLICE_GOING);
    assert_int_equal(recv(stage->origin.peer, heard, sizeof(heard), 0), 400);
}

/* ---- back-pressure ---- */

static void who_does_not_read_stops_the_reading(void **state)
{
    struct stage *stage = *state;
    struct stream up = {.from = &stage->device, .to = &stage->origin, .number = 1};
    pair_narrow(&stage->origin);
    send_until_stuck(stage, &up);
    assert_int_equal(splice_device_events(&stage->splice), 0);
    assert_int_equal(splice_origin_events(&stage->splice), EPOLLIN | EPOLLOUT);

    size_t unread = pair_unread(&stage->device);
    assert_true(unread > 0);
    assert_int_equal(splice_run(&stage->splice, true, true), SPLICE_GOING);
    assert_int_equal(pair_unread(&stage->device), unread);
    receive_the_rest(stage, &up);
    assert_int_equal(splice_device_events(&stage->splice), EPOLLIN);
}

static void no_more_is_kept_than_a_pipe_holds(void **state)
{
    struct stage *stage = *state;
    struct stream up = {.from = &stage->device, .to = &stage->origin, .number = 1};
    pair_narrow(&stage->origin);
    send_until_stuck(stage, &up);
    size_t in_our_hands = up.sent - pair_unread(&stage->device) - stage->splice.up.bytes;
    assert_in_range(in_our_hands, 1, PIPE_SIZE);
    assert_int_equal(in_our_hands, stage->splice.up.in_pipe);
}

static void a_stuck_direction_does_not_hold_up_the_other(void **state)
{
    struct stage *stage = *state;
    struct stream up = {.from = &stage->device, .to = &stage->origin, .number = 1};
    struct stream down = {&stage->origin, &stage->device, 2, 0, 0, 1 << 20};
    pair_narrow(&stage->origin);
    send_until_stuck(stage, &up);
    while (down.received < down.total) {
        size_t before = down.received;
        send_some(&down);
        assert_int_equal(pump(stage), SPLICE_GOING);
        receive_some(&down, SIZE_MAX);
        assert_true(down.received > before);
    }
    assert_int_equal(up.received, 0);
    receive_the_rest(stage, &up);
}

/* ---- endings ---- */

static void a_half_close_is_passed_on_and_the_other_way_stays_open(void **state)
{
    struct stage *stage = *state;
    peer_says(&stage->device, "request");
    peer_ends(&stage->device);
    assert_int_equal(pump(stage), SPLICE_GOING);
    assert_peer_hears(&stage->origin, "request");
    assert_peer_hears_the_end(&stage->origin);
    assert_int_equal(splice_device_events(&stage->splice), 0);
    assert_int_equal(splice_origin_events(&stage->splice), EPOLLIN);

    peer_says(&stage->origin, "response");
    assert_int_equal(pump(stage), SPLICE_GOING);
    assert_peer_hears(&stage->device, "response");
    assert_peer_hears_nothing(&stage->device);
    peer_ends(&stage->origin);
    assert_int_equal(pump(stage), SPLICE_DONE);
    assert_peer_hears_the_end(&stage->device);
}

static void the_origin_may_end_first(void **state)
{
    struct stage *stage = *state;
    peer_says(&stage->origin, "banner");
    peer_ends(&stage->origin);
    assert_int_equal(pump(stage), SPLICE_GOING);
    assert_peer_hears(&stage->device, "banner");
    assert_peer_hears_the_end(&stage->device);
    peer_says(&stage->device, "late");
    peer_ends(&stage->device);
    assert_int_equal(pump(stage), SPLICE_DONE);
    assert_peer_hears(&stage->origin, "late");
}

static void both_may_end_at_once(void **state)
{
    struct stage *stage = *state;
    peer_says(&stage->device, "bye");
    peer_says(&stage->origin, "goodbye");
    peer_ends(&stage->device);
    peer_ends(&stage->origin);
    assert_int_equal(pump(stage), SPLICE_DONE);
    assert_peer_hears(&stage->origin, "bye");
    assert_peer_hears(&stage->device, "goodbye");
}

static void the_end_comes_after_everything_that_waits(void **state)
{
    struct stage *stage = *state;
    struct stream up = {.from = &stage->device, .to = &stage->origin, .number = 1};
    pair_narrow(&stage->origin);
    send_until_stuck(stage, &up);
    peer_ends(&stage->device);
    assert_int_equal(pump(stage), SPLICE_GOING);
    receive_the_rest(stage, &up);
    assert_peer_hears_the_end(&stage->origin);
}

static void a_device_that_resets_is_an_error_of_the_device(void **state)
{
    struct stage *stage = *state;
    peer_resets(stage, &stage->device, &stage->origin);
    assert_int_equal(pump(stage), SPLICE_DEVICE_ERROR);
}

static void an_origin_that_resets_is_an_error_of_the_origin(void **state)
{
    struct stage *stage = *state;
    peer_resets(stage, &stage->origin, &stage->device);
    assert_int_equal(pump(stage), SPLICE_ORIGIN_ERROR);
}

/* First it ended, which is no error; then there is nobody to write to. */
static void writing_to_an_origin_that_is_gone_is_its_error(void **state)
{
    struct stage *stage = *state;
    pair_close_peer(&stage->origin);
    assert_int_equal(pump(stage), SPLICE_GOING);
    assert_peer_hears_the_end(&stage->device);
    peer_says(&stage->device, "anybody there?");
    assert_int_equal(pump(stage), SPLICE_ORIGIN_ERROR);
}

static void writing_to_a_device_that_is_gone_is_its_error(void **state)
{
    struct stage *stage = *state;
    pair_close_peer(&stage->device);
    assert_int_equal(pump(stage), SPLICE_GOING);
    peer_says(&stage->origin, "anybody there?");
    assert_int_equal(pump(stage), SPLICE_DEVICE_ERROR);
}

static void the_last_words_of_an_origin_that_is_gone_arrive(void **state)
{
    struct stage *stage = *state;
    peer_says(&stage->device, "a request that nobody reads");
    peer_says(&stage->origin, "last words");
    pair_close_peer(&stage->origin);
    assert_int_equal(pump(stage), SPLICE_ORIGIN_ERROR);
    assert_peer_hears(&stage->device, "last words");
}

static void a_peer_that_goes_while_bytes_wait_for_it_is_an_error(void **state)
{
    struct stage *stage = *state;
    struct stream up = {.from = &stage->device, .to = &stage->origin, .number = 1};
    pair_narrow(&stage->origin);
    send_until_stuck(stage, &up);
    pair_close_peer(&stage->origin);
    assert_int_equal(pump(stage), SPLICE_ORIGIN_ERROR);
}

/* ---- TCP's urgent byte ---- */

static void peer_says_urgently(const struct pair *pair, char byte)
{
    assert_int_equal(send(pair->peer, &byte, 1, MSG_OOB | MSG_NOSIGNAL), 1);
}

/* Passes on until all of it is there, however long TCP takes. */
static void assert_comes_through(struct stage *stage, const struct pair *pair, const char *text)
{
    char heard[64] = "";
    size_t count = 0;
    for (int tries = 0; tries < 10000 && count < strlen(text); tries++) {
        struct pollfd listening = {.fd = pair->peer, .events = POLLIN};
        assert_int_equal(pump(stage), SPLICE_GOING);
        if (poll(&listening, 1, 1) == 0)
            continue;
        ssize_t more = recv(pair->peer, heard + count, sizeof(heard) - 1 - count, 0);
        if (more <= 0)
            break;
        count += (size_t)more;
    }
    assert_string_equal(heard, text);
}

static void what_is_around_an_urgent_byte_is_passed_on(void **state)
{
    struct stage *stage = *state;
    const struct pair *pairs[] = {&stage->device, &stage->origin};
    for (size_t i = 0; i < 2; i++) {
        for (int times = 0; times < 3; times++) {
            peer_says(pairs[i], "before");
            peer_says_urgently(pairs[i], '!');
            peer_says(pairs[i], "after");
            assert_comes_through(stage, pairs[1 - i], "beforeafter");
        }
        assert_int_equal(pump(stage), SPLICE_GOING);
        assert_int_equal(pair_unread(pairs[i]), 0);
    }
}

static void an_urgent_byte_may_be_the_first_that_comes(void **state)
{
    struct stage *stage = *state;
    peer_says_urgently(&stage->device, '!');
    assert_true(comes_in_time(stage->device.ours, POLLPRI));
    assert_int_equal(pump(stage), SPLICE_GOING);
    assert_peer_hears_nothing(&stage->origin);
    peer_says(&stage->device, "after");
    assert_comes_through(stage, &stage->origin, "after");
}

/* More than what is read at once there. */
static void much_may_follow_an_urgent_byte(void **state)
{
    struct stage *stage = *state;
    struct stream up = {&stage->device, &stage->origin, 1, 0, 0, 50000};
    peer_says_urgently(&stage->device, '!');
    send_some(&up);
    for (int tries = 0; tries < 10000 && up.received < up.total; tries++) {
        assert_int_equal(pump(stage), SPLICE_GOING);
        poll(NULL, 0, 1);
        send_some(&up);
        receive_some(&up, SIZE_MAX);
    }
    assert_int_equal(up.received, up.total);
    assert_int_equal(stage->splice.up.bytes, up.total);
}

/* As if the stream had ended at the mark: splice(2) says so. */
static void an_end_behind_an_urgent_byte_loses_nothing(void **state)
{
    struct stage *stage = *state;
    peer_says(&stage->device, "before");
    peer_says_urgently(&stage->device, '!');
    peer_says(&stage->device, "after");
    peer_ends(&stage->device);
    assert_true(comes_in_time(stage->device.ours, POLLRDHUP));
    assert_comes_through(stage, &stage->origin, "beforeafter");
    assert_int_equal(pump(stage), SPLICE_GOING);
    assert_true(comes_in_time(stage->origin.peer, POLLRDHUP));
    assert_peer_hears_the_end(&stage->origin);
    peer_ends(&stage->origin);
    assert_true(comes_in_time(stage->origin.ours, POLLRDHUP));
    assert_int_equal(pump(stage), SPLICE_DONE);
}

static void an_urgent_byte_may_be_the_last_that_comes(void **state)
{
    struct stage *stage = *state;
    peer_says(&stage->device, "before");
    peer_says_urgently(&stage->device, '!');
    peer_ends(&stage->device);
    assert_true(comes_in_time(stage->device.ours, POLLRDHUP));
    assert_comes_through(stage, &stage->origin, "before");
    assert_int_equal(pump(stage), SPLICE_GOING);
    assert_true(comes_in_time(stage->origin.peer, POLLRDHUP));
    assert_peer_hears_the_end(&stage->origin);
}

/* ---- pipes ---- */

static void empty_pipes_are_used_again(void **state)
{
    struct stage *stage = *state;
    splice_fini(&stage->splice);
    assert_int_equal(stage->pool.count, 2);
    size_t before = open_descriptors();
    for (int i = 0; i < 10; i++) {
        assert_true(
            splice_init(&stage->splice, stage->device.ours, stage->origin.ours, &stage->pool));
        assert_int_equal(stage->pool.count, 0);
        assert_int_equal(open_descriptors(), before);
        peer_says(&stage->device, "request");
        assert_int_equal(pump(stage), SPLICE_GOING);
        assert_peer_hears(&stage->origin, "request");
        splice_fini(&stage->splice);
        assert_int_equal(stage->pool.count, 2);
    }
    assert_true(splice_init(&stage->splice, stage->device.ours, stage->origin.ours, &stage->pool));
}

/* They are another connection's bytes. */
static void a_pipe_with_bytes_in_it_is_never_used_again(void **state)
{
    struct stage *stage = *state;
    struct stream up = {.from = &stage->device, .to = &stage->origin, .number = 1};
    size_t before = open_descriptors();
    pair_narrow(&stage->origin);
    send_until_stuck(stage, &up);
    splice_fini(&stage->splice);
    assert_int_equal(stage->pool.count, 1);
    assert_int_equal(open_descriptors(), before - 2);

    struct pair device = {0}, origin = {0};
    assert_true(pair_make(&device) && pair_make(&origin));
    assert_true(splice_init(&stage->splice, device.ours, origin.ours, &stage->pool));
    peer_says(&device, "request");
    peer_says(&origin, "response");
    assert_int_equal(splice_run(&stage->splice, true, true), SPLICE_GOING);
    assert_peer_hears(&origin, "request");
    assert_peer_hears(&device, "response");
    pair_close_peer(&device);
    pair_close_peer(&origin);
    close(device.ours);
    close(origin.ours);
}

static void only_so_many_pipes_are_spared(void **state)
{
    static struct splice many[PIPE_SPARES];
    struct stage *stage = *state;
    size_t before = open_descriptors();
    for (size_t i = 0; i < ARRAY_SIZE(many); i++)
        assert_true(splice_init(&many[i], stage->device.ours, stage->origin.ours, &stage->pool));
    for (size_t i = 0; i < ARRAY_SIZE(many); i++)
        splice_fini(&many[i]);
    assert_int_equal(stage->pool.count, PIPE_SPARES);
    assert_int_equal(open_descriptors(), before + (size_t)2 * PIPE_SPARES);
    pipe_pool_fini(&stage->pool);
    assert_int_equal(stage->pool.count, 0);
    assert_int_equal(open_descriptors(), before);
}

static void limit_descriptors(rlim_t *kept, rlim_t wanted)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    *kept = limit.rlim_cur;
    limit.rlim_cur = wanted;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* Four are needed; there are none, one, two or three. */
static void without_descriptors_there_is_no_splice_and_no_leak(void **state)
{
    struct stage *stage = *state;
    size_t before = open_descriptors();
    for (rlim_t more = 0; more < 4; more++) {
        struct pipe_pool pool = {0};
        struct splice splice;
        rlim_t kept;
        int lowest = dup(stage->device.ours);
        close(lowest);
        limit_descriptors(&kept, (rlim_t)lowest + more);
        errno = 0;
        bool done = splice_init(&splice, stage->device.ours, stage->origin.ours, &pool);
        int error = errno;
        limit_descriptors(&(rlim_t){0}, kept);
        assert_false(done);
        assert_int_equal(error, EMFILE);
        pipe_pool_fini(&pool);
        assert_int_equal(open_descriptors(), before);
    }
}

#define with_stage(test) cmocka_unit_test_setup_teardown(test, make_stage, drop_stage)
#define with_tcp(test) cmocka_unit_test_setup_teardown(test, make_tcp_stage, drop_stage)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_stage(at_first_both_sides_are_waited_for),
        with_stage(bytes_go_both_ways),
        with_stage(what_was_only_peeked_at_is_passed_on_too),
        with_stage(a_side_without_news_is_not_touched),
        with_stage(megabytes_arrive_exactly_as_they_were_sent),
        with_stage(a_busy_side_is_cut_short_and_asked_again),
        with_stage(who_does_not_read_stops_the_reading),
        with_stage(no_more_is_kept_than_a_pipe_holds),
        with_stage(a_stuck_direction_does_not_hold_up_the_other),
        with_stage(a_half_close_is_passed_on_and_the_other_way_stays_open),
        with_stage(the_origin_may_end_first),
        with_stage(both_may_end_at_once),
        with_stage(the_end_comes_after_everything_that_waits),
        with_stage(a_device_that_resets_is_an_error_of_the_device),
        with_stage(an_origin_that_resets_is_an_error_of_the_origin),
        with_stage(writing_to_an_origin_that_is_gone_is_its_error),
        with_stage(writing_to_a_device_that_is_gone_is_its_error),
        with_stage(the_last_words_of_an_origin_that_is_gone_arrive),
        with_stage(a_peer_that_goes_while_bytes_wait_for_it_is_an_error),
        with_tcp(what_is_around_an_urgent_byte_is_passed_on),
        with_tcp(an_urgent_byte_may_be_the_first_that_comes),
        with_tcp(much_may_follow_an_urgent_byte),
        with_tcp(an_end_behind_an_urgent_byte_loses_nothing),
        with_tcp(an_urgent_byte_may_be_the_last_that_comes),
        with_stage(empty_pipes_are_used_again),
        with_stage(a_pipe_with_bytes_in_it_is_never_used_again),
        with_stage(only_so_many_pipes_are_spared),
        with_stage(without_descriptors_there_is_no_splice_and_no_leak),
    };
    signal(SIGPIPE, SIG_IGN); /* as the daemon does */
    alarm(120);
    return cmocka_run_group_tests_name("conn/splice", tests, NULL, NULL);
}
