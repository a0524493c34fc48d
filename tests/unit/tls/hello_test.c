/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hello_bytes.h"
#include "tls/hello.h"

#include <stdlib.h>

#define FULL_RECORD 16384

static uint8_t message_buffer[HELLO_LIMIT];
static struct bytes extensions, message, wire;

static const uint16_t two_ciphers[] = {0x1301, 0xc02b};

/* From a buffer that ends where the bytes do, so that a sanitizer sees a read behind them. */
static enum hello_result parse(struct hello *hello, const void *bytes, size_t length)
{
    uint8_t *copy = malloc(length > 0 ? length : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, length);
    enum hello_result result = hello_parse(hello, copy, length, message_buffer);
    free(copy); /* what is found are views into the message, not into this */
    return result;
}

static enum hello_result parse_wire(struct hello *hello)
{
    return parse(hello, wire.at, wire.length);
}

static void start_over(void)
{
    extensions.length = message.length = wire.length = 0;
}

/* Puts the extensions into a hello, and that into one record. */
static void finish_hello(void)
{
    message.length = wire.length = 0;
    put_hello(&message, 0x0303, two_ciphers, ARRAY_SIZE(two_ciphers), &extensions);
    put_records(&wire, &message, FULL_RECORD);
}

/* A hello with everything in it that is looked at, in one record. */
static void make_full_hello(void)
{
    static const uint16_t groups[] = {0x0a0a, 29, 23}, signatures[] = {0x0403, 0x0804},
                          versions[] = {0x1a1a, 0x0304, 0x0303};
    start_over();
    put_name_extension(&extensions, "a.test", 6);
    put_list_extension(&extensions, EXTENSION_GROUPS, 2, groups, ARRAY_SIZE(groups));
    put_list_extension(&extensions, EXTENSION_SIGNATURES, 2, signatures, ARRAY_SIZE(signatures));
    put_alpn_extension(&extensions, "\2h2\10http/1.1");
    put_list_extension(&extensions, EXTENSION_VERSIONS, 1, versions, ARRAY_SIZE(versions));
    put_extension(&extensions, EXTENSION_ECH, "x", 1);
    finish_hello();
}

