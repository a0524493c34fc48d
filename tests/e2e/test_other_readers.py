# SPDX-License-Identifier: GPL-3.0-or-later
"""What devices speak beside HTTP is read, and told as their peers have understood it."""

import base64
import contextlib
import os
import re
import subprocess

import pytest

import peers
from lab import ORIGIN4, PATIENCE, wait_for
from test_protocols import PORT, connect_tls, read_until, serve_tls

# ---- MQTT ----

KINDS = "CONNECT|CONNACK|PUBLISH|PUBACK|PUBREC|PUBREL|PUBCOMP|SUBSCRIBE|SUBACK|UNSUBSCRIBE|UNSUBACK|PINGREQ"
# What the broker says of its packets. Of those that end a connection it says nothing in so many words.
LOGGED = re.compile(r"(Received|Sending) (%s)\b" % KINDS)


@contextlib.contextmanager
def broker(lab, tmp_path, port, tls=True):
    """mosquitto, and the file that it writes down all its packets in."""
    files, configuration, log = lab.origin_directory, tmp_path / "mosquitto.conf", tmp_path / "mosquitto.log"
    passwords = tmp_path / "passwords"
    passwords.write_text("user:pass-w0rd\n")
    subprocess.run(["mosquitto_passwd", "-U", passwords], check=True)
    configuration.write_text(
        "listener %d\nallow_anonymous true\npassword_file %s\nuser root\n"
        "log_type all\nlog_dest file %s\n%s" % (
            port, passwords, log,
            "certfile %s\nkeyfile %s\n" % (files / "origin.pem", files / "origin.key") if tls else ""))
    process = lab.origin.spawn("mosquitto", "-c", configuration, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    wait_for(lambda: peers.port_is_open(lab, port), "the broker")
    try:
        yield log
    finally:
        process.terminate()
        process.wait(timeout=20 * PATIENCE)


def as_logged(log):
    """Of each kind of packet, how many came and went."""
    found = [(verb == "Received", kind.lower()) for verb, kind in LOGGED.findall(log.read_text())]
    # "New client connected", and "Client … disconnected", are what it says of the others.
    found += [(True, "connect")] * log.read_text().count("New client connected")
    return sorted(found)


def as_told(records):
    """The same, by our records; and what only ends a connection is left out."""
    answers = {"connack", "suback", "unsuback", "puback", "pubrec", "pubcomp"}
    found = []
    for record in records:
        up = record["direction"] == "to_server"
        for kind in record["mqtt"]:
            if kind != "disconnect":
                found.append((up != (kind in answers and len(record["mqtt"]) > 1), kind))
    return sorted(found)


def talk_mqtt(lab, started, port, version, options=()):
    """One client hears what three others say, in each quality of service; the last has a will."""
    tls = ["--cafile", started.ca] if started else []
    common = ["-h", ORIGIN4[0], "-p", port, "-V", version, *tls, *options]
    listener = lab.device.spawn(*map(str, ["mosquitto_sub", *common, "-t", "a/#", "-t", "b", "-q", "2", "-C",
                                           "4", "-i", "listener", "-U", "c"]),
                                stdout=subprocess.PIPE, text=True)
    yield listener
    said = lambda *more: lab.device.run("mosquitto_pub", *common, *more)
    said("-t", "a/zero", "-m", "first", "-i", "zero")
    said("-t", "a/one", "-m", "second", "-q", "1", "-r", "-i", "one", "-u", "user", "-P", "pass-w0rd")
    said("-t", "a/two", "-m", "x" * 1000, "-q", "2", "-i", "two", "--will-topic", "gone",
         "--will-payload", "bye")
    said("-t", "b", "-n", "-i", "three")
    assert listener.communicate(timeout=20 * PATIENCE)[0].splitlines() == ["first", "second", "x" * 1000]


@pytest.mark.parametrize("version,number", [("mqttv31", 3), ("mqttv311", 4), ("mqttv5", 5)])
def test_T10_mqtt_is_told_as_the_broker_has_understood_it(lab, engine, tmp_path, version, number):
    started = engine({"network": {"port": 8883}, "events": {"bodies": "100"}})
    with broker(lab, tmp_path, 8883) as log:
        talk = talk_mqtt(lab, started, 8883, version)
        next(talk)
        wait_for(lambda: "Sending SUBACK" in log.read_text(), "the subscription")
        assert next(talk, None) is None
        started.wait_records("flow", 5)
        records = started.records("mqtt")
        told = [record["mqtt"] for record in records]
        assert as_told(records) == as_logged(log)
    assert {record["app_proto"] for record in records} == {"mqtt"}
    connects = {one["connect"]["client_id"]: one for one in told if "connect" in one}
    assert set(connects) == {"listener", "zero", "one", "two", "three"}
    assert {one["connect"]["protocol_version"] for one in connects.values()} == {number}
    assert all(one["connack"]["return_code"] == 0 for one in connects.values())
    assert connects["one"]["connect"]["username"] == "user"
    assert connects["two"]["connect"]["will"] == {"topic": "gone", "message": "bye"}
    assert sorted((one["publish"]["topic"], one["publish"]["qos"], one["publish"]["retain"],
                   one["publish"]["message"]) for one, record in zip(told, records)
                  if "publish" in one and record["direction"] == "to_server") == [
        ("a/one", 1, True, "second"), ("a/two", 2, False, "x" * 100), ("a/zero", 0, False, "first"),
        ("b", 0, False, "")]
    (two,) = [record for record in records if record["mqtt"].get("publish", {}).get("topic") == "a/two"
              and record["direction"] == "to_server"]
    assert set(two["mqtt"]) == {"publish", "pubrec", "pubrel", "pubcomp"}
    assert two["intercept"]["mqtt"] == {"length": 1000, "complete": True, "cut": True}
    (subscribed,) = [one for one in told if "subscribe" in one]
    assert subscribed["subscribe"]["topics"] == [{"topic": "a/#", "qos": 2}, {"topic": "b", "qos": 2}]
    assert subscribed["suback"]["qos_granted"] == [2, 2]
    assert "pass-w0rd" not in started.events_path.read_text() + started.log()
    assert not started.records("anomaly")


def test_T10_properties_of_mqtt_5_have_suricatas_names(lab, engine, tmp_path):
    started = engine({"network": {"port": PORT}})
    with broker(lab, tmp_path, PORT):
        lab.device.run("mosquitto_pub", "-h", ORIGIN4[0], "-p", PORT, "-V", "mqttv5", "--cafile", started.ca,
                       "-t", "t", "-m", "a secret of somebody's", "-x", "60",
                       "-D", "connect", "user-property", "colour", "red",
                       "-D", "publish", "content-type", "text/plain",
                       "-D", "publish", "user-property", "x-api-key", "s3cret")
        started.wait_records("flow")
    told = [record["mqtt"] for record in started.records("mqtt")]
    assert told[0]["connect"]["properties"] == {"receive_maximum": 20, "session_expiry_interval": 60,
                                                "user_properties": [{"key": "colour", "value": "red"}]}
    assert told[1]["publish"]["properties"] == {
        "content_type": "text/plain", "user_properties": [{"key": "x-api-key", "value": "(redacted)"}]}
    assert [next(iter(one)) for one in told] == ["connect", "publish", "disconnect"]
    text = started.events_path.read_text()
    assert "s3cret" not in text and "somebody" not in text  # messages are bodies: only on request


def test_T10_what_is_no_mqtt_flows_on_with_a_note(lab, engine):
    started = engine({"network": {"port": PORT}})
    connect, garbage = b"\x10\x0e\0\4MQTT\4\2\0\x3c\0\2id", b"\xf7" + os.urandom(50000)

    def answer(connection):
        read_until(connection, b"id")
        connection.sendall(b"\0\0" + garbage)

    with serve_tls(lab, answer), connect_tls(lab) as connection:
        connection.sendall(connect)
        assert peers.read_all(connection) == b"\0\0" + garbage
    (note,) = started.wait_records("anomaly")
    assert note["anomaly"]["app_proto"] == "mqtt"
    assert note["intercept"]["note"] == "an MQTT packet of type 0"
    (record,) = started.records("mqtt")
    assert record["mqtt"]["connect"]["client_id"] == "id" and not record["intercept"]["mqtt"]["complete"]


# ---- DNS ----

SOA = ("mname", "rname", "serial", "refresh", "retry", "expire", "minimum")
SRV = ("priority", "weight", "port", "name")

ZONE = """
    a.test. 300 IN A 192.0.2.1
    a.test. 300 IN A 192.0.2.2
    a.test. 60 IN AAAA 2001:db8::1
    a.test. 300 IN MX 10 mx.a.test.
    a.test. 300 IN TXT "v=spf1 -all; \\"quoted\\""
    _imaps._tcp.a.test. 300 IN SRV 0 1 993 imap.a.test.
    www.a.test. 300 IN CNAME a.test.
    1.2.0.192.in-addr.arpa. 300 IN PTR a.test.
    long.a.test. 300 IN TXT %s
""" % " ".join(['"%s"' % ("x" * 250)] * 20)

UNBOUND = """
    server:
        interface: 0.0.0.0@{tls}
        interface: 0.0.0.0@{https}
        tls-port: {tls}
        https-port: {https}
        tls-service-key: "{key}"
        tls-service-pem: "{certificate}"
        access-control: 0.0.0.0/0 allow
        username: ""
        chroot: ""
        directory: "{directory}"
        logfile: "{directory}/unbound.log"
        pidfile: "{directory}/unbound.pid"
        use-syslog: no
        log-queries: yes
        do-ip6: no
        local-zone: "a.test." static
        local-zone: "2.0.192.in-addr.arpa." static
        local-data: "a.test. 300 IN SOA ns.a.test. root.a.test. 1 2 3 4 5"
    remote-control:
        control-enable: no
"""
# The type, the name, and with what it is asked; by HTTPS a GET as well as a POST.
QUESTIONS = [("A", "a.test"), ("AAAA", "a.test"), ("MX", "a.test"), ("TXT", "a.test"), ("SOA", "a.test"),
             ("SRV", "_imaps._tcp.a.test"), ("CNAME", "www.a.test"), ("PTR", "1.2.0.192.in-addr.arpa"),
             ("A", "none.a.test")]
LOGGED_QUERY = re.compile(r"info: [\d.]+ (\S+)\. (\S+) IN$", re.M)


@pytest.fixture
def resolver(lab, tmp_path):
    """unbound, by TLS on port 853 and by HTTPS on another; what it has logged."""
    files, configuration = lab.origin_directory, tmp_path / "unbound.conf"
    data = "".join("        local-data: '%s'\n" % line.strip() for line in ZONE.strip().splitlines())
    text = UNBOUND.format(tls=853, https=PORT, key=files / "origin.key", directory=tmp_path,
                          certificate=files / "origin.pem")
    configuration.write_text(text.replace("    remote", data + "    remote"))
    process = lab.origin.spawn("unbound", "-d", "-c", configuration, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    wait_for(lambda: peers.port_is_open(lab, 853) and peers.port_is_open(lab, PORT), "the resolver")
    yield tmp_path / "unbound.log"
    process.terminate()
    process.wait(timeout=20 * PATIENCE)


def kdig(lab, started, *options):
    """The records in the answers: name, TTL, type, data."""
    shown = lab.device.run("kdig", "@" + ORIGIN4[0], "+tls-ca=%s" % started.ca, "+tls-hostname=origin.test",
                           "+noall", "+answer", *options).stdout
    lines = [line.split(None, 4) for line in shown.splitlines() if line and not line.startswith(";")]
    return sorted((name.rstrip("."), int(ttl), kind, data) for name, ttl, _, kind, data in lines)


def as_shown(record):
    """A record of ours, in kdig's words."""
    kind, data = record["rrtype"], record.get("rdata")
    if kind == "SOA":
        soa = record["soa"]
        data = "%s. %s. %d %d %d %d %d" % tuple(soa[key] for key in SOA)
    elif kind == "SRV":
        data = "%d %d %d %s." % tuple(record["srv"][key] for key in SRV)
    elif kind == "TXT":
        data = '"%s"' % data.replace('"', '\\"')
    elif kind in ("MX", "CNAME", "PTR"):
        data = ("10 " if kind == "MX" else "") + data + "."
    return record["rrname"], record["ttl"], kind, data


def assert_dns(started, log, shown, transport):
    """The queries are those that the resolver has logged, the answers those that kdig has shown."""
    records = started.records("dns")
    told = [record["dns"] for record in records]
    requests = [one for one in told if one["type"] == "request"]
    responses = [one for one in told if one["type"] == "response"]
    asked = [(one["queries"][0]["rrname"], one["queries"][0]["rrtype"]) for one in requests]
    assert asked == LOGGED_QUERY.findall(log.read_text()) and len(asked) == len(shown)
    assert [one["queries"] for one in responses] == [one["queries"] for one in requests]
    for one, expected in zip(responses, shown):
        assert sorted(map(as_shown, one.get("answers", []))) == expected
        assert one["qr"] and one["rcode"] == ("NOERROR" if expected else "NXDOMAIN")
    for record in records:
        assert record["intercept"]["dns"]["transport"] == transport
        assert record["direction"] == ("to_server" if record["dns"]["type"] == "request" else "to_client")
        assert ("wait_ms" in record["intercept"]["dns"]) == (record["dns"]["type"] == "response")
    assert not started.records("anomaly") and not started.records("unknown")
    return records


def test_T12_dns_over_tls_is_told_as_the_resolver_has_understood_it(lab, engine, resolver):
    started = engine({"network": {"port": 853}})
    shown = [kdig(lab, started, "+tls", name, kind) for kind, name in QUESTIONS]
    started.wait_records("flow", len(QUESTIONS))
    records = assert_dns(started, resolver, shown, "tls")
    assert {record["app_proto"] for record in records} == {"dns"}
    assert {record["tx_id"] for record in records} == {0}
    (addresses, *_) = [record["dns"] for record in records if "grouped" in record["dns"]]
    assert sorted(addresses["grouped"]["A"]) == ["192.0.2.1", "192.0.2.2"]
    assert records[-1]["dns"]["authorities"][0]["soa"]["rname"] == "root.a.test"


@pytest.mark.parametrize("method", ["+https", "+https-get"])
def test_T12_dns_over_https_is_told_beside_its_exchange(lab, engine, resolver, method):
    started = engine({"network": {"port": PORT}})
    shown = [kdig(lab, started, "-p", PORT, "+https=/dns-query", method, name, kind)
             for kind, name in QUESTIONS]
    started.wait_records("flow", len(QUESTIONS))
    records = assert_dns(started, resolver, shown, "https")
    assert {record["app_proto"] for record in records} == {"doh2"}
    exchanges = started.records("http")
    assert len(exchanges) == len(QUESTIONS)
    for exchange in exchanges:
        assert exchange["http"]["http_method"] == ("GET" if "get" in method else "POST")
        assert exchange["http"]["http_content_type"] == "application/dns-message"
        assert "http_response_body" not in exchange["http"]
        same = [record for record in records if record["flow_id"] == exchange["flow_id"]]
        assert [record["tx_id"] for record in same] == [exchange["tx_id"]] * 2
        assert {record["intercept"]["dns"]["stream_id"] for record in same} == {
            exchange["http"]["http2"]["stream_id"]}


def test_T12_queries_on_one_connection_have_their_numbers_and_of_a_long_answer_the_question_is_told(
        lab, engine, resolver):
    started = engine({"network": {"port": 853}})
    questions = [("A", "a.test"), ("TXT", "long.a.test"), ("AAAA", "a.test")]
    shown = kdig(lab, started, "+tls", "+keepopen", "+dnssec", "+padding=468",
                 *(word for kind, name in questions for word in (name, kind)))
    (flow,) = started.wait_records("flow")
    records = started.records("dns")
    assert {record["flow_id"] for record in records} == {flow["flow_id"]}
    assert [(record["tx_id"], record["dns"]["type"]) for record in records] == [
        (number, kind) for number in range(3) for kind in ("request", "response")]
    for record, (kind, name) in zip(records, (one for one in questions for _ in range(2))):
        assert record["dns"]["queries"] == [{"rrname": name, "rrtype": kind}]
        is_long = kind == "TXT" and record["dns"]["type"] == "response"
        assert record["intercept"]["dns"].get("cut", False) == is_long
    told = [as_shown(one) for record in records for one in record["dns"].get("answers", [])]
    assert sorted(told) == [record for record in shown if record[2] != "TXT"]
    assert not started.records("anomaly")


QUERY = b"\x12\x34\1\0\0\1\0\0\0\0\0\0\1a\4test\0\0\1\0\1"
ANSWER = QUERY[:2] + b"\x81\x80\0\1\0\1" + QUERY[8:] + b"\xc0\x0c\0\1\0\1\0\0\1\x2c\0\4\xc0\0\2\1"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_T12_dns_over_https_is_told_in_http_1(lab, engine, tmp_path, method):
    started = engine({"network": {"port": PORT}})
    query = tmp_path / "query"
    query.write_bytes(QUERY)

    def answer(connection):
        assert read_until(connection, QUERY if method == "POST" else b"\r\n\r\n").startswith(method.encode())
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/dns-message\r\n"
                           b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(ANSWER), ANSWER))

    encoded = base64.urlsafe_b64encode(QUERY).decode().rstrip("=")
    asks = (["--data-binary", "@%s" % query, "-H", "content-type: application/dns-message",
             "https://origin.test:%d/dns-query" % PORT] if method == "POST" else
            ["https://origin.test:%d/dns-query?dns=%s" % (PORT, encoded)])
    with serve_tls(lab, answer):
        lab.device.run("curl", "-sS", "--http1.1", "-m", 20 * PATIENCE, "--cacert", started.ca, "--resolve",
                       "origin.test:%d:%s" % (PORT, ORIGIN4[0]), "-o", tmp_path / "answer", *asks)
    assert (tmp_path / "answer").read_bytes() == ANSWER
    started.wait_records("flow")
    request, response = started.records("dns")
    assert (request["dns"]["type"], response["dns"]["type"]) == ("request", "response")
    assert request["dns"]["id"] == response["dns"]["id"] == 0x1234
    assert request["dns"]["queries"] == response["dns"]["queries"] == [{"rrname": "a.test", "rrtype": "A"}]
    assert response["dns"]["grouped"] == {"A": ["192.0.2.1"]}
    (exchange,) = started.records("http")
    for record in request, response:
        assert record["app_proto"] == "http" and record["tx_id"] == exchange["tx_id"]
        assert record["intercept"]["dns"]["transport"] == "https"


