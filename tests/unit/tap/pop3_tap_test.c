/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/pop3_tap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "spoken.h"

static void assert_told(const char *said, const char *expected)
{
    assert_spoken(&(struct spoken){.protocol = "pop3", .said = said}, expected);
}

static void lists_and_mails_are_counted(void **state)
{
    (void)state;
    assert_spoken(&(struct spoken){.protocol = "pop3",
                                   .greets = true,
                                   .said = "< +OK Ready\n"
                                           "> capa\n"
                                           "> STAT\n"
                                           "< +OK\n"
                                           "< UIDL\n"
                                           "< .\n"
                                           "< +OK 1 12\n"
                                           "> LIST 1\n"
                                           "> LIST\n"
                                           "> RETR 1\n"
                                           "> RETR 2\n"
                                           "> TOP 1 0\n"
                                           "> DELE 1\n"
                                           "< +OK 1 12\n"
                                           "< +OK 1 message\n"
                                           "< 1 12\n"
                                           "< .\n"
                                           "< +OK 12 octets\n"
                                           "< +OK not a reply\n"
                                           "< ..\n"
                                           "< .\n"
                                           "< -ERR none\n"
                                           "< +OK\n"
                                           "< .\n"
                                           "< +OK deleted\n"
                                           "> QUIT\n"
                                           "< +OK bye\n"},
                  "0 pop3  -> OK 0 Ready;\n"
                  "1 pop3 CAPA -> OK 0 ; (0, 0, 6)\n"
                  "2 pop3 STAT -> OK 0 1 12;\n"
                  "3 pop3 LIST 1 -> OK 0 1 12;\n"
                  "4 pop3 LIST -> OK 0 1 message; (0, 0, 6)\n"
                  "5 pop3 RETR 1 -> OK 0 12 octets; (0, 0, 21)\n"
                  "6 pop3 RETR 2 -> ERR 0 none;\n"
                  "7 pop3 TOP 1 0 -> OK 0 ;\n"
                  "8 pop3 DELE 1 -> OK 0 deleted;\n"
                  "9 pop3 QUIT -> OK 0 bye;\n");
}

#define LOGINS                       \
    "> USER somebody\n"              \
    "> PASS a secret\n"              \
    "< +OK somebody may\n"           \
    "< -ERR not with a secret\n"     \
    "> APOP somebody c4c9334bac56\n" \
    "< -ERR no\n"                    \
    "> AUTH\n"                       \
    "< +OK\n"                        \
    "< PLAIN\n"                      \
    "< .\n"                          \
    "> AUTH PLAIN\n"                 \
    "< + \n"                         \
    "> AGEAYg==\n"                   \
    "< +OK Welcome, a\n"             \
    "> NOOP\n"                       \
    "< +OK\n"

static void credentials_are_told_only_where_they_are_asked_for(void **state)
{
    (void)state;
    assert_told(LOGINS, "0 pop3 USER (redacted) -> OK 0 (redacted);\n"
                        "1 pop3 PASS (redacted) -> ERR 0 (redacted);\n"
                        "2 pop3 APOP (redacted) -> ERR 0 (redacted);\n"
                        "3 pop3 AUTH -> OK 0 ; (0, 0, 7)\n"
                        "4 pop3 AUTH PLAIN (redacted) -> OK 0 (redacted);\n"
                        "5 pop3 NOOP -> OK 0 ;\n");
    assert_spoken(&(struct spoken){.protocol = "pop3", .keep = true, .said = LOGINS},
                  "0 pop3 USER somebody -> OK 0 somebody may;\n"
                  "1 pop3 PASS a secret -> ERR 0 not with a secret;\n"
                  "2 pop3 APOP somebody c4c9334bac56 -> ERR 0 no;\n"
                  "3 pop3 AUTH -> OK 0 ; (0, 0, 7)\n"
                  "4 pop3 AUTH PLAIN AGEAYg== -> OK 0 Welcome, a;\n"
                  "5 pop3 NOOP -> OK 0 ;\n");
}

static void a_mail_that_is_cut_off_is_told_as_far_as_it_came(void **state)
{
    (void)state;
    assert_told("> RETR 1\n< +OK\n< half a mail\n", "0 pop3 RETR 1 -> 0 ; (0, 0, 13) unfinished\n");
}

static void who_has_lost_the_thread_gives_up(void **state)
{
    (void)state;
    assert_told("< -ERR idle\n> a line: no command\n", "0 pop3  -> ERR 0 idle;\n"
                                                       "1 pop3 A (redacted) -> unfinished\n");
    assert_told("> NOOP\n< what\n",
                "0 pop3 NOOP -> unfinished\n"
                "1 pop3 gives up on the server: a reply of POP3 without a status\n");
    assert_told("> NOOP\n< + what\n",
                "0 pop3 NOOP -> unfinished\n"
                "1 pop3 gives up on the server: a reply of POP3 without a status\n");
    assert_told("> STLS\n< +OK\n> NOOP\n", "0 pop3 STLS -> OK 0 ;\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_and_mails_are_counted),
        cmocka_unit_test(credentials_are_told_only_where_they_are_asked_for),
        cmocka_unit_test(a_mail_that_is_cut_off_is_told_as_far_as_it_came),
        cmocka_unit_test(who_has_lost_the_thread_gives_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