static void assert_list(struct reader list, const uint16_t *values, size_t count)
{
    assert_int_equal(list.left, 2 * count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(read_u16(&list), values[i]);
}

static void assert_full_hello(const struct hello *hello)
{
    assert_int_equal(hello->legacy_version, 0x0303);
    assert_int_equal(hello->max_version, 0x0304);
    assert_list(hello->ciphers, two_ciphers, 2);
    assert_list(hello->groups, (const uint16_t[]){0x0a0a, 29, 23}, 3);
    assert_list(hello->signatures, (const uint16_t[]){0x0403, 0x0804}, 2);
    assert_list(hello->versions, (const uint16_t[]){0x1a1a, 0x0304, 0x0303}, 3);
    assert_int_equal(hello->alpn.left, 12);
    assert_memory_equal(hello->alpn.at, "\2h2\10http/1.1", 12);
    assert_int_equal(hello->extensions.left, extensions.length);
    assert_memory_equal(hello->extensions.at, extensions.at, extensions.length);
    assert_string_equal(hello->name, "a.test");
    assert_true(hello->has_sni && hello->has_alpn && hello->has_ech);
}

/* ---- whole ---- */

static void a_whole_hello_is_read(void **state)
{
    (void)state;
    struct hello hello;
    make_full_hello();
    assert_int_equal(parse_wire(&hello), HELLO_COMPLETE);
    assert_full_hello(&hello);
}

static void what_is_found_lies_in_the_message(void **state)
{
    (void)state;
    struct hello hello;
    make_full_hello();
    assert_int_equal(parse_wire(&hello), HELLO_COMPLETE);
    const struct reader parts[] = {hello.ciphers,    hello.extensions, hello.groups,
                                   hello.signatures, hello.versions,   hello.alpn};
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        assert_true(parts[i].at > message_buffer &&
                    parts[i].at + parts[i].left <= message_buffer + message.length);
}

static void a_hello_without_extensions_is_read(void **state)
{
    (void)state;
    struct hello hello;
    start_over();
    put_hello(&message, 0x0301, two_ciphers, ARRAY_SIZE(two_ciphers), NULL);
    put_records(&wire, &message, FULL_RECORD);
    assert_int_equal(parse_wire(&hello), HELLO_COMPLETE);
    assert_int_equal(hello.max_version, 0x0301);
    assert_list(hello.ciphers, two_ciphers, 2);
    assert_int_equal(hello.extensions.left, 0);
    assert_int_equal(hello.signatures.left + hello.groups.left + hello.alpn.left, 0);
    assert_string_equal(hello.name, "");
    assert_false(hello.has_sni || hello.has_alpn || hello.has_ech);
}

static void nothing_of_the_last_hello_is_left_in_the_next(void **state)
{
    (void)state;
    struct hello hello;
    make_full_hello();
    assert_int_equal(parse_wire(&hello), HELLO_COMPLETE);
    start_over();
    put_hello(&message, 0x0303, two_ciphers, 1, NULL);
    put_records(&wire, &message, FULL_RECORD);
    assert_int_equal(parse_wire(&hello), HELLO_COMPLETE);
    assert_list(hello.ciphers, two_ciphers, 1);
    assert_string_equal(hello.name, "");
    assert_false(hello.has_sni || hello.has_alpn || hello.has_ech);
    assert_int_equal(hello.versions.left, 0);
}

static void what_follows_the_hello_is_left_alone(void **state)
{
    (void)state;
    struct hello hello;
    make_full_hello();
    put(&wire, "\x17\x03\x03\x00\x05", 5); /* early data */
    assert_int_equal(parse_wire(&hello), HELLO_COMPLETE);
    assert_full_hello(&hello);
    make_full_hello();
    put(&message, "more", 4); /* in the hello's own record */
    wire.length = 0;
    put_records(&wire, &message, FULL_RECORD);
    assert_int_equal(parse_wire(&hello), HELLO_COMPLETE);
    assert_full_hello(&hello);
}

/* ---- in pieces ---- */

/* At each cut: more is wanted, and what is wanted is the end of a record's header or of a record:
 * so whoever waits for that is never woken for nothing, and never waits for what will not come. */
static void assert_more_at_each_cut(void)
{
    struct hello hello;
    size_t start = 0; /* of the record that the cut is in */
    for (size_t cut = 0; cut < wire.length; cut++) {
        size_t size = (size_t)wire.at[start + 3] << 8 | wire.at[start + 4];
        if (cut == start + 5 + size) {
            start = cut;
            size = (size_t)wire.at[start + 3] << 8 | wire.at[start + 4];
        }
        assert_int_equal(parse(&hello, wire.at, cut), HELLO_MORE);
        assert_int_equal(hello.need, cut < start + 5 ? start + 5 : start + 5 + size);
    }
    assert_int_equal(parse_wire(&hello), HELLO_COMPLETE);
}

static void cut_anywhere_it_wants_the_rest_of_its_record(void **state)
{
    (void)state;
    make_full_hello();
    assert_more_at_each_cut();
}

static void split_over_two_records_anywhere_it_is_the_same(void **state)
{
    (void)state;
    struct hello hello;
    make_full_hello();
    for (size_t split = 1; split < message.length; split++) {
        wire.length = 0;
        put_record(&wire, 22, message.at, split);
        put_record(&wire, 22, message.at + split, message.length - split);
        assert_int_equal(parse_wire(&hello), HELLO_COMPLETE);
        assert_full_hello(&hello);
    }
}

static void split_over_many_records_and_cut_anywhere_it_wants_the_next_part(void **state)
{
    (void)state;
    struct hello hello;
    static const size_t sizes[] = {1, 2, 3, 4, 5, 7, 50};
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        make_full_hello();
        wire.length = 0;
        put_records(&wire, &message, sizes[i]);
        assert_more_at_each_cut();
        assert_int_equal(parse_wire(&hello), HELLO_COMPLETE);
        assert_full_hello(&hello);
    }
}

/* As a worker does: it waits for what was wanted, and looks again. */
static void waiting_for_what_is_wanted_comes_to_the_end(void **state)
{
    (void)state;
    struct hello hello;
    make_full_hello();
    wire.length = 0;
    put_records(&wire, &message, 30);
    size_t have = 0, looks = 0;
    while (parse(&hello, wire.at, have) == HELLO_MORE) {
        assert_true(hello.need > have && hello.need <= wire.length);
        have = hello.need;
        looks++;
    }
    assert_int_equal(have, wire.length);
    assert_int_equal(looks, 2 * ((message.length + 29) / 30));
    assert_full_hello(&hello);
}

/* ---- long ---- */

