/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/imap_tap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "spoken.h"

static void assert_told(const char *said, const char *expected)
{
    assert_spoken(&(struct spoken){.protocol = "imap", .said = said}, expected);
}

static void each_command_is_told_with_its_tagged_response(void **state)
{
    (void)state;
    assert_spoken(&(struct spoken){.protocol = "imap",
                                   .greets = true,
                                   .said = "< * OK [CAPABILITY IMAP4rev1] Ready\n"
                                           "> a1 select INBOX\n"
                                           "< * 3 EXISTS\n"
                                           "< * OK [UIDVALIDITY 7] Ok\n"
                                           "< a1 OK [READ-WRITE] Done {5}\n"
                                           "> a2 UID FETCH 1:2 (FLAGS)\n"
                                           "> a3 NOOP\n"
                                           "< * 1 FETCH (FLAGS ())\n"
                                           "< a3 OK Nothing\n"
                                           "< a2 NO Sorry\n"
                                           "> a4 LOGOUT\n"
                                           "< * BYE Bye\n"
                                           "< a4 OK Done\n"},
                  "0 imap  -> OK 0 [CAPABILITY IMAP4rev1] Ready;\n"
                  "1 imap [a1] SELECT INBOX -> OK 0 OK [UIDVALIDITY 7] Ok; 0 [READ-WRITE] Done "
                  "{5}; (2, 0, 0)\n"
                  "3 imap [a3] NOOP -> OK 0 Nothing;\n"
                  "2 imap [a2] UID FETCH 1:2 (FLAGS) -> NO 0 Sorry; (1, 0, 0)\n"
                  "4 imap [a4] LOGOUT -> OK 0 BYE Bye; 0 Done; (1, 0, 0)\n");
}

static void literals_are_counted(void **state)
{
    (void)state;
    assert_told("> a APPEND x () {12}\n"
                "< + Go on\n"
                "> a secret 1\n"
                "> \n"
                "> b APPEND y {4+}\n"
                "> ab\n"
                ">  {3+}\n"
                "> c\n"
                ">  d\n"
                "< a OK Done\n"
                "< b OK Done\n"
                "> c FETCH 1 BODY[]\n"
                "< * 1 FETCH (BODY[] {15}\n"
                "< c NO secret\n"
                "< \n"
                "<  X ~{3}\n"
                "< a\n"
                "< )\n"
                "< * 2 EXISTS\n"
                "< c OK Done\n",
                "0 imap [a] APPEND x () {12} -> OK 0 Done; (0, 12, 0)\n"
                "1 imap [b] APPEND y {4+}  {3+}  d -> OK 0 Done; (0, 7, 0)\n"
                "2 imap [c] FETCH 1 BODY[] -> OK 0 Done; (2, 0, 18)\n");
}

static void a_literal_that_is_not_let_in_does_not_come(void **state)
{
    (void)state;
    assert_told("> a APPEND x {12}\n"
                "< a NO Too much\n"
                "> b NOOP\n"
                "< b OK Done\n",
                "0 imap [a] APPEND x {12} -> NO 0 Too much; (0, 12, 0)\n"
                "1 imap [b] NOOP -> OK 0 Done;\n");
    assert_told("> a APPEND x {4+}\n"
                "< a NO Too much\n"
                "> abcd {4+}\n"
                "> ef\n"
                "> \n"
                "> b NOOP\n"
                "< b OK Done\n",
                "0 imap [a] APPEND x {4+} -> NO 0 Too much; (0, 4, 0)\n"
                "1 imap [b] NOOP -> OK 0 Done;\n");
}

static void what_comes_in_idle_belongs_to_it(void **state)
{
    (void)state;
    assert_told("> a IDLE\n"
                "< + idling\n"
                "< * 4 EXISTS\n"
                "> DONE\n"
                "> b NOOP\n"
                "< a OK Done\n"
                "< b OK Done\n"
                "> c IDLE\n"
                "< c BAD What?\n"
                "> d NOOP\n",
                "0 imap [a] IDLE -> OK 0 Done; (1, 0, 0)\n"
                "1 imap [b] NOOP -> OK 0 Done;\n"
                "2 imap [c] IDLE -> BAD 0 What?;\n"
                "3 imap [d] NOOP -> unfinished\n");
}

