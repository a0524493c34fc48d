/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "event/eve_message.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../folder.h"

#define TEXT(literal) text_from(literal, sizeof(literal) - 1)

static struct flow flow;
static const struct record record = {.flow = &flow, .flow_id = 77, .app_proto = "tls"};

/* The one line that is written, as JSON. */
static json_t *written(const struct message *message)
{
    struct folder folder = make_folder();
    const struct path path = path_in(&folder, "eve.json");
    const struct recorder_paths paths = {.events = path.text};
    struct recorder *recorder = recorder_start(&paths, 1);
    assert_non_null(recorder);
    eve_message_write(recorder_feed(recorder), &record, message);
    recorder_stop(recorder);
    char *text = text_in(&folder, "eve.json");
    json_error_t problem;
    json_t *event = json_loads(text, JSON_REJECT_DUPLICATES, &problem);
    if (event == NULL)
        fail_msg("%s: %s", text, problem.text);
    free(text);
    remove_folder(&folder);
    assert_int_equal(json_integer_value(json_object_get(event, "flow_id")), 77);
    return event;
}

/* Under this key is just that, in single quotes; NULL: nothing is. */
static void assert_part(json_t *event, const char *key, const char *expected)
{
    json_t *value = json_object_get(event, key);
    if (expected == NULL) {
        assert_null(value);
        return;
    }
    char *quoted = strdup(expected);
    assert_non_null(quoted);
    for (char *at = quoted; *at != '\0'; at++)
        if (*at == '\'')
            *at = '"';
    json_t *wanted = json_loads(quoted, JSON_DECODE_ANY, NULL);
    assert_non_null(wanted);
    if (value == NULL || !json_equal(value, wanted)) {
        char *got = value != NULL ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
        fail_msg("%s is %s,\nnot %s", key, got != NULL ? got : "not there", quoted);
    }
    json_decref(wanted);
    free(quoted);
}

static void an_exchange_is_suricatas_http(void **state)
{
    (void)state;
    const struct http_header request[] = {{TEXT("Host"), TEXT("x.test:8443")},
                                          {TEXT("user-AGENT"), TEXT("curl")},
                                          {TEXT("Referer"), TEXT("/r")},
                                          {TEXT("X-Forwarded-For"), TEXT("192.0.2.1")}};
    const struct http_header response[] = {{TEXT("Content-Type"), TEXT("text/html; charset=x")},
                                           {TEXT("Location"), TEXT("/b\"\n")}};
    const struct http_exchange http = {
        .version = 11,
        .method = TEXT("GET"),
        .url = TEXT("/a"),
        .host = TEXT("x.test"),
        .port = 8443,
        .protocol = TEXT("HTTP/1.1"),
        .status = 302,
        .request = {.headers = request,
                    .header_count = 4,
                    .fields = {[HTTP_FIELD_USER_AGENT] = 2,
                               [HTTP_FIELD_REFERER] = 3,
                               [HTTP_FIELD_X_FORWARDED_FOR] = 4},
                    .ended = true,
                    .length = 4,
                    .start = 10,
                    .end = 11,
                    .body = {.text = TEXT("body")}},
        .response = {.headers = response,
                     .header_count = 2,
                     .fields = {[HTTP_FIELD_CONTENT_TYPE] = 1, [HTTP_FIELD_LOCATION] = 2},
                     .ended = true,
                     .length = 5,
                     .start = 15,
                     .end = 30,
                     .body = {.text = TEXT("hell"), .cut = true}},
    };
    json_t *event = written(
        &(struct message){.kind = MESSAGE_HTTP, .protocol = "http", .number = 3, .http = &http});
    assert_part(event, "event_type", "'http'");
    assert_part(event, "app_proto", "'http'");
    assert_part(event, "tx_id", "3");
    assert_part(event, "http",
                "{'hostname':'x.test','http_port':8443,'url':'/a','http_user_agent':'curl',"
                "'xff':'192.0.2.1','http_content_type':'text/html','http_refer':'/r',"
                "'http_method':'GET','protocol':'HTTP/1.1','status':302,'redirect':'/b\\'\\n',"
                "'length':5,'http_response_body':'aGVsbA==',"
                "'request_headers':[{'name':'Host','value':'x.test:8443'},"
                "{'name':'user-AGENT','value':'curl'},{'name':'Referer','value':'/r'},"
                "{'name':'X-Forwarded-For','value':'192.0.2.1'}],"
                "'response_headers':[{'name':'Content-Type','value':'text/html; charset=x'},"
                "{'name':'Location','value':'/b\\'\\n'}]}");
    json_t *ours = json_object_get(json_object_get(event, "intercept"), "http");
    assert_int_equal(strlen(json_string_value(json_object_get(ours, "start"))), 31);
    json_object_del(ours, "start");
    assert_part(event, "intercept",
                "{'http':{'scheme':'http','request_length':4,'complete':true,'send_ms':1,"
                "'wait_ms':5,'total_ms':20,'request_body':{'base64':'Ym9keQ==','length':4},"
                "'response_body':{'cut':true,'length':5}}}");
    json_decref(event);
}

