/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/detect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct sample {
    const char *bytes;
    size_t length;
    const char *protocol;
};

/* A literal may hold zeros. */
#define SAMPLE(literal, name)              \
    {                                      \
        literal, sizeof(literal) - 1, name \
    }

/* The bytes stand alone in memory, so that AddressSanitizer sees a read behind them. */
static const char *detect(const char *bytes, size_t length, bool to_server)
{
    uint8_t *exact = malloc(length > 0 ? length : 1);
    assert_non_null(exact);
    memcpy(exact, bytes, length);
    const char *protocol = detect_protocol(exact, length, to_server);
    free(exact);
    return protocol;
}

static void assert_samples(const struct sample *samples, size_t count, bool to_server)
{
    for (size_t i = 0; i < count; i++)
        assert_string_equal(detect(samples[i].bytes, samples[i].length, to_server),
                            samples[i].protocol);
}

static const struct sample from_clients[] = {
    SAMPLE("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n", "http"),
    SAMPLE("POST /upload HTTP/1.1\r\n", "http"),
    SAMPLE("HEAD / HTTP/1.0\r\n", "http"),
    SAMPLE("PUT / HTTP/1.1\r\n", "http"),
    SAMPLE("DELETE / HTTP/1.1\r\n", "http"),
    SAMPLE("OPTIONS * HTTP/1.1\r\n", "http"),
    SAMPLE("CONNECT example.com:443 HTTP/1.1\r\n", "http"),
    SAMPLE("PATCH / HTTP/1.1\r\n", "http"),
    SAMPLE("TRACE / HTTP/1.1\r\n", "http"),
    SAMPLE("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "http2"),
    SAMPLE("SSH-2.0-OpenSSH_9.2\r\n", "ssh"),
    SAMPLE("EHLO client.example\r\n", "smtp"),
    SAMPLE("HELO client.example\r\n", "smtp"),
    SAMPLE("USER somebody\r\n", "ftp"),
    SAMPLE("AUTH TLS\r\n", "ftp"),
    SAMPLE("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "tls"),
    SAMPLE("\x16\x03\x03\x00\x10", "tls"),
    SAMPLE("\x10\x10\0\4MQTT\4\2\0\x3c\0\4test", "mqtt"),
    SAMPLE("\x10\x12\0\6MQIsdp\3\2\0\x3c\0\4test", "mqtt"),
    /* A length of one byte to four: the largest, and the smallest in too many bytes. */
    SAMPLE("\x10\x7f\0\4MQTT\4\2\0\x3c", "mqtt"),
    SAMPLE("\x10\xff\x7f\0\4MQTT\4\2\0\x3c", "mqtt"),
    SAMPLE("\x10\xff\xff\x7f\0\4MQTT\4\2\0\x3c", "mqtt"),
    SAMPLE("\x10\xff\xff\xff\x7f\0\4MQTT\4\2\0\x3c", "mqtt"),
    SAMPLE("\x10\x90\0\0\4MQTT\4\2\0\x3c", "mqtt"),
    SAMPLE("\x10\xff\x7f\0\6MQIsdp\3\2\0\x3c", "mqtt"),
    SAMPLE("\0\x12\x12\x34\1\x20\0\1\0\0\0\0\0\1\0\0\1\0\1", "dns"),
};

static const struct sample from_servers[] = {
    SAMPLE("SSH-2.0-OpenSSH_9.2\r\n", "ssh"),
    SAMPLE("220 mail.example ESMTP Postfix\r\n", "smtp"),
    SAMPLE("220-mail.example SMTP\r\n220 go on\r\n", "smtp"),
    SAMPLE("220 (vsFTPd 3.0.3)\r\n", "ftp"),
    SAMPLE("220 FTP server ready.\r\n", "ftp"),
    SAMPLE("* OK [CAPABILITY IMAP4rev1] ready\r\n", "imap"),
    SAMPLE("* PREAUTH ready\r\n", "imap"),
    SAMPLE("+OK POP3 ready\r\n", "pop3"),
};

static void clients_are_known_by_how_they_start(void **state)
{
    (void)state;
    assert_samples(from_clients, ARRAY_SIZE(from_clients), true);
}

static void servers_are_known_by_how_they_greet(void **state)
{
    (void)state;
    assert_samples(from_servers, ARRAY_SIZE(from_servers), false);
}

static void what_is_not_known_is_named_failed(void **state)
{
    (void)state;
    static const struct sample unknown[] = {
        SAMPLE("", "failed"),
        SAMPLE("\0", "failed"),
        SAMPLE("hello\r\n", "failed"),
        SAMPLE(" GET / HTTP/1.1\r\n", "failed"),
        SAMPLE("get / http/1.1\r\n", "failed"),
        SAMPLE("GETTING started\r\n", "failed"),
        SAMPLE("220 what is this\r\n", "failed"),
        SAMPLE("\x16\x02\x00", "failed"), /* no version that ever was */
        SAMPLE("\x17\x03\x03", "failed"), /* TLS, but not its start */
        SAMPLE("\x10\x10\0\4MQTX\4\2", "failed"),
        SAMPLE("\x20\x10\0\4MQTT\4\2", "failed"),
        /* An answer of DNS, two questions, and less than a question. */
        SAMPLE("\0\x12\x12\x34\x81\x20\0\1\0\0\0\0\0\1\0\0\1\0\1", "failed"),
        SAMPLE("\0\x12\x12\x34\1\x20\0\2\0\0\0\0\0\1\0\0\1\0\1", "failed"),
        SAMPLE("\0\x0c\x12\x34\1\x20\0\1\0\0\0\0\0\0", "failed"),
        /* A length that is longer than MQTT's are, or than it says, */
        SAMPLE("\x10\xff\xff\xff\xff\x7f\0\4MQTT\4\2\0\x3c", "failed"),
        SAMPLE("\x10\x7f\x7f\0\4MQTT\4\2\0\x3c", "failed"),
        SAMPLE("\x10\xff\0\4MQTT\4\2\0\x3c", "failed"),
        /* and one behind which the name is not all there. */
        SAMPLE("\x10", "failed"),
        SAMPLE("\x10\xff", "failed"),
        SAMPLE("\x10\xff\xff\xff", "failed"),
        SAMPLE("\x10\xff\xff\xff\x7f", "failed"),
        SAMPLE("\x10\xff\xff\xff\x7f\0\4MQT", "failed"),
    };
    assert_samples(unknown, ARRAY_SIZE(unknown), true);
    assert_samples(unknown, ARRAY_SIZE(unknown), false);
}

/* Each of these would be known if the other side had said it. */
static void it_matters_who_speaks(void **state)
{
    (void)state;
    static const struct sample by_servers[] = {
        SAMPLE("GET / HTTP/1.1\r\n", "failed"),
        SAMPLE("\x16\x03\x03\x00\x10", "failed"),
        SAMPLE("\x10\x10\0\4MQTT\4\2", "failed"),
        SAMPLE("EHLO client.example\r\n", "failed"),
    };
    static const struct sample by_clients[] = {
        SAMPLE("220 mail.example ESMTP\r\n", "failed"),
        SAMPLE("* OK ready\r\n", "failed"),
        SAMPLE("+OK ready\r\n", "failed"),
    };
    assert_samples(by_servers, ARRAY_SIZE(by_servers), false);
    assert_samples(by_clients, ARRAY_SIZE(by_clients), true);
}

/* However few bytes have come: never something else first, and no byte is read behind them. */
static void assert_known_or_not_yet(const struct sample *sample, bool to_server)
{
    bool known = false;
    for (size_t length = 0; length <= sample->length; length++) {
        const char *protocol = detect(sample->bytes, length, to_server);
        if (known || strcmp(protocol, "failed") != 0)
            assert_string_equal(protocol, sample->protocol);
        known = known || strcmp(protocol, "failed") != 0;
    }
    assert_true(known);
}

static void a_start_that_is_cut_is_not_taken_for_something_else(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(from_clients); i++)
        assert_known_or_not_yet(&from_clients[i], true);
    for (size_t i = 0; i < ARRAY_SIZE(from_servers); i++)
        assert_known_or_not_yet(&from_servers[i], false);
}

static void a_name_that_was_agreed_on_or_a_port_may_tell(void **state)
{
    (void)state;
    assert_string_equal(detect_by_alpn(text_from("h2", 2)), "http2");
    assert_string_equal(detect_by_alpn(text_from("http/1.1", 8)), "http");
    assert_string_equal(detect_by_alpn(text_from("mqtt", 4)), "mqtt");
    assert_string_equal(detect_by_alpn(text_from("dot", 3)), "dns");
    assert_null(detect_by_alpn(text_from("h2c", 3)));
    assert_null(detect_by_alpn(text_from("H2", 2)));
    assert_null(detect_by_alpn(text_from("", 0)));
    assert_null(detect_by_alpn((struct text){0}));
    assert_string_equal(detect_by_port(853), "dns");
    assert_null(detect_by_port(443));
}

static void what_was_agreed_on_and_the_port_tell_too(void **state)
{
    (void)state;
    assert_string_equal(detect_by_alpn(text_from("imap", 4)), "imap");
    assert_string_equal(detect_by_alpn(text_from("pop3", 4)), "pop3");
    assert_string_equal(detect_by_alpn(text_from("ftp", 3)), "ftp");
    assert_null(detect_by_alpn(text_from("smtp", 4)));
    assert_string_equal(detect_by_port(25), "smtp");
    assert_string_equal(detect_by_port(587), "smtp");
    assert_string_equal(detect_by_port(143), "imap");
    assert_string_equal(detect_by_port(995), "pop3");
    assert_string_equal(detect_by_port(21), "ftp");
    assert_null(detect_by_port(443));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clients_are_known_by_how_they_start),
        cmocka_unit_test(servers_are_known_by_how_they_greet),
        cmocka_unit_test(what_is_not_known_is_named_failed),
        cmocka_unit_test(it_matters_who_speaks),
        cmocka_unit_test(a_start_that_is_cut_is_not_taken_for_something_else),
        cmocka_unit_test(a_name_that_was_agreed_on_or_a_port_may_tell),
        cmocka_unit_test(what_was_agreed_on_and_the_port_tell_too),
    };
    return cmocka_run_group_tests_name("tap/detect", tests, NULL, NULL);
}
