/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/smtp_tap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "spoken.h"
#include "tap/mail.h"

static void assert_told(const char *said, const char *expected)
{
    assert_spoken(&(struct spoken){.protocol = "smtp", .greets = true, .said = said}, expected);
}

static void assert_told_behind_starttls(const char *said, const char *expected)
{
    assert_spoken(&(struct spoken){.protocol = "smtp", .said = said}, expected);
}

static void each_command_is_told_with_its_reply_and_the_mail_so_far(void **state)
{
    (void)state;
    assert_told(
        "< 220 mail.test ESMTP\n"
        "> ehlo device.test\n"
        "< 250-mail.test\n"
        "< 250-SIZE 1000\n"
        "< 250 HELP\n"
        "> MAIL FROM:<a@b.test> SIZE=12\n"
        "< 250 2.1.0 Ok\n"
        "> RCPT TO:<c@d.test>\n"
        "< 250 Ok\n"
        "> RCPT TO:<none@d.test>\n"
        "< 550 Nobody\n"
        "> DATA\n"
        "< 354 Go on\n"
        "> Subject: secret matters\n"
        ">  \n"
        "> ..\n"
        "> DATA\n"
        "> .\n"
        "< 250 Queued\n"
        "> QUIT\n"
        "< 221 Bye\n",
        "0 smtp  -> 220 mail.test ESMTP;\n"
        "1 smtp EHLO device.test -> 250 mail.test; 250 SIZE 1000; 250 HELP; helo device.test\n"
        "2 smtp MAIL FROM:<a@b.test> SIZE=12 -> 250 2.1.0 Ok; helo device.test from "
        "<a@b.test>\n"
        "3 smtp RCPT TO:<c@d.test> -> 250 Ok; helo device.test from <a@b.test> to "
        "<c@d.test>\n"
        "4 smtp RCPT TO:<none@d.test> -> 550 Nobody; helo device.test from <a@b.test> to "
        "<c@d.test> to <none@d.test>\n"
        "5 smtp DATA -> 354 Go on; 250 Queued; (0, 38, 0) helo device.test from <a@b.test> "
        "to <c@d.test>\n"
        "6 smtp QUIT -> 221 Bye; helo device.test\n");
}

static void behind_starttls_nobody_greets(void **state)
{
    (void)state;
    assert_told_behind_starttls("> EHLO a\n"
                                "< 250 b\n"
                                "> STARTTLS\n"
                                "< 503 There is TLS already\n"
                                "> NOOP\n",
                                "0 smtp EHLO a -> 250 b; helo a\n"
                                "1 smtp STARTTLS -> 503 There is TLS already; helo a\n"
                                "2 smtp NOOP -> helo a unfinished\n");
}

static void what_is_sent_at_once_is_answered_in_its_order(void **state)
{
    (void)state;
    assert_told_behind_starttls("> MAIL FROM:<>\n"
                                "> RCPT TO:<a@b>\n"
                                "> RCPT TO:<c@d>\n"
                                "> DATA\n"
                                "< 250 one\n"
                                "< 450 two\n"
                                "< 250 three\n"
                                "< 354 four\n"
                                "> .\n"
                                "> MAIL FROM:e@f SIZE=1\n"
                                "< 250 five\n"
                                "< 250 six\n",
                                "0 smtp MAIL FROM:<> -> 250 one; from <>\n"
                                "1 smtp RCPT TO:<a@b> -> 450 two; from <> to <a@b>\n"
                                "2 smtp RCPT TO:<c@d> -> 250 three; from <> to <c@d>\n"
                                "3 smtp DATA -> 354 four; 250 five; from <> to <c@d>\n"
                                "4 smtp MAIL FROM:e@f SIZE=1 -> 250 six; from e@f\n");
}

static void parts_of_a_mail_are_passed_over_by_their_size(void **state)
{
    (void)state;
    assert_told_behind_starttls("> MAIL FROM:<a@b> BODY=BINARYMIME\n"
                                "> BDAT 12\n"
                                "> 12345678\n"
                                "> \n"
                                "> BDAT 9 last\n"
                                "> QUIT\n"
                                ">  \n"
                                "< 250 one\n"
                                "< 250 two\n"
                                "< 250 three\n"
                                "> RSET\n"
                                "< 250 four\n",
                                "0 smtp MAIL FROM:<a@b> BODY=BINARYMIME -> 250 one; from <a@b>\n"
                                "1 smtp BDAT 12 -> 250 two; (0, 12, 0) from <a@b>\n"
                                "2 smtp BDAT 9 last -> 250 three; (0, 9, 0) from <a@b>\n"
                                "3 smtp RSET -> 250 four;\n");
}

