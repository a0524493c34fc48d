# SPDX-License-Identifier: GPL-3.0-or-later
"""The schema of records: closed, as Suricata documents EVE, and such that it finds what is wrong.

That records satisfy it is looked at wherever an engine stops (lab.py)."""

import copy
import re

import jsonschema
import pytest

from lab import ROOT
from schema import SCHEMA, faults

# Names and types from Suricata's user guide (EVE index), and from its own schema (etc/schema.json), which
# is closed, of the development version 9.0.0: of the objects that we write. What an early state of that did
# not have yet, such as properties of MQTT's SUBSCRIBE, is left out.
DOCUMENTED = {
    "": {"string": "app_proto community_id dest_ip event_type host in_iface proto src_ip timestamp direction",
         "integer": "dest_port flow_id src_port tx_id ip_v",
         "object": "alert anomaly dns flow ftp http mqtt pop3 quic smtp stats tls websocket"},
    "alert": {"string": "action category rule signature xff", "integer": "gid rev severity signature_id"},
    "anomaly": {"string": "app_proto event layer type"},
    "dns": {"boolean": "aa qr ra rd tc z", "string": "flags rcode rrname rrtype type",
            "integer": "id opcode tx_id version", "array": "answers authorities queries",
            "object": "grouped"},
    "dns.answers": {"string": "rdata rrname rrtype", "integer": "ttl", "object": "soa srv"},
    "dns.authorities": {"string": "rdata rrname rrtype", "integer": "ttl", "object": "soa"},
    "dns.answers.soa": {"integer": "expire minimum refresh retry serial", "string": "mname rname"},
    "dns.authorities.soa": {"integer": "expire minimum refresh retry serial", "string": "mname rname"},
    "dns.answers.srv": {"string": "name", "integer": "port priority weight"},
    "dns.grouped": {"array": "A AAAA CNAME MX NS NULL PTR SRV TXT"},
    "dns.grouped.SRV": {"string": "name", "integer": "port priority weight"},
    "dns.queries": {"string": "rrname rrtype type", "integer": "id opcode tx_id"},
    "flow": {"string": "action bypass end reason start state", "boolean": "alerted",
             "integer": "age bytes_toclient bytes_toserver pkts_toclient pkts_toserver tx_cnt"},
    "ftp": {"string": "command command_data mode reply_received", "integer": "dynamic_port",
            "array": "completion_code reply", "boolean": "command_truncated reply_truncated"},
    "http": {"string": "hostname http_content_type http_method http_refer http_response_body http_user_agent "
                       "protocol redirect url version xff",
             "integer": "http_port length status", "array": "request_headers response_headers",
             "object": "http2"},
    "http.request_headers": {"string": "name value"}, "http.response_headers": {"string": "name value"},
    "http.http2": {"integer": "stream_id", "object": "request response"},
    "http.http2.request": {"string": "error_code"}, "http.http2.response": {"string": "error_code"},
    "mqtt": {"object": "connack connect disconnect pingreq pingresp puback pubcomp publish pubrec pubrel "
                       "suback subscribe unsuback unsubscribe"},
    "mqtt.connect": {"string": "client_id password protocol_string username", "boolean": "dup retain",
                     "integer": "protocol_version qos", "object": "flags properties will"},
    "mqtt.connect.flags": {"boolean": "clean_session password username will will_retain"},
    "mqtt.connect.will": {"string": "message topic", "object": "properties"},
    "mqtt.connack": {"boolean": "dup retain session_present", "integer": "qos return_code",
                     "object": "properties"},
    "mqtt.publish": {"boolean": "dup retain truncated", "string": "message topic",
                     "integer": "message_id qos skipped_length", "object": "properties"},
    **{"mqtt." + name: {"boolean": "dup retain", "integer": "message_id qos reason_code"}
       for name in ("puback", "pubrec", "pubrel", "pubcomp")},
    "mqtt.subscribe": {"boolean": "dup retain", "integer": "message_id qos", "array": "topics"},
    "mqtt.subscribe.topics": {"string": "topic", "integer": "qos"},
    "mqtt.suback": {"boolean": "dup retain", "integer": "message_id qos", "array": "qos_granted"},
    "mqtt.unsubscribe": {"boolean": "dup retain", "integer": "message_id qos", "array": "topics"},
    "mqtt.unsuback": {"boolean": "dup retain", "integer": "message_id qos", "array": "reason_codes"},
    "mqtt.pingreq": {"boolean": "dup retain", "integer": "qos"},
    "mqtt.pingresp": {"boolean": "dup retain", "integer": "qos"},
    "mqtt.disconnect": {"boolean": "dup retain", "integer": "qos reason_code", "object": "properties"},
    "mqtt.properties": {
        "string": "assigned_client_identifier authentication_data authentication_method content_type "
                  "correlation_data reason_string response_information response_topic server_reference",
        "integer": "maximum_packet_size maximum_qos message_expiry_interval payload_format_indicator "
                   "receive_maximum request_problem_information request_response_information "
                   "retain_available server_keep_alive session_expiry_interval "
                   "shared_subscription_available subscription_identifier "
                   "subscription_identifier_available topic_alias topic_alias_maximum "
                   "wildcard_subscription_available will_delay_interval",
        "array": "user_properties"},
    "mqtt.properties.user_properties": {"string": "key value"},
    "pop3": {"object": "request response"},
    "pop3.request": {"string": "command", "array": "args"},
    "pop3.response": {"boolean": "success", "string": "header status", "array": "data"},
    "quic": {"string": "ja4 sni version"},
    "smtp": {"string": "helo mail_from", "array": "rcpt_to"},
    "stats": {"integer": "uptime"},
    "tls": {"string": "fingerprint issuerdn ja4 notafter notbefore serial sni subject version",
            "boolean": "session_resumed", "array": "client_alpns server_alpns subjectaltname",
            "object": "ja3 ja3s"},
    "tls.ja3": {"string": "hash string"}, "tls.ja3s": {"string": "hash string"},
    "websocket": {"boolean": "fin", "integer": "mask", "string": "opcode payload_base64 payload_printable"},
}
# What it asks for beside that.
REQUIRED = {"": "event_type timestamp", "dns": "version", "mqtt.properties.user_properties": "key value"}
MAY_BE_EMPTY = ["pop3.request.args"]
REFUSED = [("timestamp", "2026-11-28T22:52:40Z"), ("timestamp", "2026-11-28T22:52:40+0000"),
           ("tls.notbefore", "0999-12-31T23:59:59"), ("tls.notafter", "9999-12-31T23:59:59"),
           ("tls.notafter", "2026-11-28T22:52:40Z")]