#define LOGINS                          \
    "> a LOGIN somebody \"a secret\"\n" \
    "< a NO not somebody\n"             \
    "> b LOGIN {8}\n"                   \
    "< + Go on\n"                       \
    "> somebody {6+}\n"                 \
    "> secret\n"                        \
    "< b NO not somebody\n"             \
    "> c AUTHENTICATE PLAIN\n"          \
    "< + \n"                            \
    "> AGEAYg==\n"                      \
    "< * CAPABILITY IDLE\n"             \
    "< c OK Welcome, a\n"               \
    "> d AUTHENTICATE LOGIN QUJD\n"     \
    "< + UGFzc3dvcmQ6\n"                \
    "> UVVJ\n"                          \
    "< d NO no\n"                       \
    "> e XSECRET s3cret\n"              \
    "< e BAD s3cret?\n"                 \
    "> f NOOP\n"                        \
    "< f OK Done\n"

static void credentials_are_told_only_where_they_are_asked_for(void **state)
{
    (void)state;
    assert_told(LOGINS, "0 imap [a] LOGIN (redacted) -> NO 0 (redacted);\n"
                        "1 imap [b] LOGIN (redacted) -> NO 0 (redacted); (0, 14, 0)\n"
                        "2 imap [c] AUTHENTICATE PLAIN (redacted) -> OK 0 (redacted); (1, 0, 0)\n"
                        "3 imap [d] AUTHENTICATE LOGIN (redacted) -> NO 0 (redacted);\n"
                        "4 imap [e] XSECRET (redacted) -> BAD 0 (redacted);\n"
                        "5 imap [f] NOOP -> OK 0 Done;\n");
    assert_spoken(&(struct spoken){.protocol = "imap", .keep = true, .said = LOGINS},
                  "0 imap [a] LOGIN somebody \"a secret\" -> NO 0 not somebody;\n"
                  "1 imap [b] LOGIN {8}  {6+} -> NO 0 not somebody; (0, 14, 0)\n"
                  "2 imap [c] AUTHENTICATE PLAIN AGEAYg== -> OK 0 Welcome, a; (1, 0, 0)\n"
                  "3 imap [d] AUTHENTICATE LOGIN QUJD UVVJ -> NO 0 no;\n"
                  "4 imap [e] XSECRET s3cret -> BAD 0 s3cret?;\n"
                  "5 imap [f] NOOP -> OK 0 Done;\n");
}

static void who_speaks_unasked_is_told(void **state)
{
    (void)state;
    assert_told("< * 4 EXISTS\n< * BYE Too slow\n", "0 imap  -> BYE 0 Too slow;\n");
}

static void who_has_lost_the_thread_gives_up(void **state)
{
    (void)state;
    assert_told("> + NOOP\n", "0 imap gives up on the client: a line that is no command\n");
    assert_told("> a\n", "0 imap gives up on the client: a line that is no command\n");
    assert_told("> 012345678901234567890123456789012 NOOP\n",
                "0 imap gives up on the client: a line that is no command\n");
    assert_told("> a NOOP\n< b OK\n",
                "0 imap [a] NOOP -> unfinished\n"
                "1 imap gives up on the server: a response of IMAP to no command\n");
    assert_told("> a IDLE\n> b NOOP\n",
                "0 imap [a] IDLE -> unfinished\n"
                "1 imap gives up on the client: a command in the midst of IDLE\n");
    assert_told("> a APPEND x {5}\n> b NOOP\n",
                "0 imap [a] APPEND x {5} -> (0, 5, 0) unfinished\n"
                "1 imap gives up on the client: a literal that nobody has let in\n");
    assert_told("> a COMPRESS DEFLATE\n< a OK Go on\n> b NOOP\n",
                "0 imap [a] COMPRESS DEFLATE -> OK 0 Go on;\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_command_is_told_with_its_tagged_response),
        cmocka_unit_test(literals_are_counted),
        cmocka_unit_test(a_literal_that_is_not_let_in_does_not_come),
        cmocka_unit_test(what_comes_in_idle_belongs_to_it),
        cmocka_unit_test(credentials_are_told_only_where_they_are_asked_for),
        cmocka_unit_test(who_speaks_unasked_is_told),
        cmocka_unit_test(who_has_lost_the_thread_gives_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
