/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/starttls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* What is said, one after the other. The last word may have more behind it than is taken. */
struct word {
    bool by_device;
    const char *text;
    size_t taken; /* of it; 0: all */
};

#define DEVICE(said)                    \
    {                                   \
        .by_device = true, .text = said \
    }
#define ORIGIN(said)                     \
    {                                    \
        .by_device = false, .text = said \
    }

struct talk {
    struct word words[10];
    enum starttls_turn end;
    const char *name;
};

/* The bytes stand alone in memory, so that AddressSanitizer sees a read behind them. */
static size_t say(struct starttls *starttls, bool by_device, const char *text, size_t length)
{
    uint8_t *exact = malloc(length > 0 ? length : 1);
    assert_non_null(exact);
    memcpy(exact, text, length);
    size_t taken = by_device ? starttls_by_device(starttls, exact, length)
                             : starttls_by_origin(starttls, exact, length);
    free(exact);
    assert_true(taken <= length);
    return taken;
}

/* `step` bytes more each time, as if they came in segments; what is not taken is shown again. */
static size_t say_in_steps(struct starttls *starttls, const struct word *word, size_t step)
{
    size_t length = strlen(word->text), taken = 0;
    for (size_t end = step; end < length + step; end += step) {
        size_t seen = end < length ? end : length;
        taken += say(starttls, word->by_device, word->text + taken, seen - taken);
    }
    return taken;
}

static void begin(struct starttls *starttls, const struct word *word, size_t step)
{
    size_t length = strlen(word->text);
    assert_true(starttls_init(starttls, (const uint8_t *)word->text, step < length ? step : length,
                              word->by_device));
}

static void assert_talk(const struct talk *talk, size_t step)
{
    struct starttls starttls;
    begin(&starttls, &talk->words[0], step);
    for (size_t i = 0; i < ARRAY_SIZE(talk->words) && talk->words[i].text != NULL; i++) {
        const struct word *word = &talk->words[i];
        size_t taken = say_in_steps(&starttls, word, step);
        if (starttls.turn != STARTTLS_OVER)
            assert_int_equal(taken, word->taken > 0 ? word->taken : strlen(word->text));
    }
    assert_int_equal(starttls.turn, talk->end);
    if (talk->name != NULL)
        assert_string_equal(starttls.name, talk->name);
    else
        assert_null(starttls.name);
}

static void assert_talks(const struct talk *talks, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t step = 1; step < 200; step = step < 8 ? step + 1 : step * 5)
            assert_talk(&talks[i], step);
}

#define STREAM "<?xml version='1.0'?><stream:stream to='a>b' version=\"1.0\" xmlns='jabber:client'>"
#define ANSWER "<?xml version='1.0'?>\n<stream:stream id='1' version='1.0'>"
#define STARTTLS "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
#define PROCEED "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
#define FEATURES                                                                              \
    "<stream:features><starttls xmlns='x'><required/></starttls><mechanisms><mechanism>PLAIN" \
    "</mechanism></mechanisms></stream:features>"

