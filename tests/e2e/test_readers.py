# SPDX-License-Identifier: GPL-3.0-or-later
"""What is spoken inside TLS is read, and told as it was: by real peers, and compared with what they say."""

import base64
import gzip
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

import peers
from lab import DEVICE4, ORIGIN4, PATIENCE, wait_for
from test_protocols import (GRPC_CLIENT, GRPC_SERVER, PORT, REQUEST, TAKEN, WEBSOCKET_CLIENT,
                            WEBSOCKET_SERVER, connect_tls, is_open, read_until, run_program, serve_tls)

ACCESS = re.compile(r'^(\S+) - - \[[^]]*\] "(\S+) (\S+) (HTTP/[\d.]+)" (\d+) (\d+) ', re.M)


def logged(lab, mark):
    """What nginx has logged of requests whose URL has this in it: method, URL, protocol, status, bytes. It
    counts the 25 bytes of "HTTP/1.1 100 Continue" among those of the response's body."""
    return sorted((method, url, protocol.replace("HTTP/2.0", "HTTP/2"), int(status),
                   0 if status == "201" and length == "25" else int(length))
                  for _, method, url, protocol, status, length in ACCESS.findall(lab.access_log())
                  if mark in url)


def told(started, mark):
    return sorted((http["http_method"], http["url"], http["protocol"], http["status"], http["length"])
                  for http in (record["http"] for record in started.records("http"))
                  if mark in http["url"])


def test_T15_what_is_no_tls_is_read_as_well(lab, engine, tmp_path):
    """Requests of HTTP/1 on one connection, and an upload, as the origin has logged them; captured, too."""
    started = engine({"network": {"port": 80}})
    body, packets = tmp_path / "body", started.directory / "state/captures/plain.pcapng"
    body.write_bytes(os.urandom(300000))
    started.ctl("pcap", "start", packets.name)
    lab.curl("http://origin.test/hello?t15", "http://origin.test/nothing?t15", "http://origin.test/quic/?t15")
    lab.curl("http://origin.test/upload/t15", "-T", body)
    lab.curl("http://origin.test/upload/t15", "-o", tmp_path / "back")
    started.wait_records("flow", 3)
    assert (tmp_path / "back").read_bytes() == body.read_bytes()
    assert told(started, "t15") == logged(lab, "t15") and len(told(started, "t15")) == 5
    for record in started.records("http"):
        assert record["app_proto"] == "http" and record["intercept"]["http"]["scheme"] == "http"
        assert record["intercept"]["http"]["complete"]
    for flow in started.records("flow"):
        assert flow["intercept"]["reason"] == "not_tls" and flow["intercept"]["phase"] == "plain"
    assert not started.records("anomaly") and not started.records("tls")
    started.ctl("pcap", "stop")
    shown = subprocess.run(["tshark", "-r", packets, "-Y", "http.request", "-T", "fields", "-e",
                            "http.request.uri"], capture_output=True, text=True, check=True).stdout
    assert sorted(shown.split()) == sorted(url for _, url, *_ in logged(lab, "t15"))


def test_T15_what_may_not_be_interpreted_is_not_read(lab, engine):
    started = engine({"network": {"port": 80}, "tcp": {"pattern": ":80$"}})
    assert lab.curl("http://origin.test/hello").stdout == "hello from the origin\n"
    assert started.wait_records("flow")[0]["intercept"]["phase"] == "splice"
    assert not started.records("http") and not started.records("unknown")


def test_T1_requests_are_told_as_the_origin_has_logged_them(lab, engine, tmp_path):
    started = engine()
    body = tmp_path / "body"
    body.write_bytes(os.urandom(300000))
    for protocol in ("--http1.1", "--http2"):
        mark = "t1" + protocol.strip("-")
        urls = ["https://origin.test/%s%s" % (path, mark)
                for path in ("hello?", "nothing?", "quic/?", "hello?x=%20&y=")]
        lab.curl(urls[0], *urls[1:], "-k", protocol)
        lab.curl(urls[0] + "&head", "-k", "-I", protocol)
        lab.curl("https://origin.test/upload/%s" % mark, "-k", "-T", body, protocol)
        lab.curl("https://origin.test/upload/%s" % mark, "-k", protocol, "-o", "/dev/null")
        lab.curl("https://origin.test/upload/%s" % mark, "-k", protocol, "-r", "5-9")
        wait_for(lambda: len(told(started, mark)) == 8, "the records")
        assert told(started, mark) == logged(lab, mark)
    for record in started.records("http"):
        assert record["app_proto"] == {"HTTP/1.1": "http", "HTTP/2": "http2"}[record["http"]["protocol"]]
        assert record["http"]["hostname"] == "origin.test" and "http_port" not in record["http"]
        assert record["http"]["http_user_agent"].startswith("curl/")
        assert record["intercept"]["http"]["complete"]
        if record["http"]["http_method"] == "PUT":
            assert record["intercept"]["http"]["request_length"] == 300000
    assert not started.records("anomaly")


