/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "event/eve_command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "written.h"

#define TEXT(literal) text_from(literal, sizeof(literal) - 1)

typedef void (*writer)(struct jsonw *json, const struct spoken_command *command);

/* What Suricata has, if anything, and ours; in single quotes. */
static void assert_written(writer write, const struct message *message, const char *expected)
{
    char text[4096], wanted[4096];
    struct jsonw json;
    jsonw_init(&json, text, sizeof(text));
    jsonw_object(&json, NULL);
    if (write != NULL)
        write(&json, message->command);
    jsonw_object(&json, "intercept");
    eve_command_write_extras(&json, message);
    jsonw_object_end(&json);
    jsonw_object_end(&json);
    snprintf(wanted, sizeof(wanted), "%s", expected);
    assert_json(&json, wanted);
}

static void smtp_has_the_mail_as_suricata_and_the_command_as_ours(void **state)
{
    (void)state;
    const struct text recipients[] = {TEXT("<c@d>"), TEXT("<e@f>")};
    const struct spoken_mail mail = {.helo = TEXT("a"),
                                     .from = TEXT("<a@b>"),
                                     .recipients = recipients,
                                     .recipient_count = 2,
                                     .cut = true};
    const struct spoken_reply replies[] = {{354, TEXT("Go on")}, {250, TEXT("Ok")}};
    const struct spoken_command command = {.verb = TEXT("DATA"),
                                           .replies = replies,
                                           .reply_count = 2,
                                           .answered = true,
                                           .start = 5,
                                           .end = 12,
                                           .sent = 100,
                                           .mail = &mail};
    assert_written(
        eve_command_write_smtp,
        &(struct message){.kind = MESSAGE_SMTP, .protocol = "smtp", .command = &command},
        "{'smtp':{'helo':'a','mail_from':'<a@b>','rcpt_to':['<c@d>','<e@f>']},'intercept':{'smtp':"
        "{'command':'DATA','code':250,'reply':['Go on','Ok'],'data_toserver':100,'complete':true,"
        "'wait_ms':7,'cut':true}}}");
}

static void of_no_mail_there_is_nothing_to_be_told(void **state)
{
    (void)state;
    const struct spoken_mail mail = {.helo = {0}};
    const struct spoken_command command = {
        .verb = TEXT("NOOP"), .argument = TEXT("x"), .start = 5, .mail = &mail};
    assert_written(eve_command_write_smtp,
                   &(struct message){.kind = MESSAGE_SMTP, .protocol = "smtp", .command = &command},
                   "{'intercept':{'smtp':{'command':'NOOP','args':'x','complete':false}}}");
}

static void imap_is_all_ours(void **state)
{
    (void)state;
    const struct spoken_reply replies[] = {{0, TEXT("OK [UIDNEXT 4]")}, {0, TEXT("Done")}};
    const struct spoken_command command = {.tag = TEXT("a1"),
                                           .verb = TEXT("FETCH"),
                                           .argument = TEXT("1 BODY[]"),
                                           .status = "OK",
                                           .replies = replies,
                                           .reply_count = 2,
                                           .answered = true,
                                           .start = 5,
                                           .end = 5,
                                           .untagged = 3,
                                           .received = 200};
    assert_written(
        NULL, &(struct message){.kind = MESSAGE_IMAP, .protocol = "imap", .command = &command},
        "{'intercept':{'imap':{'tag':'a1','command':'FETCH','args':'1 BODY[]','status':'OK',"
        "'reply':['OK [UIDNEXT 4]','Done'],'untagged':3,'data_toclient':200,'complete':true,"
        "'wait_ms':0}}}");
}

static void pop3_has_suricatas_request_and_response(void **state)
{
    (void)state;
    const struct spoken_reply reply = {0, TEXT("no such message")};
    const struct spoken_command command = {.verb = TEXT("TOP"),
                                           .argument = TEXT("1  0"),
                                           .status = "ERR",
                                           .replies = &reply,
                                           .reply_count = 1,
                                           .answered = true,
                                           .start = 5,
                                           .end = 6};
    const struct spoken_command greeting = {
        .status = "OK", .replies = &reply, .reply_count = 1, .answered = true, .end = 6};
    assert_written(
        eve_command_write_pop3,
        &(struct message){.kind = MESSAGE_POP3, .protocol = "pop3", .command = &command},
        "{'pop3':{'request':{'command':'TOP','args':['1','0']},'response':{'success':false,"
        "'status':'ERR','header':'no such message'}},'intercept':{'pop3':{'complete':true,"
        "'wait_ms':1}}}");
    assert_written(
        eve_command_write_pop3,
        &(struct message){.kind = MESSAGE_POP3, .protocol = "pop3", .command = &greeting},
        "{'pop3':{'response':{'success':true,'status':'OK','header':'no such message'}},"
        "'intercept':{'pop3':{'complete':true}}}");
}

static void ftp_has_suricatas_names(void **state)
{
    (void)state;
    const struct spoken_reply replies[] = {
        {211, TEXT("Features:")}, {0, TEXT(" MDTM")}, {211, TEXT("End")}, {226, TEXT("Done")}};
    const struct spoken_command command = {.verb = TEXT("EPSV"),
                                           .argument = TEXT("ALL"),
                                           .replies = replies,
                                           .reply_count = 4,
                                           .answered = true,
                                           .start = 5,
                                           .end = 6,
                                           .port = 50000};
    const struct spoken_command unanswered = {
        .verb = TEXT("PORT"), .start = 5, .port = 1025, .is_active = true};
    assert_written(
        eve_command_write_ftp,
        &(struct message){.kind = MESSAGE_FTP, .protocol = "ftp", .command = &command},
        "{'ftp':{'command':'EPSV','command_data':'ALL','reply':['Features:',' MDTM','End','Done'],"
        "'completion_code':['211','226'],'dynamic_port':50000,'mode':'passive','reply_received':"
        "'yes'},'intercept':{'ftp':{'complete':true,'wait_ms':1}}}");
    assert_written(
        eve_command_write_ftp,
        &(struct message){.kind = MESSAGE_FTP, .protocol = "ftp", .command = &unanswered},
        "{'ftp':{'command':'PORT','dynamic_port':1025,'mode':'active','reply_received':'no'},"
        "'intercept':{'ftp':{'complete':false}}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(smtp_has_the_mail_as_suricata_and_the_command_as_ours),
        cmocka_unit_test(of_no_mail_there_is_nothing_to_be_told),
        cmocka_unit_test(imap_is_all_ours),
        cmocka_unit_test(pop3_has_suricatas_request_and_response),
        cmocka_unit_test(ftp_has_suricatas_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
