/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/ftp_tap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "spoken.h"

static void assert_told(const char *said, const char *expected)
{
    assert_spoken(&(struct spoken){.protocol = "ftp", .said = said}, expected);
}

static void each_command_is_told_with_all_that_is_replied(void **state)
{
    (void)state;
    assert_spoken(&(struct spoken){.protocol = "ftp",
                                   .greets = true,
                                   .said = "< 220-Welcome\n"
                                           "< to nobody\n"
                                           "< 220 FTP ready\n"
                                           "> syst\n"
                                           "< 215 UNIX\n"
                                           "> FEAT\n"
                                           "< 211-Features:\n"
                                           "<  MDTM\n"
                                           "< 230 is no code here\n"
                                           "< 211 End\n"
                                           "> RETR a file\n"
                                           "< 150 Opening\n"
                                           "< 226 Done\n"
                                           "> QUIT\n"},
                  "0 ftp  -> 220 Welcome; 0 to nobody; 220 FTP ready;\n"
                  "1 ftp SYST -> 215 UNIX;\n"
                  "2 ftp FEAT -> 211 Features:; 0  MDTM; 0 230 is no code here; 211 End;\n"
                  "3 ftp RETR a file -> 150 Opening; 226 Done;\n"
                  "4 ftp QUIT -> unfinished\n");
}

#define LOGIN                \
    "> USER somebody\n"      \
    "< 331 somebody may\n"   \
    "> PASS a secret\n"      \
    "< 230 Hello somebody\n" \
    "> SITE PSWD one two\n"  \
    "< 500 What is SITE?\n"  \
    "> PBSZ 0\n"             \
    "< 200 Ok\n"

static void credentials_are_told_only_where_they_are_asked_for(void **state)
{
    (void)state;
    assert_told(LOGIN, "0 ftp USER (redacted) -> 331 (redacted);\n"
                       "1 ftp PASS (redacted) -> 230 (redacted);\n"
                       "2 ftp SITE (redacted) -> 500 (redacted);\n"
                       "3 ftp PBSZ 0 -> 200 Ok;\n");
    assert_spoken(&(struct spoken){.protocol = "ftp", .keep = true, .said = LOGIN},
                  "0 ftp USER somebody -> 331 somebody may;\n"
                  "1 ftp PASS a secret -> 230 Hello somebody;\n"
                  "2 ftp SITE PSWD one two -> 500 What is SITE?;\n"
                  "3 ftp PBSZ 0 -> 200 Ok;\n");
}

static void the_port_of_the_data_connection_is_told(void **state)
{
    (void)state;
    assert_told("> PASV\n< 227 Entering Passive Mode (192,0,2,1,195,80).\n"
                "> EPSV\n< 229 Entering Extended Passive Mode (|||50001|)\n"
                "> PORT 192,0,2,1,4,1\n< 200 Ok\n"
                "> EPRT |2|2001:db8::1|5282|\n< 200 Ok\n"
                "> PASV\n< 227 (1,2,3,4,5,256)\n"
                "> PASV\n< 227 no\n"
                "> EPSV\n< 229 (|||70000|)\n"
                "> EPRT x\n< 501 What?\n"
                "> EPRT\n< 501 What?\n",
                "0 ftp PASV -> 227 Entering Passive Mode (192,0,2,1,195,80).; port 50000\n"
                "1 ftp EPSV -> 229 Entering Extended Passive Mode (|||50001|); port 50001\n"
                "2 ftp PORT 192,0,2,1,4,1 -> 200 Ok; port 1025 active\n"
                "3 ftp EPRT |2|2001:db8::1|5282| -> 200 Ok; port 5282 active\n"
                "4 ftp PASV -> 227 (1,2,3,4,5,256);\n"
                "5 ftp PASV -> 227 no;\n"
                "6 ftp EPSV -> 229 (|||70000|);\n"
                "7 ftp EPRT x -> 501 What?;\n"
                "8 ftp EPRT -> 501 What?;\n");
}

static void an_abort_has_its_own_reply(void **state)
{
    (void)state;
    assert_told("> RETR x\n"
                "< 150 Opening\n"
                "> \xff\xf4\xff\xf2"
                "ABOR\n"
                "< 426 Aborted\n"
                "< 226 Ok\n"
                "< 421 Bye\n",
                "0 ftp RETR x -> 150 Opening; 426 Aborted;\n"
                "1 ftp ABOR -> 226 Ok;\n"
                "2 ftp  -> 421 Bye;\n");
}

static void who_has_lost_the_thread_gives_up(void **state)
{
    (void)state;
    assert_told("> \n", "0 ftp gives up on the client: a line that is no command\n");
    assert_told("> NOOP\n< ok\n", "0 ftp NOOP -> unfinished\n"
                                  "1 ftp gives up on the server: a reply of FTP without a code\n");
    assert_told("> AUTH TLS\n< 234 go on\n> NOOP\n", "0 ftp AUTH TLS -> 234 go on;\n");
    assert_told("> AUTH TLS\n< 503 no\n> NOOP\n< 200 ok\n",
                "0 ftp AUTH TLS -> 503 no;\n1 ftp NOOP -> 200 ok;\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_command_is_told_with_all_that_is_replied),
        cmocka_unit_test(credentials_are_told_only_where_they_are_asked_for),
        cmocka_unit_test(the_port_of_the_data_connection_is_told),
        cmocka_unit_test(an_abort_has_its_own_reply),
        cmocka_unit_test(who_has_lost_the_thread_gives_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