/* Until the device says something in plaintext, it may begin TLS at any moment. */
static void that_tls_was_asked_for_is_known_until_the_device_goes_on_without(void **state)
{
    (void)state;
    static const struct {
        struct word words[10];
        bool asked;
    } talks[] = {
        {{ORIGIN("220 mail\r\n"), DEVICE("EHLO me\r\n")}, false},
        {{ORIGIN("220 mail\r\n"), DEVICE("STARTTLS\r\n")}, true},
        {{ORIGIN("220 mail\r\n"), DEVICE("STARTTLS\r\n"), ORIGIN("go on\r\n")}, true},
        {{ORIGIN("220 mail\r\n"), DEVICE("STARTTLS\r\n"), ORIGIN("250 yes\r\n"),
          DEVICE("\x16\x03\x01")},
         true},
        {{ORIGIN("220 mail\r\n"), DEVICE("STARTTLS\r\n"), ORIGIN("454 no\r\n"),
          DEVICE("MAIL FROM:<a>\r\n")},
         false},
        {{DEVICE(STREAM), ORIGIN(ANSWER FEATURES), DEVICE(STARTTLS), ORIGIN("<failure/>")}, false},
        {{DEVICE(STREAM), ORIGIN(ANSWER FEATURES), DEVICE(STARTTLS), ORIGIN("<what/>")}, true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(talks); i++) {
        struct starttls starttls;
        begin(&starttls, &talks[i].words[0], SIZE_MAX);
        for (size_t j = 0; talks[i].words[j].text != NULL; j++)
            say(&starttls, talks[i].words[j].by_device, talks[i].words[j].text,
                strlen(talks[i].words[j].text));
        assert_int_equal(starttls.asked, talks[i].asked);
    }
}

static void tls_begins_when_both_have_agreed(void **state)
{
    (void)state;
    static const struct talk talks[] = {
        {{ORIGIN("220 mail ESMTP\r\n"), DEVICE("EHLO me\r\n"),
          ORIGIN("250-mail\r\n250-SIZE\r\n250 STARTTLS\r\n"), DEVICE("STARTTLS\r\n"),
          ORIGIN("220 2.0.0 go on\r\n")},
         STARTTLS_BEGINS,
         "smtp"},
        {{ORIGIN("220-mail\r\n220-still\r\n220 ESMTP\r\n"), DEVICE("starttls \n"),
          ORIGIN("220-go\r\n220 on\r\n")},
         STARTTLS_BEGINS,
         "smtp"},
        {{ORIGIN("220 mail\r\n"), DEVICE("NOOP\r\n"), ORIGIN("250 ok\r\n"), DEVICE("LHLO me\r\n"),
          ORIGIN("250 mail\r\n"), DEVICE("STARTTLS\r\n"), ORIGIN("220\r\n")},
         STARTTLS_BEGINS,
         "smtp"},
        {{ORIGIN("220-FTP\r\n  what a banner\r\n500 lines\r\n220 ready\r\n"), DEVICE("FEAT\r\n"),
          ORIGIN("211-Features:\r\n AUTH TLS\r\n PBSZ\r\n211 End\r\n"), DEVICE("AUTH TLS\r\n"),
          ORIGIN("234 go on\r\n")},
         STARTTLS_BEGINS,
         "ftp"},
        {{ORIGIN("220 FTP\r\n"), DEVICE("auth ssl\r\n"), ORIGIN("234 go on\r\n")},
         STARTTLS_BEGINS,
         "ftp"},
        {{ORIGIN("* OK [CAPABILITY IMAP4rev1] hello\r\n"), DEVICE("a1 CAPABILITY\r\n"),
          ORIGIN("* CAPABILITY IMAP4rev1 STARTTLS\r\na1 OK done\r\n"), DEVICE("a2 STARTTLS\r\n"),
          ORIGIN("a2 OK go on\r\n")},
         STARTTLS_BEGINS,
         "imap"},
        {{ORIGIN("* OK hello\r\n"), DEVICE("a ID (\"name\" \"x\")\r\n"),
          ORIGIN("* ID NIL\r\na OK done\r\n"), DEVICE("a starttls\r\n"),
          ORIGIN("* OK still here\r\na OK go on\r\n")},
         STARTTLS_BEGINS,
         "imap"},
        {{ORIGIN("+OK hello\r\n"), DEVICE("CAPA\r\n"), ORIGIN("+OK list\r\nSTLS\r\nUSER\r\n.\r\n"),
          DEVICE("STLS\r\n"), ORIGIN("+OK go on\r\n")},
         STARTTLS_BEGINS,
         "pop3"},
        {{ORIGIN("+OK hello\r\n"), DEVICE("capa\r\n"), ORIGIN("-ERR what?\r\n"), DEVICE("stls\r\n"),
          ORIGIN("+OK\r\n")},
         STARTTLS_BEGINS,
         "pop3"},
        {{DEVICE(STREAM), ORIGIN(ANSWER FEATURES "\n"), DEVICE("\n" STARTTLS), ORIGIN(PROCEED)},
         STARTTLS_BEGINS,
         "xmpp"},
        {{DEVICE(STREAM), ORIGIN(ANSWER "<stream:features/>"),
          DEVICE("<starttls a='/'></starttls>"), ORIGIN("<proceed a='1'>\n</proceed>")},
         STARTTLS_BEGINS,
         "xmpp"},
    };
    assert_talks(talks, ARRAY_SIZE(talks));
}

/* What is behind the command waits for the answer; what is behind the answer is never taken. */
static void nothing_is_taken_behind_the_agreement(void **state)
{
    (void)state;
    static const struct talk talks[] = {
        {{ORIGIN("220 mail\r\n"),
          {true, "STARTTLS\r\nRSET\r\nMAIL FROM:<a>\r\n", strlen("STARTTLS\r\n")},
          {false, "220 go on\r\n250 injected\r\n", strlen("220 go on\r\n")}},
         STARTTLS_BEGINS,
         "smtp"},
        {{ORIGIN("220 FTP\r\n"),
          {true, "AUTH TLS\r\nUSER a\r\n", strlen("AUTH TLS\r\n")},
          {false, "234 go on\r\n331 injected\r\n", strlen("234 go on\r\n")}},
         STARTTLS_BEGINS,
         "ftp"},
        {{ORIGIN("* OK hello\r\n"),
          {true, "a STARTTLS\r\nb LOGIN a b\r\n", strlen("a STARTTLS\r\n")},
          {false, "a OK go on\r\nb OK injected\r\n", strlen("a OK go on\r\n")}},
         STARTTLS_BEGINS,
         "imap"},
        {{ORIGIN("+OK hello\r\n"),
          {true, "STLS\r\nUSER a\r\n", strlen("STLS\r\n")},
          {false, "+OK go on\r\n+OK injected\r\n", strlen("+OK go on\r\n")}},
         STARTTLS_BEGINS,
         "pop3"},
        {{DEVICE(STREAM),
          ORIGIN(ANSWER FEATURES),
          {true, STARTTLS "<auth/>", strlen(STARTTLS)},
          {false, PROCEED "<success/>", strlen(PROCEED)}},
         STARTTLS_BEGINS,
         "xmpp"},
    };
    assert_talks(talks, ARRAY_SIZE(talks));
}

/* The same tag twice, or a reply that looks right: an answer belongs to the command before it. */
static void an_answer_is_not_taken_for_that_of_another_command(void **state)
{
    (void)state;
    static const struct talk talks[] = {
        {{ORIGIN("* OK hello\r\n"),
          {true, "a NOOP\r\na STARTTLS\r\n", strlen("a NOOP\r\n")},
          ORIGIN("a OK done\r\n")},
         STARTTLS_DEVICE,
         "imap"},
        {{ORIGIN("220 mail\r\n"),
          {true, "HELP\r\nSTARTTLS\r\n", strlen("HELP\r\n")},
          ORIGIN("220 go on\r\n")},
         STARTTLS_DEVICE,
         NULL},
        {{ORIGIN("220 FTP\r\n"), DEVICE("FEAT\r\n"), ORIGIN("234 go on\r\n")},
         STARTTLS_DEVICE,
         "ftp"},
        {{ORIGIN("+OK hello\r\n"),
          {true, "CAPA\r\nSTLS\r\n", strlen("CAPA\r\n")},
          {false, "+OK list\r\n+OK\r\nSTLS\r\n.\r\n", 0}},
         STARTTLS_DEVICE,
         "pop3"},
    };
    assert_talks(talks, ARRAY_SIZE(talks));
}

static void a_refusal_lets_the_dialogue_go_on(void **state)
{
    (void)state;
    static const struct talk talks[] = {
        {{ORIGIN("220 mail\r\n"), DEVICE("STARTTLS\r\n"), ORIGIN("454 not now\r\n"),
          DEVICE("EHLO a\r\n")},
         STARTTLS_ORIGIN,
         "smtp"},
        {{ORIGIN("* OK hello\r\n"), DEVICE("a STARTTLS\r\n"), ORIGIN("a BAD what?\r\n")},
         STARTTLS_DEVICE,
         "imap"},
        {{ORIGIN("+OK hello\r\n"), DEVICE("STLS\r\n"), ORIGIN("-ERR what?\r\n")},
         STARTTLS_DEVICE,
         "pop3"},
        {{ORIGIN("220 FTP\r\n"), DEVICE("AUTH TLS\r\n"), ORIGIN("334 what?\r\n")},
         STARTTLS_DEVICE,
         "ftp"},
        {{DEVICE(STREAM), ORIGIN(ANSWER FEATURES), DEVICE(STARTTLS), ORIGIN("<failure/>")},
         STARTTLS_OVER,
         "xmpp"},
    };
    assert_talks(talks, ARRAY_SIZE(talks));
}

static void what_leads_elsewhere_is_let_go(void **state)
{
    (void)state;
    static const struct talk talks[] = {
        {{ORIGIN("220 mail\r\n"), DEVICE("MAIL FROM:<a>\r\n")}, STARTTLS_OVER, NULL},
        {{ORIGIN("220 mail\r\n"), DEVICE("EHLO a\r\n"), ORIGIN("250 ok\r\n"),
          DEVICE("AUTH PLAIN x\r\n")},
         STARTTLS_OVER,
         "smtp"},
        {{ORIGIN("220 mail\r\n"), DEVICE("STARTTLS now\r\n")}, STARTTLS_OVER, NULL},
        {{ORIGIN("220 mail\r\n"), DEVICE("NOOP \rSTARTTLS\r\n")}, STARTTLS_OVER, NULL},
        {{ORIGIN("220 FTP\r\n"), DEVICE("USER a\r\n")}, STARTTLS_OVER, NULL},
        {{ORIGIN("220 a\r\n250 out of turn\r\n")}, STARTTLS_OVER, NULL},
        {{ORIGIN("220what\r\n")}, STARTTLS_OVER, NULL},
        {{ORIGIN("220 a\r\n"), DEVICE("EH\1")}, STARTTLS_OVER, NULL},
        {{ORIGIN("* OK hello\r\n"), DEVICE("a LOGIN b c\r\n")}, STARTTLS_OVER, "imap"},
        {{ORIGIN("* OK hello\r\n"), DEVICE("a ID {3}\r\n")}, STARTTLS_OVER, "imap"},
        {{ORIGIN("* OK hello\r\n"), DEVICE("* STARTTLS\r\n")}, STARTTLS_OVER, "imap"},
        {{ORIGIN("* OK hello\r\n"), DEVICE("a NOOP\r\n"), ORIGIN("* BYE\r\n")},
         STARTTLS_OVER,
         "imap"},
        {{ORIGIN("* OK hello\r\n"), DEVICE("a NOOP\r\n"), ORIGIN("b OK\r\n")},
         STARTTLS_OVER,
         "imap"},
        {{ORIGIN("+OK hello\r\n"), DEVICE("USER a\r\n")}, STARTTLS_OVER, "pop3"},
        {{ORIGIN("+OK hello\r\n"), DEVICE("CAPA\r\n"), ORIGIN("?\r\n")}, STARTTLS_OVER, "pop3"},
        {{DEVICE("<?xml version='1.0'?><note>")}, STARTTLS_OVER, "xmpp"},
        {{DEVICE("<stream:stream to='a'>")}, STARTTLS_OVER, "xmpp"},
        {{DEVICE(STREAM), ORIGIN(ANSWER "<stream:error>")}, STARTTLS_OVER, "xmpp"},
        {{DEVICE(STREAM), ORIGIN(ANSWER FEATURES), DEVICE("<auth>")}, STARTTLS_OVER, "xmpp"},
        {{DEVICE(STREAM), ORIGIN(ANSWER FEATURES), DEVICE("xstarttls ")}, STARTTLS_OVER, "xmpp"},
    };
    assert_talks(talks, ARRAY_SIZE(talks));
}

static void a_line_has_its_limit(void **state)
{
    (void)state;
    char line[STARTTLS_UNIT_LIMIT + 2];
    memset(line, 'x', sizeof(line));
    memcpy(line, "220 ", 4);
    for (size_t length = sizeof(line) - 3; length < sizeof(line); length++) {
        struct starttls starttls;
        assert_true(starttls_init(&starttls, (const uint8_t *)line, 4, false));
        line[length - 1] = '\n';
        (void)say(&starttls, false, line, length);
        assert_int_equal(starttls.turn,
                         length > STARTTLS_UNIT_LIMIT ? STARTTLS_OVER : STARTTLS_DEVICE);
        line[length - 1] = 'x';
        assert_true(starttls_init(&starttls, (const uint8_t *)line, 4, false));
        assert_int_equal(say(&starttls, false, line, length), 0);
        assert_int_equal(starttls.turn,
                         length > STARTTLS_UNIT_LIMIT ? STARTTLS_OVER : STARTTLS_ORIGIN);
    }
}

static bool starts(const char *text, bool by_device)
{
    struct starttls starttls;
    return starttls_init(&starttls, (const uint8_t *)text, strlen(text), by_device);
}

static void only_known_dialogues_are_followed(void **state)
{
    (void)state;
    static const char *const others[] = {"",
                                         "SSH-2.0-OpenSSH\r\n",
                                         "221 bye\r\n",
                                         "* PREAUTH\r\n",
                                         "-ERR\r\n",
                                         "GET / HTTP/1.1\r\n",
                                         "<html>",
                                         "NOOP\r\n",
                                         "HELP\r\n",
                                         "EHLO",
                                         "a LOGIN b c\r\n",
                                         "\x16\x03\x01"};
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        assert_false(starts(others[i], true));
        assert_false(starts(others[i], false));
    }
    assert_true(starts("2", false) && starts("* ", false) && starts("+OK ", false));
    assert_true(starts("<", true) && starts("<?xml ", true) && starts("<stream:stream ", true));
    assert_false(starts("220 ", true) || starts("<?xml ", false) || starts("EHLO a\r\n", false));
}