static void headers_that_are_cut_are_told(void **state)
{
    (void)state;
    static char value[2049];
    memset(value, 'v', sizeof(value));
    for (size_t length = 2048; length <= 2049; length++) {
        const struct http_header header = {TEXT("a"), text_from(value, length)};
        const struct http_exchange http = {
            .version = 11, .url = TEXT("/"), .request = {.headers = &header, .header_count = 1}};
        json_t *event =
            written(&(struct message){.kind = MESSAGE_HTTP, .protocol = "http", .http = &http});
        json_t *ours = json_object_get(json_object_get(event, "intercept"), "http");
        assert_int_equal(json_is_true(json_object_get(ours, "headers_cut")), length > 2048);
        json_decref(event);
    }
}

static void http2_and_grpc_have_what_is_theirs(void **state)
{
    (void)state;
    const struct http_exchange http = {
        .version = 20,
        .stream = 5,
        .method = TEXT("POST"),
        .url = TEXT("/test.Echo/Talk"),
        .protocol = TEXT("HTTP/2"),
        .is_reset = true,
        .reset_code = 8,
        .is_grpc = true,
        .grpc_status = 7,
        .request = {.length = 9, .grpc_messages = 2},
    };
    json_t *event =
        written(&(struct message){.kind = MESSAGE_HTTP, .protocol = "http2", .http = &http});
    assert_part(event, "http",
                "{'version':'2','url':'/test.Echo/Talk','http_method':'POST','protocol':'HTTP/2',"
                "'length':0,'http2':{'stream_id':5,'request':{'error_code':'CANCEL'}}}");
    assert_part(event, "intercept",
                "{'http':{'scheme':'http','request_length':9,'complete':false},'grpc':{'service':'"
                "test.Echo',"
                "'method':'Talk','status':7,'request_messages':2,'response_messages':0}}");
    json_decref(event);
}

static void a_message_is_suricatas_websocket(void **state)
{
    (void)state;
    const struct websocket_message message = {.to_server = true,
                                              .opcode = WEBSOCKET_CLOSE,
                                              .fin = true,
                                              .masked = true,
                                              .mask = 0x12345678,
                                              .frames = 1,
                                              .length = 5,
                                              .payload = TEXT("\x03\xe8"
                                                              "bye"),
                                              .close_code = 1000,
                                              .close_reason = TEXT("bye")};
    json_t *event = written(&(struct message){
        .kind = MESSAGE_WEBSOCKET, .protocol = "websocket", .websocket = &message});
    assert_part(event, "direction", "'to_server'");
    assert_part(event, "websocket",
                "{'fin':true,'mask':305419896,'opcode':'close','payload_base64':'A+hieWU=',"
                "'payload_printable':'..bye'}");
    assert_part(event, "intercept",
                "{'websocket':{'length':5,'frames':1,'close_code':1000,'close_reason':'bye'}}");
    json_decref(event);
}

static void server_sent_events_stand_under_our_own_key(void **state)
{
    (void)state;
    const struct sse_event sse = {
        .stream = 3, .type = TEXT("x"), .length = 9, .data = TEXT("a\nb"), .cut = true};
    json_t *event =
        written(&(struct message){.kind = MESSAGE_SSE, .protocol = "http2", .sse = &sse});
    assert_part(event, "event_type", "'sse'");
    assert_part(event, "direction", "'to_client'");
    assert_part(event, "sse", NULL);
    assert_part(event, "intercept",
                "{'sse':{'stream_id':3,'event':'x','length':9,'data':'a\\nb','cut':true}}");
    json_decref(event);
}

