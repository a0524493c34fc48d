/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * With the kernel's own sets, in a network namespace that is left behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/log.h"
#include "gate/decided.h"
#include "gate/ruleset.h"

#include <errno.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdlib.h>

#define NOW 1000000

struct bench {
    struct netlink netlink;
    struct decided_room room;
    size_t warnings;
    bool usable;
};

/* False where we may not, or where the kernel has no nf_tables. */
static bool make_sets(struct netlink *netlink)
{
    struct nft nft;
    if (unshare(CLONE_NEWNET) != 0 || !netlink_open(netlink, NETLINK_NETFILTER, 0))
        return false;
    nft_begin(&nft, netlink, RULESET_TABLE);
    nft_add_table(&nft, 0, "table");
    for (size_t i = 0; i < DECIDED_SETS; i++) {
        const struct nft_set set = {.name = decided_sets[i].name,
                                    .key = decided_sets[i].key,
                                    .timeout = 3600,
                                    .size_limit = 1};
        nft_add_set(&nft, &set, "sets");
    }
    return nft_commit(&nft, NULL);
}

static void count_warning(void *context, const char *line, size_t length)
{
    struct bench *bench = context;
    (void)line;
    (void)length;
    bench->warnings++;
}

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    if (bench == NULL)
        return -1;
    bench->usable = make_sets(&bench->netlink);
    log_redirect(count_warning, bench);
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    log_redirect(NULL, NULL);
    netlink_close(&bench->netlink);
    free(bench);
    return 0;
}

static struct decided passed(const char *origin)
{
    struct decided decided = {.protocol = IPPROTO_TCP, .verdict = VERDICT_PASS};
    assert_true(address_parse(&decided.origin, origin));
    return decided;
}

static struct decided passed_for_device(const char *origin)
{
    struct decided decided = passed(origin);
    assert_true(address_ip_parse(&decided.device, "10.0.0.1"));
    return decided;
}

static size_t add(struct bench *bench, const struct decided *items, size_t count, uint64_t now)
{
    return decided_add(&bench->netlink, &bench->room, items, count, now);
}

/* Behind decided_add()'s back. */
static void empty_sets(struct bench *bench)
{
    struct nft nft;
    nft_begin(&nft, &bench->netlink, RULESET_TABLE);
    for (size_t i = 0; i < DECIDED_SETS; i++)
        nft_flush_set(&nft, decided_sets[i].name);
    assert_true(nft_commit(&nft, NULL));
}

static void count_entry(const struct decided_entry *entry, void *context)
{
    size_t *count = context;
    (void)entry;
    (*count)++;
}

static size_t kept(struct bench *bench)
{
    size_t count = 0;
    assert_true(decided_list(&bench->netlink, 3600, count_entry, &count));
    return count;
}

static void a_full_set_does_not_keep_the_others_from_learning(void **state)
{
    struct bench *bench = *state;
    if (!bench->usable)
        skip();
    const struct decided items[] = {passed("198.51.100.1:443"), passed("198.51.100.2:443"),
                                    passed("[2001:db8::1]:443"),
                                    passed_for_device("198.51.100.3:443")};
    assert_int_equal(add(bench, items, 1, NOW), 1);
    assert_int_equal(add(bench, items + 1, 3, NOW), 2);
    assert_int_equal(kept(bench), 3);
    assert_int_equal(bench->warnings, 1);
    errno = 0;
    assert_int_equal(add(bench, items + 1, 1, NOW), 0);
    assert_int_equal(errno, ENFILE);
    empty_sets(bench);
    assert_int_equal(add(bench, items, 3, NOW), 1);
}

static void several_sets_may_be_full(void **state)
{
    struct bench *bench = *state;
    if (!bench->usable)
        skip();
    const struct decided items[] = {passed("198.51.100.1:443"), passed("[2001:db8::1]:443"),
                                    passed("198.51.100.2:443"), passed("[2001:db8::2]:443"),
                                    passed_for_device("198.51.100.3:443")};
    assert_int_equal(add(bench, items, 2, NOW), 2);
    assert_int_equal(add(bench, items + 2, 3, NOW), 1);
    assert_int_equal(bench->warnings, 2);
}

static void after_a_while_a_full_set_is_tried_again(void **state)
{
    struct bench *bench = *state;
    if (!bench->usable)
        skip();
    const struct decided first = passed("198.51.100.1:443"), other = passed("198.51.100.2:443");
    assert_int_equal(add(bench, &first, 1, NOW), 1);
    assert_int_equal(add(bench, &other, 1, NOW), 0);
    empty_sets(bench);
    assert_int_equal(add(bench, &other, 1, NOW + DECIDED_FULL_MS - 1), 0);
    assert_int_equal(add(bench, &other, 1, NOW + DECIDED_FULL_MS), 1);
    /* It hovers at its limit: that was said. */
    assert_int_equal(add(bench, &first, 1, NOW + DECIDED_FULL_MS), 0);
    assert_int_equal(add(bench, &first, 1, NOW + 2 * DECIDED_FULL_MS), 0);
    assert_int_equal(bench->warnings, 1);
    decided_room_reset(&bench->room, false);
    assert_int_equal(add(bench, &first, 1, NOW), 0);
    assert_int_equal(bench->warnings, 2);
}

static void only_what_was_forgotten_has_room_again(void **state)
{
    struct bench *bench = *state;
    if (!bench->usable)
        skip();
    const struct decided for_all[] = {passed("198.51.100.1:443"), passed("198.51.100.2:443")};
    const struct decided for_device[] = {passed_for_device("198.51.100.1:443"),
                                         passed_for_device("198.51.100.2:443")};
    assert_int_equal(add(bench, for_all, 1, NOW) + add(bench, for_device, 1, NOW), 2);
    assert_int_equal(add(bench, for_all + 1, 1, NOW) + add(bench, for_device + 1, 1, NOW), 0);
    empty_sets(bench);
    decided_room_reset(&bench->room, true);
    assert_int_equal(add(bench, for_all + 1, 1, NOW), 0);
    assert_int_equal(add(bench, for_device + 1, 1, NOW), 1);
    decided_room_reset(&bench->room, false);
    assert_int_equal(add(bench, for_all + 1, 1, NOW), 1);
}

static void where_the_sets_are_gone_nothing_is_full(void **state)
{
    struct bench *bench = *state;
    if (!bench->usable)
        skip();
    const struct decided decided = passed("198.51.100.1:443");
    ruleset_remove(&bench->netlink);
    errno = 0;
    assert_int_equal(add(bench, &decided, 1, NOW), 0);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(bench->warnings, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_full_set_does_not_keep_the_others_from_learning, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(several_sets_may_be_full, set_up, tear_down),
        cmocka_unit_test_setup_teardown(after_a_while_a_full_set_is_tried_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_what_was_forgotten_has_room_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(where_the_sets_are_gone_nothing_is_full, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("gate/decided", tests, NULL, NULL);
}