#define LOGINS                 \
    "> AUTH PLAIN AGEAYg==\n"  \
    "< 535 No, not a\n"        \
    "> AUTH LOGIN\n"           \
    "< 334 VXNlcm5hbWU6\n"     \
    "> QUJDREVG\n"             \
    "< 334 UGFzc3dvcmQ6\n"     \
    "> UVVJVFFVSVQ=\n"         \
    "< 235-Welcome, a\n"       \
    "< 235 Go on\n"            \
    "> XPASSWORD hunter2\n"    \
    "< 500 What is hunter2?\n" \
    "> QUIT\n"                 \
    "< 221 Bye\n"

static void credentials_are_not_told(void **state)
{
    (void)state;
    assert_told_behind_starttls(LOGINS, "0 smtp AUTH PLAIN (redacted) -> 535 (redacted);\n"
                                        "1 smtp AUTH LOGIN (redacted) -> 235 (redacted); 235 "
                                        "(redacted);\n"
                                        "2 smtp XPASSWORD (redacted) -> 500 (redacted);\n"
                                        "3 smtp QUIT -> 221 Bye;\n");
}

static void credentials_are_told_where_they_are_asked_for(void **state)
{
    (void)state;
    assert_spoken(&(struct spoken){.protocol = "smtp", .keep = true, .said = LOGINS},
                  "0 smtp AUTH PLAIN AGEAYg== -> 535 No, not a;\n"
                  "1 smtp AUTH LOGIN QUJDREVG UVVJVFFVSVQ= -> 235 Welcome, a; 235 Go on;\n"
                  "2 smtp XPASSWORD hunter2 -> 500 What is hunter2?;\n"
                  "3 smtp QUIT -> 221 Bye;\n");
}

static void a_login_that_waits_for_nobody_is_no_command(void **state)
{
    (void)state;
    assert_told_behind_starttls("> AUTH LOGIN\n"
                                "> QUJDREVG\n"
                                "> UVVJVFFV\n"
                                "< 334 VXNlcm5hbWU6\n"
                                "< 535 No\n"
                                "> QUIT\n",
                                "0 smtp AUTH LOGIN (redacted) -> 535 (redacted);\n"
                                "1 smtp gives up on the server: something was said before a login "
                                "had its reply\n");
}

static void who_speaks_unasked_is_told(void **state)
{
    (void)state;
    assert_told_behind_starttls("< 421 Too slow\n", "0 smtp  -> 421 Too slow;\n");
    assert_told("< 554 No\n", "0 smtp  -> 554 No;\n");
}

static void who_has_lost_the_thread_gives_up(void **state)
{
    (void)state;
    assert_told_behind_starttls("> what: is\n< 500 this\n",
                                "0 smtp gives up on the client: a line that is no command\n");
    assert_told_behind_starttls("> BDAT LAST\n< 500 this\n",
                                "0 smtp BDAT LAST -> unfinished\n"
                                "1 smtp gives up on the client: BDAT without a size\n");
    assert_told_behind_starttls("> NOOP\n< what is this\n",
                                "0 smtp NOOP -> unfinished\n"
                                "1 smtp gives up on the server: a reply of SMTP without a code\n");
    assert_told_behind_starttls("> DATA\n< 354 go on\n> QUIT\n< 552 enough\n> QUIT\n",
                                "0 smtp DATA -> 354 go on; 552 enough;\n"
                                "1 smtp gives up on the server: a mail had its reply before its "
                                "end\n");
    assert_told_behind_starttls("> STARTTLS\n< 220 go on\n> NOOP\n< 250 ok\n",
                                "0 smtp STARTTLS -> 220 go on;\n");
}

/* RFC 5321, section 4.1.1.4: and nothing else, or text of a mail would be taken for commands. */
static void only_a_whole_line_with_a_dot_ends_a_mail(void **state)
{
    static const char mail[] = "DATA\r\n";
    static const char text[] = "a\n.\nb\r\n.\nc\n.\r\nd\r\n.e\r\n..\r\n\r\n.\r\nNOOP\r\n";
    (void)state;
    for (size_t cut = 1; cut < 100; cut++) {
        struct listening listening = {0};
        listen_start(&listening, &(struct tap_options){0}, "", 1);
        tap_upgraded(listening.tap, "smtp");
        listen_to(&listening, true, mail, strlen(mail), cut);
        listen_to(&listening, false, "354 x\r\n", 7, cut);
        listen_to(&listening, true, text, strlen(text), cut);
        listen_to(&listening, false, "250 y\r\n", 7, cut);
        listen_end(&listening);
        assert_string_equal(listening.told, "0 smtp DATA -> 354 x; 250 y; (0, 27, 0)\n"
                                            "1 smtp NOOP -> unfinished\n");
        free(listening.told);
    }
}

