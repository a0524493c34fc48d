/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "event/eve_mqtt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "written.h"

#define TEXT(literal) text_from(literal, sizeof(literal) - 1)

/* Both objects, in single quotes; the first may be missing. */
static void assert_written(const struct mqtt_transaction *mqtt, bool briefly, const char *expected,
                           const char *extras)
{
    char text[4096];
    struct jsonw json;
    jsonw_init(&json, text, sizeof(text));
    jsonw_object(&json, NULL);
    eve_mqtt_write(&json, mqtt, briefly);
    jsonw_object(&json, "intercept");
    eve_mqtt_write_extras(&json, mqtt, briefly);
    jsonw_object_end(&json);
    jsonw_object_end(&json);
    char wanted[4096];
    snprintf(wanted, sizeof(wanted), "{%s%s%s'intercept':{'mqtt':%s}}",
             expected != NULL ? "'mqtt':" : "", expected != NULL ? expected : "",
             expected != NULL ? "," : "", extras);
    assert_json(&json, wanted);
}

static void a_connection_is_written_with_its_answer(void **state)
{
    (void)state;
    const struct mqtt_property delay[] = {
        {.name = TEXT("will_delay_interval"), .is_number = true, .number = 5}};
    const struct mqtt_packet packets[] = {
        {.type = MQTT_CONNECT,
         .to_server = true,
         .code = -1,
         .connect_flags = MQTT_CLEAN_SESSION | MQTT_WILL | MQTT_USERNAME | MQTT_PASSWORD,
         .version = 5,
         .protocol = TEXT("MQTT"),
         .client_id = TEXT("id"),
         .username = TEXT("user"),
         .will_topic = TEXT("gone"),
         .will_message = TEXT("bye"),
         .will = {delay, 1}},
        {.type = MQTT_CONNACK, .code = 0, .session_present = true},
    };
    const struct mqtt_transaction mqtt = {.packets = packets, .count = 2, .complete = true};
    assert_written(
        &mqtt, false,
        "{'connect':{'qos':0,'retain':false,'dup':false,'protocol_string':'MQTT',"
        "'protocol_version':5,'client_id':'id','flags':{'username':true,'password':true,"
        "'will_retain':false,'will':true,'clean_session':true},'username':'user',"
        "'will':{'topic':'gone','message':'bye','properties':{'will_delay_interval':5}}},"
        "'connack':{'qos':0,'retain':false,'dup':false,'session_present':true,"
        "'return_code':0}}",
        "{'complete':true}");
}

static void a_message_that_is_no_text_is_written_in_base64_too(void **state)
{
    (void)state;
    const struct mqtt_packet packets[] = {{.type = MQTT_PUBLISH,
                                           .code = -1,
                                           .qos = 1,
                                           .retain = true,
                                           .has_id = true,
                                           .id = 7,
                                           .topic = TEXT("t"),
                                           .message = TEXT("a\xff"),
                                           .message_length = 9,
                                           .cut = true}};
    const struct mqtt_transaction mqtt = {.packets = packets, .count = 1};
    assert_written(&mqtt, false,
                   "{'publish':{'qos':1,'retain':true,'dup':false,'topic':'t','message_id':7,"
                   "'message':'a\\ufffd'}}",
                   "{'length':9,'message_base64':'Yf8=','complete':false,'cut':true}");
    assert_written(&mqtt, true,
                   "{'publish':{'qos':1,'retain':true,'dup':false,'topic':'t','message_id':7}}",
                   "{'length':9,'complete':false,'cut':true}");
}

static void subscriptions_have_topics_and_what_is_granted(void **state)
{
    (void)state;
    const struct mqtt_topic topics[] = {{TEXT("a/#"), 2}, {TEXT("b"), 0}};
    const struct mqtt_packet packets[] = {
        {.type = MQTT_SUBSCRIBE,
         .code = -1,
         .qos = 1,
         .has_id = true,
         .id = 1,
         .topics = topics,
         .topic_count = 2},
        {.type = MQTT_SUBACK, .code = -1, .has_id = true, .id = 1, .codes = TEXT("\2\x80")}};
    const struct mqtt_transaction mqtt = {.packets = packets, .count = 2, .complete = true};
    assert_written(&mqtt, false,
                   "{'subscribe':{'qos':1,'retain':false,'dup':false,'message_id':1,"
                   "'topics':[{'topic':'a/#','qos':2},{'topic':'b','qos':0}]},"
                   "'suback':{'qos':0,'retain':false,'dup':false,'message_id':1,"
                   "'qos_granted':[2,128]}}",
                   "{'complete':true}");
    const struct mqtt_packet no_more[] = {
        {.type = MQTT_UNSUBSCRIBE, .code = -1, .topics = topics, .topic_count = 2},
        {.type = MQTT_UNSUBACK, .code = -1, .codes = TEXT("\x11")}};
    const struct mqtt_transaction other = {.packets = no_more, .count = 2, .complete = true};
    assert_written(&other, false,
                   "{'unsubscribe':{'qos':0,'retain':false,'dup':false,'topics':['a/#','b']},"
                   "'unsuback':{'qos':0,'retain':false,'dup':false,'reason_codes':[17]}}",
                   "{'complete':true}");
}