/* A hello whose message has this length, header and all. */
static void make_hello_of(size_t length)
{
    static uint8_t filling[HELLO_LIMIT];
    start_over();
    put_name_extension(&extensions, "a.test", 6);
    finish_hello();
    put_extension(&extensions, 21, filling, length - message.length - 4);
    finish_hello();
    assert_int_equal(message.length, length);
}

static void a_hello_of_60_kilobytes_is_read(void **state)
{
    (void)state;
    struct hello hello;
    make_hello_of(60000);
    assert_int_equal(parse(&hello, wire.at, wire.length - 1), HELLO_MORE);
    assert_int_equal(hello.need, wire.length);
    assert_int_equal(parse_wire(&hello), HELLO_COMPLETE);
    assert_string_equal(hello.name, "a.test");
    assert_int_equal(hello.extensions.left, extensions.length);
}

static void a_hello_of_the_limit_is_read_and_a_longer_one_is_not(void **state)
{
    (void)state;
    struct hello hello;
    make_hello_of(HELLO_LIMIT);
    assert_int_equal(parse_wire(&hello), HELLO_COMPLETE);
    assert_int_equal(hello.extensions.left, extensions.length);
    make_hello_of(HELLO_LIMIT + 1);
    assert_int_equal(parse_wire(&hello), HELLO_BROKEN);
    /* That is known as soon as its length is: */
    assert_int_equal(parse(&hello, wire.at, 5 + FULL_RECORD), HELLO_BROKEN);
}

static void more_is_never_wanted_than_the_wire_limit(void **state)
{
    (void)state;
    struct hello hello;
    enum hello_result result;
    make_hello_of(60000);
    wire.length = 0;
    put_records(&wire, &message, 16); /* five bytes of header each */
    for (size_t have = 0; (result = parse(&hello, wire.at, have)) == HELLO_MORE;
         have = hello.need) {
        assert_true(hello.need > have);
        assert_true(hello.need <= HELLO_WIRE_LIMIT);
    }
    assert_int_equal(result, HELLO_BROKEN);
}

/* Nobody has room for more: whoever waits for it would be told of nothing new for ever. The limit
 * falls on each place of a record in turn. */
static void small_records_that_come_to_too_much_are_broken_at_the_wire_limit(void **state)
{
    (void)state;
    struct hello hello;
    make_hello_of(60000);
    for (size_t size = 1; size <= 30; size++) {
        wire.length = 0;
        message.length = (HELLO_WIRE_LIMIT / (size + 5) + 3) * size; /* there is no need for all */
        put_records(&wire, &message, size);
        assert_in_range(message.length, 1, 60000);
        assert_int_equal(parse(&hello, wire.at, HELLO_WIRE_LIMIT - 50), HELLO_MORE);
        for (size_t have = HELLO_WIRE_LIMIT - 50; have < HELLO_WIRE_LIMIT + 10; have++) {
            enum hello_result result = parse(&hello, wire.at, have);
            if (result == HELLO_MORE)
                assert_in_range(hello.need, have + 1, HELLO_WIRE_LIMIT);
            else
                assert_int_equal(result, HELLO_BROKEN);
        }
        assert_int_equal(parse_wire(&hello), HELLO_BROKEN);
    }
}

/* ---- not TLS, or broken ---- */

static void what_is_no_tls_is_told_from_the_first_byte_that_shows_it(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t length, shown_at;
    } cases[] = {
        {"GET / HTTP/1.1\r\n\r\n", 18, 1},
        {"\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00", 10, 1}, /* SSLv2's ClientHello */
        {"\x00", 1, 1},
        {"\x15\x03\x01\x00\x02\x02\x28", 7, 1},         /* an alert */
        {"\x17\x03\x03\x00\x02..", 7, 1},               /* application data */
        {"\x16\x02\x00\x00\x05\x01", 6, 2},             /* SSL 2 does not come in records */
        {"\x16\xfe\xfd\x00\x05\x01", 6, 2},             /* DTLS */
        {"\x16\x03\x01\x00\x04\x02\x00\x00\x00", 9, 6}, /* a ServerHello */
        {"\x16\x03\x01\x00\x04\x00\x00\x00\x00", 9, 6}, /* a HelloRequest */
    };
    struct hello hello;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        for (size_t length = 0; length <= cases[i].length; length++)
            assert_int_equal(parse(&hello, cases[i].bytes, length),
                             length < cases[i].shown_at ? HELLO_MORE : HELLO_NOT_TLS);
    }
}