def test_T1_a_connections_records_belong_together(lab, engine):
    started = engine()
    lab.curl("https://origin.test/hello", "-k", "https://origin.test/a", "https://origin.test/b")
    (flow,) = started.wait_records("flow")
    http = started.records("http")
    assert {record["flow_id"] for record in http} == {flow["flow_id"]}
    assert [record["tx_id"] for record in http] == [0, 1, 2]
    assert flow["flow"]["tx_cnt"] == 3 and flow["intercept"]["protocol"] == "http2"
    assert [record["src_ip"] for record in http] == [DEVICE4] * 3
    assert "http" not in flow and "action" not in http[0]["intercept"]


def test_T1_a_page_in_chromium_is_told_request_by_request(lab, engine, tmp_path):
    """Over one connection of HTTP/2, with many streams at a time."""
    site = lab.origin_directory / "www/site"
    site.mkdir(exist_ok=True)
    for number in range(60):
        (site / ("s%d.js" % number)).write_text("// %s\n" % ("x" * number * 997))
    (site / "index.html").write_text("<title>t</title>" + "".join(
        "<script async src='/site/s%d.js'></script><img src='/site/none%d.png'>" % (n, n) for n in range(60)))
    started = engine()
    subprocess.run(["chown", "-R", "nobody:nogroup", tmp_path], check=True)
    lab.device.run("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups",
                   "env", "HOME=%s" % tmp_path, "chromium", "--headless", "--no-sandbox", "--disable-gpu",
                   "--disable-dev-shm-usage", "--ignore-certificate-errors",
                   "--user-data-dir=%s/profile" % tmp_path,
                   "--host-resolver-rules=MAP origin.test %s" % ORIGIN4[0], "--virtual-time-budget=10000",
                    "--dump-dom", "https://origin.test/site/index.html", timeout=90)
    wait_for(lambda: len(told(started, "/site/")) >= 121, "the records", 20)
    assert told(started, "/site/") == logged(lab, "/site/")
    assert len(told(started, "/site/")) == 121
    assert {record["app_proto"] for record in started.records("http")} == {"http2"}
    assert not started.records("anomaly")


def test_T1_many_streams_of_h2load_are_all_told(lab, engine):
    started = engine()
    report = lab.device.run("h2load", "-n", "2000", "-c", "4", "-m", "50", "https://%s/hello" % ORIGIN4[0],
                            timeout=120).stdout
    assert "2000 succeeded" in report, report
    wait_for(lambda: len(started.records("http")) == 2000, "the records", 20)
    flows = started.wait_records("flow", 4)
    assert sum(flow["flow"]["tx_cnt"] for flow in flows) == 2000
    assert all(record["http"]["length"] == 22 and record["http"]["status"] == 200
               for record in started.records("http"))


def test_T1_nghttpd_and_its_trailers(lab, engine, tmp_path):
    """Another HTTP/2 server, with padding, trailers, and what it pushes."""
    started = engine(TAKEN)
    (tmp_path / "www").mkdir()
    (tmp_path / "www/page").write_text("the page")
    (tmp_path / "www/style").write_text("the style")
    server = lab.origin.spawn("nghttpd", "-d", tmp_path / "www", "--trailer=x-checksum: 5", "-b", "200",
                              "-p", "/page=/style", PORT, lab.origin_directory / "origin.key",
                              lab.origin_directory / "origin.pem",
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: is_open(lab), "nghttpd", 20)
    shown = lab.device.run("nghttp", "-ny", "-b", "100", "--trailer=x-t: 1", "-H", "te: trailers", "-m", "3",
                           "https://%s:%d/page" % (ORIGIN4[0], PORT), check=False)
    server.terminate()
    server.wait(timeout=20 * PATIENCE)
    wait_for(lambda: len(started.records("http")) >= 4, "the records: " + shown.stdout + shown.stderr)
    pages = [record for record in started.records("http") if record["http"]["url"] == "/page"]
    styles = [record for record in started.records("http") if record["http"]["url"] == "/style"]
    assert len(pages) == 3 and all(record["http"]["length"] == 8 for record in pages)
    assert styles and all(record["intercept"]["http"]["pushed"] for record in styles)
    assert {"name": "x-checksum", "value": "5"} in pages[0]["http"]["response_headers"]
    assert pages[0]["http"]["http_port"] == PORT and pages[0]["http"]["version"] == "2"
    assert not started.records("anomaly")