/* It waits for the greeting, which tells what is spoken. */
static void a_command_may_come_before_the_greeting(void **state)
{
    (void)state;
    static const char *const commands[] = {"EHLO a\r\n", "a CAPABILITY\r\n", "CAPA\r\n",
                                           "FEAT\r\n"};
    static const char *const greetings[] = {"220 a\r\n", "* OK\r\n", "+OK\r\n", "220 a\r\n"};
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        struct starttls starttls;
        const uint8_t *bytes = (const uint8_t *)commands[i];
        assert_true(starttls_init(&starttls, bytes, strlen(commands[i]), true));
        assert_int_equal(say(&starttls, true, commands[i], strlen(commands[i])), 0);
        assert_int_equal(say(&starttls, false, greetings[i], strlen(greetings[i])),
                         strlen(greetings[i]));
        assert_int_equal(say(&starttls, true, commands[i], strlen(commands[i])),
                         strlen(commands[i]));
        assert_int_equal(starttls.turn, STARTTLS_ORIGIN);

        assert_true(starttls_init(&starttls, bytes, strlen(commands[i]), true));
        assert_int_equal(say(&starttls, false, "hello\r\n", 7), 0);
        assert_int_equal(starttls.turn, STARTTLS_OVER);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(that_tls_was_asked_for_is_known_until_the_device_goes_on_without),
        cmocka_unit_test(tls_begins_when_both_have_agreed),
        cmocka_unit_test(nothing_is_taken_behind_the_agreement),
        cmocka_unit_test(an_answer_is_not_taken_for_that_of_another_command),
        cmocka_unit_test(a_refusal_lets_the_dialogue_go_on),
        cmocka_unit_test(what_leads_elsewhere_is_let_go),
        cmocka_unit_test(a_line_has_its_limit),
        cmocka_unit_test(only_known_dialogues_are_followed),
        cmocka_unit_test(a_command_may_come_before_the_greeting),
    };
    return cmocka_run_group_tests_name("tap/starttls", tests, NULL, NULL);
}