static void more_than_can_wait_ends_the_reading(void **state)
{
    static char said[300 * 8 + 1];
    struct listening listening = {0};
    (void)state;
    for (size_t i = 0; i < 300; i++)
        memcpy(said + i * 8, "NOOP x\r\n", 9);
    listen_start(&listening, &(struct tap_options){0}, "", 1);
    tap_upgraded(listening.tap, "smtp");
    listen_to(&listening, true, said, strlen(said), 1000);
    assert_non_null(strstr(listening.told,
                           "\n255 smtp NOOP x -> unfinished\n256 smtp gives up on "
                           "the client: more than 256 commands wait for a reply\n"));
    listen_end(&listening);
    free(listening.told);
}

static void long_lines_are_cut(void **state)
{
    static char said[5000];
    struct listening listening = {0};
    (void)state;
    memset(said, 'x', sizeof(said));
    memcpy(said, "NOOP ", 5);
    memcpy(said + sizeof(said) - 2, "\r\n", 2);
    listen_start(&listening, &(struct tap_options){0}, "", 1);
    tap_upgraded(listening.tap, "smtp");
    listen_to(&listening, true, said, sizeof(said), 700);
    memcpy(said, "250-", 4);
    for (int i = 0; i < 40; i++)
        listen_to(&listening, false, said, sizeof(said), 700);
    listen_to(&listening, false, "250 y\r\n", 7, 7);
    listen_end(&listening);
    assert_non_null(strstr(listening.told, "0 smtp NOOP xxxxx"));
    assert_non_null(strstr(listening.told, "; cut\n"));
    free(listening.told);
}

static void assert_path(const char *argument, const char *expected)
{
    struct text path = mail_path(text_from(argument, strlen(argument)));
    assert_true(text_is(path, expected));
}

static void a_path_is_what_stands_in_brackets(void **state)
{
    (void)state;
    assert_path("FROM:<a@b> SIZE=1", "<a@b>");
    assert_path("FROM: <a@b>", "<a@b>");
    assert_path("TO:<\"a > b\\\"\"@c>>", "<\"a > b\\\"\"@c>");
    assert_path("TO:a@b NOTIFY=NEVER", "a@b");
    assert_path("TO:<a@b", "<a@b");
    assert_path("TO:", "");
    assert_path("", "");
    assert_path("TO:<\"\\", "<\"\\");
}

static void recipients_are_known_as_far_as_there_is_room(void **state)
{
    static struct mail mail;
    static char address[MAIL_TEXT];
    (void)state;
    memset(address, 'a', sizeof(address));
    mail_greet(&mail, text_from(address, sizeof(address)));
    assert_int_equal(mail.said.helo.length, MAIL_HELO);
    for (int i = 0; i < MAIL_RECIPIENTS + 1; i++)
        mail_add(&mail, text_from("<a@b>", 5));
    assert_int_equal(mail.said.recipient_count, MAIL_RECIPIENTS);
    assert_true(mail.said.cut);
    mail_begin(&mail, text_from(address, MAIL_TEXT - 1));
    assert_false(mail.said.cut);
    mail_add(&mail, text_from("b", 1));
    mail_refuse(&mail);
    mail_add(&mail, text_from("c", 1));
    assert_int_equal(mail.said.recipient_count, 1);
    assert_true(text_is(mail.said.recipients[0], "c"));
    mail_add(&mail, text_from("d", 1));
    assert_int_equal(mail.said.recipient_count, 1);
    assert_true(mail.said.cut);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_command_is_told_with_its_reply_and_the_mail_so_far),
        cmocka_unit_test(behind_starttls_nobody_greets),
        cmocka_unit_test(what_is_sent_at_once_is_answered_in_its_order),
        cmocka_unit_test(parts_of_a_mail_are_passed_over_by_their_size),
        cmocka_unit_test(credentials_are_not_told),
        cmocka_unit_test(credentials_are_told_where_they_are_asked_for),
        cmocka_unit_test(a_login_that_waits_for_nobody_is_no_command),
        cmocka_unit_test(who_speaks_unasked_is_told),
        cmocka_unit_test(who_has_lost_the_thread_gives_up),
        cmocka_unit_test(only_a_whole_line_with_a_dot_ends_a_mail),
        cmocka_unit_test(more_than_can_wait_ends_the_reading),
        cmocka_unit_test(long_lines_are_cut),
        cmocka_unit_test(a_path_is_what_stands_in_brackets),
        cmocka_unit_test(recipients_are_known_as_far_as_there_is_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