def check_calls(records):
    """One that is echoed, twenty in a stream, and one that is refused."""
    calls = [record["intercept"]["grpc"] for record in records]
    assert [(call["service"], call["method"], call["status"], call["request_messages"],
             call["response_messages"]) for call in calls] == [
        ("test.Echo", "Echo", 0, 1, 1), ("test.Echo", "Talk", 0, 20, 20), ("test.Echo", "Refuse", 7, 1, 0)]
    assert calls[2]["message"] == "not you"


def test_T2_grpc_calls_have_their_method_messages_and_status(lab, engine, tmp_path):
    started = engine(TAKEN)
    server = run_program(lab, lab.origin, tmp_path, GRPC_SERVER, lab.origin_directory / "origin.pem",
                         lab.origin_directory / "origin.key", PORT)
    wait_for(lambda: is_open(lab), "the gRPC server", 30)
    run_program(lab, lab.device, tmp_path, GRPC_CLIENT, started.ca, ORIGIN4[0], PORT).wait(60 * PATIENCE)
    server.terminate()
    server.wait(timeout=20 * PATIENCE)
    records = started.wait_records("http", 3)
    check_calls(records)
    assert records[0]["http"]["length"] == 1000005 == records[0]["intercept"]["http"]["request_length"]


@pytest.mark.parametrize("bodies", [None, "100"])
def test_T3_websocket_messages_are_told(lab, engine, tmp_path, bodies):
    """The library compresses (RFC 7692), and keeps its window from message to message."""
    started = engine({**TAKEN, **({"events": {"bodies": bodies}} if bodies else {})})
    server = run_program(lab, lab.origin, tmp_path, WEBSOCKET_SERVER, lab.origin_directory / "origin.pem",
                         lab.origin_directory / "origin.key", PORT)
    wait_for(lambda: is_open(lab), "the WebSocket server", 30)
    run_program(lab, lab.device, tmp_path, WEBSOCKET_CLIENT, started.ca, ORIGIN4[0], PORT).wait(60 * PATIENCE)
    server.terminate()
    server.wait(timeout=20 * PATIENCE)
    started.wait_records("flow")
    (http,) = started.records("http")
    assert http["http"]["status"] == 101
    records = started.records("websocket")
    up = [record for record in records if record["direction"] == "to_server"]
    down = [record for record in records if record["direction"] == "to_client"]
    assert [record["websocket"]["opcode"] for record in up] == ["binary"] * 4 + ["ping", "text", "close"]
    assert [record["websocket"]["opcode"] for record in down] == ["binary"] * 4 + ["pong", "text", "close"]
    assert all(record["websocket"]["fin"] and record["app_proto"] == "websocket" for record in records)
    assert all("mask" in record["websocket"] for record in up)
    assert all("mask" not in record["websocket"] for record in down)
    assert up[-1]["intercept"]["websocket"]["close_code"] == 1000
    assert [record["tx_id"] for record in records] == list(range(1, len(records) + 1))
    shown = [record["websocket"].get("payload_base64") for record in (up[5], down[5])]
    assert shown == ([base64.b64encode(b"Alt-Svc: h3").decode()] * 2 if bodies else [None] * 2)
    if bodies:
        assert up[5]["websocket"]["payload_printable"] == "Alt-Svc: h3"
        assert up[2]["intercept"]["websocket"]["cut"] and up[5]["intercept"]["websocket"]["compressed"]
        assert len(base64.b64decode(up[3]["websocket"]["payload_base64"])) == 100