static void a_taps_last_word_is_an_anomaly(void **state)
{
    (void)state;
    const struct tap_note note = {.protocol = "http2", .to_server = true, .reason = "why"};
    json_t *event =
        written(&(struct message){.kind = MESSAGE_NOTE, .protocol = "http2", .note = &note});
    assert_part(event, "anomaly",
                "{'app_proto':'http2','type':'applayer','event':'PARSER_ERROR',"
                "'layer':'proto_parser'}");
    assert_part(event, "intercept", "{'note':'why'}");
    json_decref(event);
}

static void what_is_too_long_is_written_without_headers_and_bodies(void **state)
{
    (void)state;
    static char long_text[200000];
    memset(long_text, '\1', sizeof(long_text));
    const struct http_header header = {TEXT("a"), TEXT("b")};
    const struct http_exchange http = {
        .version = 11,
        .method = TEXT("GET"),
        .response = {.headers = &header,
                     .header_count = 1,
                     .body = {.text = text_from(long_text, sizeof(long_text))}}};
    json_t *event =
        written(&(struct message){.kind = MESSAGE_HTTP, .protocol = "http", .http = &http});
    assert_part(event, "http", "{'http_method':'GET','length':0}");
    assert_part(
        event, "intercept",
        "{'http':{'scheme':'http','request_length':0,'complete':false,'headers_cut':true}}");
    json_decref(event);
}

static void an_mqtt_transaction_goes_where_it_began(void **state)
{
    (void)state;
    const struct mqtt_packet packets[] = {{.type = MQTT_PINGREQ, .to_server = true, .code = -1},
                                          {.type = MQTT_PINGRESP, .code = -1}};
    struct mqtt_transaction mqtt = {.packets = packets, .count = 1, .complete = true};
    const struct message message = {.kind = MESSAGE_MQTT, .protocol = "mqtt", .mqtt = &mqtt};
    json_t *event = written(&message);
    assert_part(event, "event_type", "'mqtt'");
    assert_part(event, "direction", "'to_server'");
    assert_part(event, "mqtt", "{'pingreq':{'qos':0,'retain':false,'dup':false}}");
    assert_part(event, "intercept", "{'mqtt':{'complete':true}}");
    json_decref(event);
    mqtt.packets = &packets[1];
    event = written(&message);
    assert_part(event, "direction", "'to_client'");
    json_decref(event);
}

static void what_nobody_knows_is_all_ours(void **state)
{
    (void)state;
    const struct unknown_talk unknown = {
        .to_server = {.first = TEXT("a\0b"), .length = 300, .entropy = 7012}};
    json_t *event = written(
        &(struct message){.kind = MESSAGE_UNKNOWN, .protocol = "failed", .unknown = &unknown});
    assert_part(event, "event_type", "'unknown'");
    assert_part(event, "app_proto", "'failed'");
    assert_part(event, "direction", NULL);
    assert_part(event, "unknown", NULL);
    assert_part(event, "intercept",
                "{'unknown':{'to_server':{'counted':300,'entropy':7.012,'first_base64':'YQBi',"
                "'first_printable':'a.b'},'to_client':{'counted':0}}}");
    json_decref(event);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_exchange_is_suricatas_http),
        cmocka_unit_test(headers_that_are_cut_are_told),
        cmocka_unit_test(http2_and_grpc_have_what_is_theirs),
        cmocka_unit_test(a_message_is_suricatas_websocket),
        cmocka_unit_test(server_sent_events_stand_under_our_own_key),
        cmocka_unit_test(a_taps_last_word_is_an_anomaly),
        cmocka_unit_test(what_is_too_long_is_written_without_headers_and_bodies),
        cmocka_unit_test(an_mqtt_transaction_goes_where_it_began),
        cmocka_unit_test(what_nobody_knows_is_all_ours),
    };
    return cmocka_run_group_tests_name("event/eve_message", tests, NULL, NULL);
}