static void records_that_do_not_go_on_are_broken(void **state)
{
    (void)state;
    struct hello hello;
    make_full_hello();
    static const struct {
        const char *header;
        size_t length;
    } cases[] = {
        {"\x15", 1},
        {"\x17", 1},
        {"G", 1},
        {"\x16\x02", 2},
        {"\x16\x03\x03\x00\x00", 5},
        {"\x16\x03\x03\x40\x01", 5},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        wire.length = 0;
        put_record(&wire, 22, message.at, 10);
        put(&wire, cases[i].header, cases[i].length);
        assert_int_equal(parse_wire(&hello), HELLO_BROKEN);
    }
}

static void a_first_record_has_1_to_16384_bytes(void **state)
{
    (void)state;
    struct hello hello;
    assert_int_equal(parse(&hello, "\x16\x03\x01\x00\x00", 5), HELLO_BROKEN);
    assert_int_equal(parse(&hello, "\x16\x03\x01\x00\x01", 5), HELLO_MORE);
    assert_int_equal(parse(&hello, "\x16\x03\x01\x40\x00", 5), HELLO_MORE);
    assert_int_equal(parse(&hello, "\x16\x03\x01\x40\x01", 5), HELLO_BROKEN);
}

/* The lengths in a full hello, where they are in its message, and what they may not be. */
static void a_length_that_is_too_long_breaks_the_hello(void **state)
{
    (void)state;
    struct hello hello;
    make_full_hello();
    const size_t session = 4 + 2 + 32, ciphers = session + 1 + 4, compression = ciphers + 2 + 4,
                 all = compression + 1 + 1;
    assert_int_equal(message.at[session], 4);
    assert_int_equal(message.at[ciphers + 1], 4);
    assert_int_equal(message.at[compression], 1);
    const size_t high_bytes[] = {session, ciphers, compression, all, all + 2 + 2};
    for (size_t i = 0; i < ARRAY_SIZE(high_bytes); i++) {
        uint8_t before = message.at[high_bytes[i]];
        message.at[high_bytes[i]] = 0xff;
        wire.length = 0;
        put_records(&wire, &message, FULL_RECORD);
        assert_int_equal(parse_wire(&hello), HELLO_BROKEN);
        message.at[high_bytes[i]] = before;
    }
    /* By one byte only. */
    message.at[all + 1]++;
    wire.length = 0;
    put_records(&wire, &message, FULL_RECORD);
    assert_int_equal(parse_wire(&hello), HELLO_BROKEN);
}

/* The message's own length is believed: what it cuts off is missing. */
static void a_message_that_ends_too_soon_is_broken_wherever_it_ends(void **state)
{
    (void)state;
    struct hello hello;
    make_full_hello();
    const size_t length = message.length, without_extensions = length - extensions.length - 2;
    for (size_t end = 4; end < length; end++) {
        message.length = end;
        end_vector(&message, 4, 3);
        wire.length = 0;
        put_records(&wire, &message, FULL_RECORD);
        assert_int_equal(parse_wire(&hello),
                         end == without_extensions ? HELLO_COMPLETE : HELLO_BROKEN);
    }
}

static void a_version_that_tls_never_had_breaks_the_hello(void **state)
{
    (void)state;
    static const struct {
        uint16_t version;
        enum hello_result result;
    } cases[] = {{0x0200, HELLO_BROKEN},   {0x0002, HELLO_BROKEN},   {0xfefd, HELLO_BROKEN},
                 {0x0400, HELLO_BROKEN},   {0x0300, HELLO_COMPLETE}, {0x0303, HELLO_COMPLETE},
                 {0x0304, HELLO_COMPLETE}, {0x03ff, HELLO_COMPLETE}};
    struct hello hello;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        start_over();
        put_hello(&message, cases[i].version, two_ciphers, 2, NULL);
        put_records(&wire, &message, FULL_RECORD);
        assert_int_equal(parse_wire(&hello), cases[i].result);
    }
}

static void broken_content_of_an_extension_is_none(void **state)
{
    (void)state;
    static const uint16_t types[] = {EXTENSION_SERVER_NAME, EXTENSION_GROUPS, EXTENSION_SIGNATURES,
                                     EXTENSION_ALPN, EXTENSION_VERSIONS};
    struct hello hello;
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        for (size_t length = 0; length <= 3; length++) {
            start_over();
            put_extension(&extensions, types[i], "\xff\xff\xff", length);
            finish_hello();
            assert_int_equal(parse_wire(&hello), HELLO_COMPLETE);
            assert_int_equal(hello.groups.left + hello.signatures.left + hello.alpn.left +
                                 hello.versions.left,
                             0);
            assert_string_equal(hello.name, "");
            assert_int_equal(hello.has_sni, types[i] == EXTENSION_SERVER_NAME);
            assert_int_equal(hello.has_alpn, types[i] == EXTENSION_ALPN);
        }
    }
}

