/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "event/eve_dns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "event/recorder.h"
#include "tap/dns_told.h"
#include "written.h"

#define TEXT(literal) text_from(literal, sizeof(literal) - 1)

/* Both objects, in single quotes. */
static void assert_written(const struct dns_event *dns, const char *expected, const char *extras)
{
    char text[4096], wanted[4096];
    struct jsonw json;
    jsonw_init(&json, text, sizeof(text));
    jsonw_object(&json, NULL);
    eve_dns_write(&json, dns, 3);
    jsonw_object(&json, "intercept");
    eve_dns_write_extras(&json, dns);
    jsonw_object_end(&json);
    jsonw_object_end(&json);
    snprintf(wanted, sizeof(wanted), "{'dns':%s,'intercept':{'dns':%s}}", expected, extras);
    assert_json(&json, wanted);
}

static void a_query_is_suricatas_request(void **state)
{
    (void)state;
    const struct dns_event dns = {
        .id = 7, .flags = 0x0120, .name = TEXT("a.test"), .type = TEXT("AAAA")};
    assert_written(&dns,
                   "{'version':3,'type':'request','tx_id':3,'id':7,'flags':'120','rd':true,"
                   "'opcode':0,'rcode':'NOERROR','queries':[{'rrname':'a.test',"
                   "'rrtype':'AAAA'}]}",
                   "{'transport':'tls'}");
}

static void an_answer_has_its_records_one_by_one_and_grouped(void **state)
{
    (void)state;
    const struct dns_record answers[] = {
        {.name = TEXT("a.test"), .type = TEXT("CNAME"), .ttl = 5, .data = TEXT("b.test")},
        {.name = TEXT("b.test"), .type = TEXT("A"), .ttl = 6, .data = TEXT("192.0.2.1")},
        {.name = TEXT("b.test"), .type = TEXT("A"), .ttl = 6, .data = TEXT("192.0.2.2")},
        {.name = TEXT("s"), .type = TEXT("SRV"), .names = {TEXT("t")}, .numbers = {1, 2, 443}},
    };
    const struct dns_event dns = {.is_answer = true,
                                  .id = 7,
                                  .flags = 0x8783,
                                  .name = TEXT("a.test"),
                                  .type = TEXT("A"),
                                  .answers = answers,
                                  .answer_count = 4,
                                  .is_https = true,
                                  .stream = 5,
                                  .has_query = true,
                                  .wait = 12,
                                  .cut = true};
    assert_written(
        &dns,
        "{'version':3,'type':'response','tx_id':3,'id':7,'flags':'8783','qr':true,'aa':true,"
        "'tc':true,'rd':true,'ra':true,'opcode':0,'rcode':'NXDOMAIN',"
        "'queries':[{'rrname':'a.test','rrtype':'A'}],"
        "'answers':[{'rrname':'a.test','rrtype':'CNAME','ttl':5,'rdata':'b.test'},"
        "{'rrname':'b.test','rrtype':'A','ttl':6,'rdata':'192.0.2.1'},"
        "{'rrname':'b.test','rrtype':'A','ttl':6,'rdata':'192.0.2.2'},"
        "{'rrname':'s','rrtype':'SRV','ttl':0,'srv':{'priority':1,'weight':2,'port':443,"
        "'name':'t'}}],'grouped':{'A':['192.0.2.1','192.0.2.2'],'CNAME':['b.test'],"
        "'SRV':[{'priority':1,'weight':2,'port':443,'name':'t'}]}}",
        "{'transport':'https','stream_id':5,'wait_ms':12,'cut':true}");
}

static void a_service_without_its_parts_is_in_no_group(void **state)
{
    (void)state;
    const struct dns_record answers[] = {
        {.name = TEXT("s"), .type = TEXT("SRV"), .data = TEXT("")}};
    const struct dns_event dns = {
        .is_answer = true, .flags = 0xa800, .answers = answers, .answer_count = 1};
    assert_written(&dns,
                   "{'version':3,'type':'response','tx_id':3,'id':0,'flags':'a800','qr':true,"
                   "'opcode':5,'rcode':'NOERROR','answers':[{'rrname':'s','rrtype':'SRV','ttl':0,"
                   "'rdata':''}],'grouped':{}}",
                   "{'transport':'tls'}");
}

static void who_is_in_charge_is_told_by_soa(void **state)
{
    (void)state;
    const struct dns_record authorities[] = {{.name = TEXT("test"),
                                              .type = TEXT("SOA"),
                                              .ttl = 5,
                                              .names = {TEXT("m"), TEXT("r")},
                                              .numbers = {1, 2, 3, 4, 5}}};
    const struct dns_event dns = {
        .is_answer = true, .flags = 0x800f, .authorities = authorities, .authority_count = 1};
    assert_written(&dns,
                   "{'version':3,'type':'response','tx_id':3,'id':0,'flags':'800f','qr':true,"
                   "'opcode':0,'rcode':'15','authorities':[{'rrname':'test','rrtype':'SOA',"
                   "'ttl':5,'soa':{'mname':'m','rname':'r','serial':1,'refresh':2,'retry':3,"
                   "'expire':4,'minimum':5}}]}",
                   "{'transport':'tls'}");
}

/* As in an update (RFC 2136), whose records stand where authorities do. */
static void a_service_among_authorities_is_text(void **state)
{
    (void)state;
    const struct dns_record authorities[] = {
        {.name = TEXT("s"), .type = TEXT("SRV"), .names = {TEXT("t")}, .numbers = {1, 2, 443}}};
    const struct dns_event dns = {
        .is_answer = true, .flags = 0xa800, .authorities = authorities, .authority_count = 1};
    assert_written(&dns,
                   "{'version':3,'type':'response','tx_id':3,'id':0,'flags':'a800','qr':true,"
                   "'opcode':5,'rcode':'NOERROR','authorities':[{'rrname':'s','rrtype':'SRV',"
                   "'ttl':0,'rdata':'1 2 443 t'}]}",
                   "{'transport':'tls'}");
}

/* As many texts as there may be, in which each byte is escaped, and which stand there twice; beside
 * 32 KiB for the rest of the record. */
static void the_longest_answer_fits_in_a_line(void **state)
{
    static char text[RECORDER_LINE_LIMIT - (32 << 10)], bytes[DNS_TEXT];
    struct dns_record answers[DNS_TEXTS / DNS_TEXT];
    struct jsonw json;
    (void)state;
    memset(bytes, 1, sizeof(bytes));
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
        answers[i] = (struct dns_record){
            .name = TEXT("a.test"), .type = TEXT("TXT"), .data = text_from(bytes, sizeof(bytes))};
    const struct dns_event dns = {
        .is_answer = true, .answers = answers, .answer_count = ARRAY_SIZE(answers)};
    jsonw_init(&json, text, sizeof(text));
    jsonw_object(&json, NULL);
    eve_dns_write(&json, &dns, 3);
    jsonw_object_end(&json);
    assert_non_null(jsonw_text(&json));
    assert_true(json.length > 2 * 6 * DNS_TEXTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_query_is_suricatas_request),
        cmocka_unit_test(an_answer_has_its_records_one_by_one_and_grouped),
        cmocka_unit_test(a_service_without_its_parts_is_in_no_group),
        cmocka_unit_test(the_longest_answer_fits_in_a_line),
        cmocka_unit_test(who_is_in_charge_is_told_by_soa),
        cmocka_unit_test(a_service_among_authorities_is_text),
    };
    return cmocka_run_group_tests_name("event/eve_dns", tests, NULL, NULL);
}