def test_T4_server_sent_events_are_told_as_they_come(lab, engine):
    started = engine({**TAKEN, "events": {"bodies": "1k"}})
    going = []

    def answer(connection):
        read_until(connection, b"\r\n\r\n")
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream;charset=utf-8\r\n"
                           b"Transfer-Encoding: chunked\r\n\r\n")
        for number in range(3):
            event = b"event: tick\nid: %d\ndata: a\ndata: %d\n\n" % (number, number)
            connection.sendall(b"%x\r\n%s\r\n" % (len(event), event))
            wait_for(lambda: len(started.records("sse")) == number + 1, "event %d" % number)
            going.append(len(started.records("http")))
        connection.sendall(b"0\r\n\r\n")

    with serve_tls(lab, answer):
        with connect_tls(lab) as connection:
            connection.sendall(REQUEST)
            read_until(connection, b"0\r\n\r\n")
    (http,) = started.wait_records("http")
    assert going == [0, 0, 0] and http["http"]["http_content_type"] == "text/event-stream"
    assert [record["intercept"]["sse"] for record in started.records("sse")] == [
        {"event": "tick", "id": str(number), "length": 3, "data": "a\n%d" % number} for number in range(3)]


def read_until_found(connection, part):
    data = b""
    while part not in data:
        data += connection.recv(65536)
    return data


BODY = b"<html>" + b"hello " * 500


def test_T5_bodies_are_recorded_decoded_up_to_the_size_asked_for(lab, engine):
    started = engine({**TAKEN, "events": {"bodies": "1000"}})

    def answer(connection):
        for content in (BODY[:500], BODY):
            read_until(connection, b"body")
            packed = gzip.compress(content)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s"
                               % (len(packed), packed))

    with serve_tls(lab, answer):
        with connect_tls(lab) as connection:
            for _ in range(2):
                connection.sendall(b"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody")
                head = read_until_found(connection, b"\r\n\r\n")
                left = int(re.search(rb"Content-Length: (\d+)", head).group(1))
                left -= len(head.split(b"\r\n\r\n", 1)[1])
                while left > 0:
                    left -= len(connection.recv(left))
    short, long = started.wait_records("http", 2)
    assert base64.b64decode(short["intercept"]["http"]["request_body"]["base64"]) == b"body"
    assert base64.b64decode(short["http"]["http_response_body"]) == BODY[:500]
    assert base64.b64decode(long["http"]["http_response_body"]) == BODY[:1000]
    assert "response_body" not in short["intercept"]["http"]
    assert long["intercept"]["http"]["response_body"]["cut"] is True


SECRETS = ("Authorization: Bearer s3cret", "Cookie: session=s3cret", "Proxy-Authorization: Basic s3cret",
           "X-Api-Key: s3cret", "Referer: https://u:s3cret@origin.test/?password=s3cret")


@pytest.mark.parametrize("protocol", ["--http1.1", "--http2"])
@pytest.mark.parametrize("kept", [False, True])
def test_T6_credentials_are_in_no_record_unless_they_are_to_be_kept(lab, engine, protocol, kept):
    started = engine({"events": {"credentials": "keep"}} if kept else None)
    options = [option for header in SECRETS for option in ("-H", header)]
    lab.curl("https://origin.test/hello?access_token=s3cret&x=1", "-k", protocol, *options)
    started.wait_records("flow")
    text = started.events_path.read_text()
    seen = 10 if protocol == "--http2" else 9  # the URL is a header, too
    assert text.count("s3cret") == (seen if kept else 0), text
    assert "s3cret" not in started.log()
    (http,) = started.records("http")
    if not kept:
        assert http["http"]["url"] == "/hello?access_token=(redacted)&x=1"
        assert {"name": "Cookie" if "1" in protocol else "cookie", "value": "(redacted)"} in \
            http["http"]["request_headers"]


def test_T7_what_is_not_understood_flows_on_with_a_note(lab, engine):
    started = engine(TAKEN)
    garbage = os.urandom(100000)

    def answer(connection):
        read_until(connection, b"\r\n\r\n")
        connection.sendall(b"\0\1\2 no HTTP\r\n" + garbage)

    with serve_tls(lab, answer):
        with connect_tls(lab) as connection:
            connection.sendall(REQUEST)
            assert peers.read_all(connection) == b"\0\1\2 no HTTP\r\n" + garbage
    (note,) = started.wait_records("anomaly")
    assert note["anomaly"] == {"app_proto": "http", "type": "applayer", "event": "PARSER_ERROR",
                               "layer": "proto_parser"}
    assert note["direction"] == "to_client" and note["intercept"]["note"].startswith("a response: ")
    (http,) = started.records("http")
    assert http["http"]["url"] == "/" and "status" not in http["http"]
    assert not http["intercept"]["http"]["complete"]