/* ---- the name ---- */

static void a_name_that_no_host_has_is_none(void **state)
{
    (void)state;
    char longest[256];
    memset(longest, 'a', sizeof(longest));
    const struct {
        const char *name;
        size_t length;
        bool taken;
    } cases[] = {
        {"a.test", 6, true},    {"A-b_c.TEST.", 11, true},
        {"192.0.2.1", 9, true}, {"\"<&>'", 5, true},
        {longest, 255, true},   {longest, 256, false},
        {"", 0, false},         {"a\0.test", 7, false},
        {"\0", 1, false},       {"a test", 6, false},
        {" a", 2, false},       {"a\t", 2, false},
        {"a\n.test", 7, false}, {"a\x1b", 2, false},
        {"a\x7f", 2, false},    {"\xc3\xa9.test", 7, false},
        {"a\xff", 2, false},
    };
    struct hello hello;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        start_over();
        put_name_extension(&extensions, cases[i].name, cases[i].length);
        finish_hello();
        assert_int_equal(parse_wire(&hello), HELLO_COMPLETE);
        assert_true(hello.has_sni);
        assert_int_equal(strlen(hello.name), cases[i].taken ? cases[i].length : 0);
        if (cases[i].taken)
            assert_memory_equal(hello.name, cases[i].name, cases[i].length);
    }
}

static void names_of_other_types_are_passed_over(void **state)
{
    (void)state;
    struct hello hello;
    start_over();
    put_extension(&extensions, EXTENSION_SERVER_NAME, "\0\x0d\x01\0\1x\0\0\6a.test", 15);
    finish_hello();
    assert_int_equal(parse_wire(&hello), HELLO_COMPLETE);
    assert_string_equal(hello.name, "a.test");
    start_over();
    put_extension(&extensions, EXTENSION_SERVER_NAME, "\0\4\1\0\1x", 6);
    finish_hello();
    assert_int_equal(parse_wire(&hello), HELLO_COMPLETE);
    assert_true(hello.has_sni);
    assert_string_equal(hello.name, "");
}

/* ---- the version ---- */

static void the_highest_version_is_the_highest_real_one_offered(void **state)
{
    (void)state;
    static const struct {
        uint16_t versions[4];
        size_t count;
        uint16_t legacy, highest;
    } cases[] = {
        {{0x0304, 0x0303}, 2, 0x0303, 0x0304},
        {{0x0303, 0x0304}, 2, 0x0303, 0x0304},
        {{0x7a7a, 0x0303, 0x0302}, 3, 0x0303, 0x0303}, /* GREASE is higher than all */
        {{0x0305, 0x0304}, 2, 0x0303, 0x0304},         /* of times to come */
        {{0x7f1c, 0x0303}, 2, 0x0303, 0x0303},         /* a draft of 1.3 */
        {{0x0302}, 1, 0x0303, 0x0302},                 /* the list counts, not the old field */
        {{0}, 0, 0x0303, 0x0303},
        {{0}, 0, 0x0301, 0x0301},
        {{0}, 0, 0x0300, 0x0300},
        {{0}, 0, 0x0304, 0x0303}, /* without the list nobody offers more than 1.2 */
        {{0x0a0a}, 1, 0x0303, 0x0303},
    };
    struct hello hello;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        start_over();
        if (cases[i].count > 0)
            put_list_extension(&extensions, EXTENSION_VERSIONS, 1, cases[i].versions,
                               cases[i].count);
        put_hello(&message, cases[i].legacy, two_ciphers, 2, &extensions);
        put_records(&wire, &message, FULL_RECORD);
        assert_int_equal(parse_wire(&hello), HELLO_COMPLETE);
        assert_int_equal(hello.max_version, cases[i].highest);
        assert_int_equal(hello.legacy_version, cases[i].legacy);
    }
}

/* ---- ECDSA ---- */