NAMES = {bool: "boolean", int: "integer", str: "string"}


def without(part, keys):
    """An array's items without what a second schema forbids."""
    items = copy.deepcopy(resolved(part["items"]))
    for key in keys:
        del items["properties"][key]
    return {**part, "items": items}


def resolved(part):
    while "$ref" in part:
        part = {**part, **SCHEMA["$defs"][part["$ref"].rpartition("/")[2]]}
        del part["$ref"]
    if "allOf" in part and len(part) == 1:
        first, second = part["allOf"]
        part = without(resolved(first), second["items"]["properties"])
    return part


def documented(path):
    """The path that the table has it under: MQTT's properties are the same everywhere."""
    return re.sub(r"^mqtt\.(\w+\.)+properties", "mqtt.properties", path)


def type_of(part):
    values = part.get("enum", [part["const"]] if "const" in part else [])
    return part.get("type") or NAMES[type(values[0])]


def objects(part, path=""):
    """All objects in it, by their path, that are Suricata's; items of an array have the array's."""
    part = resolved(part)
    if type_of(part) == "array":
        yield from objects(part["items"], path)
    elif type_of(part) == "object":
        yield path, part
        for key, item in part.get("properties", {}).items():
            if (path, key) != ("", "intercept"):
                yield from objects(item, (path + "." + key).strip("."))


def test_it_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_beside_intercept_there_is_nothing_that_suricata_does_not_document():
    for path, part in objects(SCHEMA):
        path = documented(path)
        assert part["additionalProperties"] is False, path
        for key, item in part["properties"].items():
            if (path, key) == ("", "intercept"):
                continue
            kind = type_of(resolved(item))
            assert key in DOCUMENTED[path].get(kind, "").split(), "%s.%s: %s" % (path, key, kind)


def test_it_asks_for_no_less_than_suricatas_schema():
    for path, part in objects(SCHEMA):
        path = documented(path)
        assert set(REQUIRED.get(path, "").split()) <= set(part.get("required", [])), path
        for key, item in part["properties"].items():
            where = (path + "." + key).strip(".")
            if key != "intercept" and type_of(resolved(item)) == "array" and where not in MAY_BE_EMPTY:
                assert resolved(item).get("minItems", 0) >= 1, where


@pytest.mark.parametrize("path, value", REFUSED)
def test_it_refuses_dates_that_suricatas_schema_refuses(path, value):
    part = SCHEMA
    for key in path.split("."):
        part = resolved(part["properties"][key])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(part).validate(value)


def test_connections_end_in_no_other_way_than_it_has():
    known = re.findall(r'ENDING\([A-Z_]+,\s+"(\w+)"', (ROOT / "engine/core/ending.h").read_text())
    endings = SCHEMA["$defs"]["intercept"]["properties"]["ending"]["enum"]
    assert known[0] == "open" and known[1:] == endings


def spoilt(value, path=()):
    """Copies of a record with one thing wrong in each: an unknown key, a value of another type."""
    for key in value:
        one = copy.deepcopy(value)
        one["no_such_key"] = one.pop(key)
        yield path + (key,), one
        one = copy.deepcopy(value)
        one[key] = {"another": "type"} if not isinstance(value[key], dict) else "text"
        yield path + (key,), one
        if isinstance(value[key], dict):
            for where, inner in spoilt(value[key], path + (key,)):
                yield where, {**value, key: inner}


@pytest.fixture(scope="module")
def records(lab, shared_engine):
    started = shared_engine({"events": {"stats-interval": "1s"}})
    lab.curl("https://origin.test/hello", check=False)
    lab.curl("https://origin.test/hello", ca=started.ca)
    started.ctl("ignore", "add", "^192\\.0\\.2\\.1:")
    started.wait_records("flow", 2)
    started.wait_records("stats", 1)
    return started.records()


def test_whatever_is_wrong_with_a_record_is_found(records):
    assert {record["event_type"] for record in records} == {
        "intercept", "tls", "http", "flow", "alert", "stats"}
    for record in records:
        assert faults(record) == []
        for where, wrong in spoilt(record):
            assert faults(wrong), where


def test_a_record_without_what_it_is_about_is_found(records):
    for record in records:
        if "flow_id" in record:
            for key in ("flow_id", "src_ip", "dest_port", "community_id", "intercept", record["event_type"]):
                assert faults({name: item for name, item in record.items() if name != key}), key
        else:
            assert faults({**record, "flow_id": 1})