def test_T7_what_tcp_names_is_not_read(lab, engine):
    started = engine({"tcp": {"pattern": r"^origin\.test:"}})
    assert lab.curl("https://origin.test/hello", "-k").stdout == "hello from the origin\n"
    (flow,) = started.wait_records("flow")
    assert not started.records("http")
    assert "tx_cnt" not in flow["flow"] and "protocol" not in flow["intercept"]


def test_T8_a_large_body_costs_no_memory(lab, engine):
    # AddressSanitizer, where it is built in, would keep what is freed.
    started = engine({"events": {"bodies": "64k"}}, environment={"ASAN_OPTIONS": "quarantine_size_mb=1"})
    status = Path("/proc/%d/status" % started.pid())
    resident = lambda: int(re.search(r"VmRSS:\s+(\d+)", status.read_text()).group(1))
    with open(lab.origin_directory / "www/large", "wb") as blob:
        blob.truncate(500 << 20)
    lab.curl("https://origin.test/hello", "-k")
    before = resident()
    for protocol in ("--http1.1", "--http2"):
        lab.curl("https://origin.test/large", "-k", protocol, "-o", "/dev/null", timeout=60)
    assert resident() - before < 8000
    (lab.origin_directory / "www/large").unlink()
    http = [record["http"] for record in started.wait_records("http", 3)][1:]
    assert [one["length"] for one in http] == [500 << 20] * 2


# ---- another reader's opinion ----

TSHARK_FIELDS = {
    "http": ["http.request.method", "http.request.uri", "http.response.code", "http.content_length"],
    "http2": ["http2.streamid", "http2.headers.method", "http2.headers.path", "http2.headers.status"],
}


def tshark(capture, keys, layer, fields):
    """A list for each packet: of each field what is in it, "|" between several."""
    shown = subprocess.run(["tshark", "-r", capture, "-o", "tls.keylog_file:%s" % keys, "-Y", layer,
                            "-T", "fields", "-E", "separator=/t", "-E", "occurrence=a", "-E", "aggregator=|",
                            *[part for field in fields for part in ("-e", field)]],
                           capture_output=True, text=True, check=True, timeout=120 * PATIENCE).stdout
    return [line.split("\t") for line in shown.splitlines()]


@pytest.mark.parametrize("protocol,layer", [("--http1.1", "http"), ("--http2", "http2")])
def test_T9_tshark_reads_the_same_in_the_same_streams(lab, engine, protocol, layer):
    keys, capture = lab.directory / "reader-keys", lab.directory / ("reader-%s.pcap" % layer)
    started = engine({"tls": {"keylog": keys}})
    catcher = lab.router.spawn("dumpcap", "-q", "-i", "lan0", "-f", "tcp port 443", "-w", capture,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(capture.exists, "dumpcap")
    time.sleep(1)
    urls = ["https://origin.test/hello?%d" % number for number in range(20)]
    lab.curl(urls[0], *urls[1:], "https://origin.test/none", "-k", protocol)
    lab.curl("https://origin.test/hello?head", "-k", "-I", protocol)
    started.wait_records("flow", 2)
    time.sleep(1)
    catcher.send_signal(signal.SIGINT)
    catcher.wait(timeout=20 * PATIENCE)
    wait_for(lambda: keys.read_text().count("CLIENT_TRAFFIC_SECRET_0") >= 4, "the keys")
    records = [record["http"] for record in started.records("http")]
    lines = tshark(capture, keys, layer, TSHARK_FIELDS[layer])
    capture.unlink()
    keys.unlink()
    assert len(records) == 22
    if layer == "http":
        requests = [(line[0], line[1]) for line in lines if line[0]]
        responses = [int(line[2]) for line in lines if line[2]]
        assert requests == [(http["http_method"], http["url"]) for http in records]
        assert responses == [http["status"] for http in records]
    else:
        flat = [[part for line in lines for part in line[i].split("|") if part] for i in range(4)]
        assert flat[1] == [http["http_method"] for http in records]
        assert sorted(flat[2]) == sorted(http["url"] for http in records)
        assert sorted(map(int, flat[3])) == sorted(http["status"] for http in records)