static void ecdsa_is_for_whoever_can_verify_it(void **state)
{
    (void)state;
    static const uint16_t rsa_suites[] = {0xc02f, 0x1301, 0x009c, 0},
                          ecdsa_suites[] = {0x1301, 0xc02b, 0}, cbc_suite[] = {0xc009, 0};
    static const uint16_t p256[] = {29, 23, 0}, no_p256[] = {29, 24, 0};
    static const uint16_t ecdsa[] = {0x0804, 0x0403, 0}, no_ecdsa[] = {0x0804, 0x0503, 0};
    static const uint16_t none[] = {0};
    static const struct {
        const uint16_t *ciphers, *groups, *signatures;
        bool in_12, in_13;
    } cases[] = {
        {ecdsa_suites, p256, ecdsa, true, true},      {rsa_suites, p256, ecdsa, false, true},
        {cbc_suite, p256, ecdsa, true, true},         {ecdsa_suites, no_p256, ecdsa, false, false},
        {ecdsa_suites, p256, no_ecdsa, false, false}, {ecdsa_suites, none, ecdsa, false, false},
        {ecdsa_suites, p256, none, false, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct hello hello;
        size_t ciphers = 0, groups = 0, signatures = 0;
        while (cases[i].ciphers[ciphers] != 0)
            ciphers++;
        while (cases[i].groups[groups] != 0)
            groups++;
        while (cases[i].signatures[signatures] != 0)
            signatures++;
        start_over();
        if (groups > 0)
            put_list_extension(&extensions, EXTENSION_GROUPS, 2, cases[i].groups, groups);
        if (signatures > 0)
            put_list_extension(&extensions, EXTENSION_SIGNATURES, 2, cases[i].signatures,
                               signatures);
        put_hello(&message, 0x0303, cases[i].ciphers, ciphers, &extensions);
        put_records(&wire, &message, FULL_RECORD);
        assert_int_equal(parse_wire(&hello), HELLO_COMPLETE);
        assert_int_equal(hello_takes_ecdsa(&hello, 0x0303), cases[i].in_12);
        assert_int_equal(hello_takes_ecdsa(&hello, 0x0304), cases[i].in_13);
    }
}

/* RFC 8701: 0x0a0a, 0x1a1a, ... 0xfafa. */
static void grease_is_what_rfc_8701_says(void **state)
{
    (void)state;
    for (uint32_t value = 0; value <= UINT16_MAX; value++) {
        bool expected = (value >> 8) == (value & 0xff) && (value & 0x0f) == 0x0a;
        assert_int_equal(is_grease((uint16_t)value), expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_hello_is_read),
        cmocka_unit_test(what_is_found_lies_in_the_message),
        cmocka_unit_test(a_hello_without_extensions_is_read),
        cmocka_unit_test(nothing_of_the_last_hello_is_left_in_the_next),
        cmocka_unit_test(what_follows_the_hello_is_left_alone),
        cmocka_unit_test(cut_anywhere_it_wants_the_rest_of_its_record),
        cmocka_unit_test(split_over_two_records_anywhere_it_is_the_same),
        cmocka_unit_test(split_over_many_records_and_cut_anywhere_it_wants_the_next_part),
        cmocka_unit_test(waiting_for_what_is_wanted_comes_to_the_end),
        cmocka_unit_test(a_hello_of_60_kilobytes_is_read),
        cmocka_unit_test(a_hello_of_the_limit_is_read_and_a_longer_one_is_not),
        cmocka_unit_test(more_is_never_wanted_than_the_wire_limit),
        cmocka_unit_test(small_records_that_come_to_too_much_are_broken_at_the_wire_limit),
        cmocka_unit_test(what_is_no_tls_is_told_from_the_first_byte_that_shows_it),
        cmocka_unit_test(records_that_do_not_go_on_are_broken),
        cmocka_unit_test(a_first_record_has_1_to_16384_bytes),
        cmocka_unit_test(a_length_that_is_too_long_breaks_the_hello),
        cmocka_unit_test(a_message_that_ends_too_soon_is_broken_wherever_it_ends),
        cmocka_unit_test(a_version_that_tls_never_had_breaks_the_hello),
        cmocka_unit_test(broken_content_of_an_extension_is_none),
        cmocka_unit_test(a_name_that_no_host_has_is_none),
        cmocka_unit_test(names_of_other_types_are_passed_over),
        cmocka_unit_test(the_highest_version_is_the_highest_real_one_offered),
        cmocka_unit_test(ecdsa_is_for_whoever_can_verify_it),
        cmocka_unit_test(grease_is_what_rfc_8701_says),
    };
    return cmocka_run_group_tests_name("tls/hello", tests, NULL, NULL);
}