static void a_users_properties_stand_apart_from_mqtts(void **state)
{
    (void)state;
    const struct mqtt_property properties[] = {
        {.name = TEXT("reason_string"), .value = TEXT("so")},
        {.name = TEXT("reason_string"), .value = TEXT("again")},
        {.is_users = true, .name = TEXT("reason_string"), .value = TEXT("mine")},
        {.is_users = true, .name = TEXT("colour"), .value = TEXT("red")},
        {.is_users = true, .name = TEXT("colour"), .value = TEXT("blue")},
        {.is_users = true}};
    const struct mqtt_packet packets[] = {
        {.type = MQTT_DISCONNECT, .code = 0x8e, .properties = {properties, 6}}};
    const struct mqtt_transaction mqtt = {.packets = packets, .count = 1, .complete = true};
    assert_written(&mqtt, false,
                   "{'disconnect':{'qos':0,'retain':false,'dup':false,'reason_code':142,"
                   "'properties':{'reason_string':'so','user_properties':["
                   "{'key':'reason_string','value':'mine'},{'key':'colour','value':'red'},"
                   "{'key':'colour','value':'blue'},{'key':'','value':''}]}}}",
                   "{'complete':true}");
}

static void of_what_is_truncated_the_length_is_told(void **state)
{
    (void)state;
    const struct mqtt_packet packets[] = {
        {.type = MQTT_SUBSCRIBE, .code = -1, .qos = 1, .truncated = true, .length = 10000}};
    const struct mqtt_transaction mqtt = {.packets = packets, .count = 1};
    assert_written(&mqtt, false, "{'subscribe':{'qos':1,'retain':false,'dup':false}}",
                   "{'packets':{'subscribe':{'skipped_length':10000}},'complete':false}");
    const struct mqtt_packet message[] = {
        {.type = MQTT_PUBLISH, .code = -1, .truncated = true, .length = 20000}};
    const struct mqtt_transaction other = {.packets = message, .count = 1};
    assert_written(&other, false,
                   "{'publish':{'qos':0,'retain':false,'dup':false,'truncated':true,"
                   "'skipped_length':20000}}",
                   "{'complete':false}");
}

static void what_suricatas_schema_does_not_know_stands_apart(void **state)
{
    (void)state;
    const struct mqtt_property number[] = {
        {.name = TEXT("subscription_identifier"), .is_number = true, .number = 5}};
    const struct mqtt_packet packets[] = {
        {.type = MQTT_SUBSCRIBE, .code = -1, .properties = {number, 1}},
        {.type = MQTT_SUBACK, .code = -1}};
    const struct mqtt_transaction mqtt = {.packets = packets, .count = 2, .complete = true};
    assert_written(&mqtt, false,
                   "{'subscribe':{'qos':0,'retain':false,'dup':false},"
                   "'suback':{'qos':0,'retain':false,'dup':false}}",
                   "{'packets':{'subscribe':{'properties':{'subscription_identifier':5}}},"
                   "'complete':true}");
    const struct mqtt_property method[] = {
        {.name = TEXT("authentication_method"), .value = TEXT("m")}};
    const struct mqtt_packet auth[] = {
        {.type = MQTT_AUTH, .code = 0x18, .properties = {method, 1}}};
    const struct mqtt_transaction other = {.packets = auth, .count = 1, .complete = true};
    assert_written(&other, false, NULL,
                   "{'packets':{'auth':{'reason_code':24,"
                   "'properties':{'authentication_method':'m'}}},'complete':true}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_is_written_with_its_answer),
        cmocka_unit_test(a_message_that_is_no_text_is_written_in_base64_too),
        cmocka_unit_test(subscriptions_have_topics_and_what_is_granted),
        cmocka_unit_test(a_users_properties_stand_apart_from_mqtts),
        cmocka_unit_test(of_what_is_truncated_the_length_is_told),
        cmocka_unit_test(what_suricatas_schema_does_not_know_stands_apart),
    };
    return cmocka_run_group_tests_name("event/eve_mqtt", tests, NULL, NULL);
}