def test_T12_what_is_no_dns_flows_on_with_a_note(lab, engine):
    started = engine({"network": {"port": PORT}})
    query, garbage = len(QUERY).to_bytes(2, "big") + QUERY, b"\0\5" + os.urandom(50000)

    def answer(connection):
        read_until(connection, query)
        connection.sendall(garbage)

    with serve_tls(lab, answer), connect_tls(lab) as connection:
        connection.sendall(query)
        assert peers.read_all(connection) == garbage
    (note,) = started.wait_records("anomaly")
    assert note["anomaly"]["app_proto"] == "dns" and note["direction"] == "to_client"
    assert note["intercept"]["note"] == "a DNS message of 5 bytes"
    (record,) = started.records("dns")
    assert record["dns"]["type"] == "request" and record["dns"]["id"] == 0x1234


# ---- what nobody knows ----

@pytest.mark.parametrize("bodies", [None, "1"])
def test_T11_of_what_nobody_knows_the_start_and_the_entropy_are_told(lab, engine, bodies):
    started = engine({"network": {"port": PORT}, **({"events": {"bodies": bodies}} if bodies else {})})
    garbage = os.urandom(40000)

    def answer(connection):
        read_until(connection, b"\n")
        connection.sendall(garbage)

    with serve_tls(lab, answer), connect_tls(lab) as connection:
        connection.sendall(b"what is this, if it is anything at all, and not a password?\n")
        assert peers.read_all(connection) == garbage
    (flow,) = started.wait_records("flow")
    (record,) = started.records("unknown")
    assert record["app_proto"] == "failed" and flow["intercept"]["protocol"] == "failed"
    unknown = record["intercept"]["unknown"]
    shown = 60 if bodies else 16
    assert unknown["to_server"]["first_printable"] == "what is this, if it is anything at all, and not a " \
        "password?."[:shown]
    assert unknown["to_server"]["counted"] == 60 and 3 < unknown["to_server"]["entropy"] < 5
    assert base64.b64decode(unknown["to_client"]["first_base64"]) == garbage[:64 if bodies else 16]
    assert unknown["to_client"]["counted"] == 16384 and 7.9 < unknown["to_client"]["entropy"] <= 8
    assert not started.records("anomaly")
