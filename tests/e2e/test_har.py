# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests are exported in forms that other programs read: HAR, and commands of curl."""

import base64
import gzip
import json
import os
import re
import sqlite3
import subprocess

import devtools
import peers
from lab import BUILD, ORIGIN4, PATIENCE, wait_for
from test_protocols import (PORT, TAKEN, WEBSOCKET_CLIENT, WEBSOCKET_SERVER, connect_tls, is_open, read_until,
                            run_program, serve_tls)
from test_readers import read_until_found
from test_store import stored, with_store

VALIDATE = """
const validate = require('har-validator');
validate.har(JSON.parse(require('fs').readFileSync(0)))
    .then(() => console.log('valid'), error => console.log(JSON.stringify(error.errors)));
"""
BODIES = {"events": {"bodies": "64k"}}


def validate(text):
    """What the validator of the npm registry, in its package, says of an archive."""
    return subprocess.run(["node", "-e", VALIDATE], input=text, capture_output=True, text=True,
                          env={**os.environ, "NODE_PATH": "/usr/share/nodejs"}).stdout.strip()


def export(started, *filters):
    """The archive of a filter, as text and read: a valid one."""
    text = started.ctl("har", *filters).stdout
    assert validate(text) == "valid"
    return text, json.loads(text)["log"]["entries"]


def test_the_validator_finds_what_is_wrong():
    assert "valid" not in validate('{"log":{"version":"1.2","creator":{"name":"x"},"entries":[{}]}}')


def test_T25_requests_are_exported_as_they_were(lab, engine, tmp_path):
    started = engine({**with_store(tmp_path), **BODIES})
    body = '{"a": "ä"}'
    for protocol in ("--http1.1", "--http2"):
        lab.curl("https://origin.test/hello?a=1&b", "-k", protocol, "-H", "Cookie: c=d")
        lab.curl("https://origin.test/upload/" + protocol[2:].replace(".", ""), "-k", protocol, "-X", "PUT",
                 "-H", "Content-Type: application/json", "--data-binary", body)
        lab.curl("https://origin.test/none", "-k", protocol)
    wait_for(lambda: len(stored(started, "~http")) == 6, "the requests")
    text, entries = export(started)
    records = [record for record in stored(started, "~http")]
    assert [entry["_id"] for entry in entries] == [record["store_id"] for record in records]
    for entry, record in zip(entries, records):
        http, request, response = record["http"], entry["request"], entry["response"]
        assert request["url"] == "https://origin.test" + http["url"]
        assert (request["method"], request["httpVersion"]) == (http["http_method"], http["protocol"])
        assert request["headers"] == http["request_headers"]
        assert response["headers"] == http["response_headers"]
        assert (response["status"], response["bodySize"]) == (http["status"], http["length"])
        assert response["content"].get("text", "").encode() == \
            base64.b64decode(http.get("http_response_body", ""))
        assert entry["time"] == record["intercept"]["http"]["total_ms"]
        assert entry["connection"] == str(record["flow_id"])
        assert entry["serverIPAddress"] == ORIGIN4[0]
        assert not request["cookies"]  # they are redacted
        if http["http_method"] == "PUT":
            assert request["postData"] == {"mimeType": "application/json", "text": body}
    assert sum(entry["request"]["queryString"] == [{"name": "a", "value": "1"}, {"name": "b", "value": ""}]
               for entry in entries) == 2
    assert [entry["response"]["status"] for entry in export(started, "~c", "404")[1]] == [404, 404]
    assert export(started, "~u nowhere")[1] == []


def test_T25_chromiums_network_panel_opens_it(lab, engine, tmp_path):
    """Text, what is none, what was compressed, and WebSocket's messages."""
    started = engine({**with_store(tmp_path), **BODIES, **TAKEN})
    page, picture = "<p>\u00e4\n" * 500, os.urandom(900)
    answers = [(b"text/html; charset=utf-8", b"Content-Encoding: gzip\r\n", gzip.compress(page.encode())),
               (b"image/png", b"", picture)]

    def answer(connection):
        for kind, encoding, body in answers:
            read_until(connection, b"\r\n\r\n")
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\n%sContent-Length: %d\r\n\r\n%s"
                               % (kind, encoding, len(body), body))

    with serve_tls(lab, answer):
        with connect_tls(lab) as connection:
            for path in (b"/page", b"/picture?x=(a|b)"):
                connection.sendall(b"GET %s HTTP/1.1\r\nHost: origin.test:%d\r\n\r\n" % (path, PORT))
                head, begun = read_until_found(connection, b"\r\n\r\n").split(b"\r\n\r\n", 1)
                left = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0]) - len(begun)
                while left > 0:
                    left -= len(connection.recv(left))
    server = run_program(lab, lab.origin, tmp_path, WEBSOCKET_SERVER, lab.origin_directory / "origin.pem",
                         lab.origin_directory / "origin.key", PORT)
    wait_for(lambda: is_open(lab), "the WebSocket server", 30)
    run_program(lab, lab.device, tmp_path, WEBSOCKET_CLIENT, started.ca, ORIGIN4[0], PORT).wait(60 * PATIENCE)
    server.terminate()
    wait_for(lambda: len(stored(started, "~websocket")) >= 13, "the messages", 20)
    text, entries = export(started, "~http")
    shown = devtools.imported(lab, tmp_path / "chromium", text)
    urls = [request["url"] for request in shown]
    at = "https://origin.test:%d/" % PORT
    assert urls == [at + "page", at + "picture?x=(a%7Cb)", at]
    assert [request["status"] for request in shown] == [200, 200, 101]
    assert all(request["address"].startswith(ORIGIN4[0]) for request in shown)
    assert (shown[0]["content"], shown[0]["size"]) == (page, len(page.encode()))
    assert shown[0]["transferred"] < shown[0]["size"] and shown[0]["mime"].startswith("text/html")
    assert base64.b64decode(shown[1]["content"]) == picture and shown[1]["mime"] == "image/png"
    for request, entry in zip(shown, entries):
        sent = entry["request"]["headers"]
        assert request["sent"] == [[header["name"], header["value"]] for header in sent]
        assert abs(request["duration"] * 1000 - entry["time"]) < 1
    frames = shown[2]["frames"]
    assert ["send", 1, "Alt-Svc: h3"] in frames and ["receive", 1, "Alt-Svc: h3"] in frames
    assert [frame[1] for frame in frames].count(2) == 8 and len(frames) == len(stored(started, "~websocket"))


def test_T25_what_is_odd_is_exported_in_good_form(lab, engine, tmp_path):
    """No answer, bytes that are no text, and URLs that are no URIs."""
    started = engine({**with_store(tmp_path), **BODIES, **TAKEN})

    def hang_up(connection):
        read_until(connection, b"\r\n\r\n")

    with serve_tls(lab, hang_up):
        for request in (b"GET /\xe9\xff|\"<>{}% HTTP/1.1\r\nHost: origin.test\r\nX: \x07\xff\r\n",
                        b"GET http://other.test/whole HTTP/1.0\r\n",
                        b"OPTIONS * HTTP/1.1\r\nHost: [::1]:99\r\n"):
            with connect_tls(lab) as connection:
                connection.sendall(request + b"\r\n")
                assert peers.read_all(connection) == b""
    wait_for(lambda: len(stored(started, "~http")) >= 2, "the requests")
    started.wait_records("flow", 3)
    _, entries = export(started)
    assert all(entry["response"]["status"] == 0 for entry in entries)
    assert "http://other.test/whole" in [entry["request"]["url"] for entry in entries]


def high_water(pid):
    """The most memory that a process has had, in bytes; 0 once it has ended."""
    with open("/proc/%d/status" % pid) as status:
        found = re.search(r"^VmHWM:\s+(\d+) kB", status.read(), re.M)
    return int(found.group(1)) << 10 if found else 0


def test_T25_an_archive_of_many_requests_takes_no_memory(lab, engine, tmp_path):
    """And whoever has seen enough may leave."""
    started = engine({**with_store(tmp_path), **BODIES})
    lab.curl("https://origin.test/hello", "-k")
    wait_for(lambda: stored(started, "~http"), "the request")
    started.stop()
    file = tmp_path / "store/flows.db"
    with sqlite3.connect(file) as database:
        (line,) = database.execute("select json from event where type = 'http'").fetchone()
        database.executemany("insert into event (time, type, json) values ('2026-11-28', 'http', ?)",
                             [(line,)] * 100000)
    process = subprocess.Popen([BUILD / "interceptctl", "--store", file, "har"], stdout=subprocess.PIPE,
                               env={**os.environ, "ASAN_OPTIONS": "quarantine_size_mb=1"})
    length = peak = 0
    for part in iter(lambda: process.stdout.read(1 << 20), b""):
        length += len(part)
        peak = max(peak, high_water(process.pid))
    assert process.wait() == 0
    assert 0 < peak < 80 << 20 < length
    reader = subprocess.run("%s --store %s har | head -c 1000" % (BUILD / "interceptctl", file), shell=True,
                            capture_output=True, text=True)
    assert reader.stdout.startswith('{"log":{"version":"1.2"') and not reader.stderr


# ---- curl ----

def command_of(started, event):
    result = started.ctl("curl", str(event["store_id"]))
    return result.stdout, result.stderr


def run_again(lab, folder, command, port):
    """The command as it is, by a shell on the device. Whom it trusts and finds is curl's configuration."""
    (folder / ".curlrc").write_text("insecure\nsilent\nmax-time = 60\nresolve = origin.test:%d:%s\n"
                                    "resolve = origin.test:443:%s\n" % (port, ORIGIN4[0], ORIGIN4[0]))
    return lab.device.run("env", "CURL_HOME=%s" % folder, "bash", "-c", command, text=False)


REQUESTS = [
    b"GET /plain?q=1&r=a%20b HTTP/1.1\r\nHost: origin.test:4433\r\nAccept: */*\r\nUser-Agent: x\r\n\r\n",
    b"GET /a/../b/./c?[1-3]{a,b} HTTP/1.1\r\nHost: origin.test\r\n\r\n",
    b"GET /quotes HTTP/1.1\r\nHost: origin.test:4433\r\nA: it's $HOME `id` \"x\" \\ !!\r\nB:\r\n"
    b"C: 1\r\nC: 2\r\nAccept-Encoding: gzip, br\r\nCookie: a=b; c=d\r\nAuthorization: Basic eDp5\r\n\r\n",
    b"HEAD / HTTP/1.1\r\nHost: origin.test:4433\r\nAccept: a/b\r\n\r\n",
    b"DELETE /x HTTP/1.1\r\nHost: origin.test:4433\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: origin.test:4433\r\n\r\n",
    b"POST /form HTTP/1.1\r\nHost: origin.test:4433\r\nContent-Type: a/b\r\nContent-Length: 9\r\n\r\n"
    b"@it's=1&\xc3",
    b"POST /json HTTP/1.1\r\nHost: origin.test:4433\r\nContent-Length: 12\r\n\r\n{\"a\": \"\xc3\xa4\"}\n",
    b"PUT /bytes HTTP/1.1\r\nHost: origin.test:4433\r\nContent-Type: x\r\nContent-Length: 256\r\n\r\n"
    + bytes(range(256)),
    b"POST /percent HTTP/1.1\r\nHost: origin.test:4433\r\nContent-Length: 13\r\n\r\n\0%s\\n%%\\000'\n",
    b"POST /chunks HTTP/1.1\r\nHost: origin.test:4433\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n",
    b"GET /old HTTP/1.0\r\nHost: origin.test:4433\r\n\r\n",
]


def parts_of(request):
    """What is the same in the same request: headers may come in another order, chunks be cut elsewhere."""
    head, body = request.split(b"\r\n\r\n", 1)
    line, *headers = head.split(b"\r\n")
    if b"Transfer-Encoding: chunked" in headers:
        body = b"".join(body.split(b"\r\n")[1::2])
    return line, sorted(header.rstrip() for header in headers), body


def is_whole(data):
    if b"\r\n\r\n" not in data:
        return False
    head, body = data.split(b"\r\n\r\n", 1)
    if b"chunked" in head:
        return body.endswith(b"0\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.split(b"\r\n") if line.startswith(b"Content-Length")]
    return len(body) >= int(lengths[0] if lengths else 0)


def test_T26_a_command_of_curl_makes_the_same_request_again(lab, engine, tmp_path):
    started = engine({**with_store(tmp_path), **TAKEN,
                      "events": {"bodies": "64k", "credentials": "keep"}})
    seen = []

    def answer(connection):
        data = b""
        while not is_whole(data):
            part = connection.recv(65536)
            if not part:
                return
            data += part
        seen.append(data)
        connection.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")

    with serve_tls(lab, answer):
        for number, request in enumerate(REQUESTS, 1):
            with connect_tls(lab) as connection:
                connection.sendall(request)
                assert peers.read_all(connection).startswith(b"HTTP/1.1 204")
            wait_for(lambda: len(stored(started, "~http")) == 2 * number - 1, "the request")
            command, note = command_of(started, stored(started, "~http")[-1])
            assert note == ""
            run_again(lab, tmp_path, command, PORT)
            assert len(seen) == 2 * number, command
            assert parts_of(seen[-1]) == parts_of(request), command
            wait_for(lambda: len(stored(started, "~http")) == 2 * number, "the other request")


def told(event):
    http, ours = event["http"], event["intercept"]["http"]
    body = ours.get("request_body", {}).get("base64") or http.get("http_request_body")
    return (http["http_method"], http["url"], http["protocol"], body,
            sorted((header["name"], header["value"]) for header in http["request_headers"]))


def test_T26_requests_of_http2_are_made_again(lab, engine, tmp_path):
    started = engine({**with_store(tmp_path), **BODIES})
    options = [["-H", "X-Empty;", "-H", "X-Quote: it's"], ["-X", "PUT", "-d", "a=b"],
               ["-X", "PUT", "-d", "@/bin/true"], ["-I"], ["-X", "PROPFIND"], ["--compressed", "-A", "agent"]]
    for number, option in enumerate(options, 1):
        # Where a body is wanted: else the answer may come before it was sent.
        path = "upload/again" if "PUT" in option else "hello"
        lab.curl("https://origin.test/%s?%d" % (path, number), "-k", "--http2", *option)
        wait_for(lambda: len(stored(started, "~http")) == 2 * number - 1, "the request")
        event = stored(started, "~http")[-1]
        command, _ = command_of(started, event)
        run_again(lab, tmp_path, command, 443)
        wait_for(lambda: len(stored(started, "~http")) == 2 * number, "the other request")
        assert told(stored(started, "~http")[-1]) == told(event), command


def test_T26_what_a_command_lacks_is_told(lab, engine, tmp_path):
    started = engine(with_store(tmp_path))
    lab.curl("https://origin.test/upload/x?token=s3cret", "-k", "-X", "PUT", "-d", "the body",
             "-H", "X: " + "x" * 3000)
    wait_for(lambda: stored(started, "~http"), "the request")
    (event,) = stored(started, "~http")
    command, notes = command_of(started, event)
    assert "token=(redacted)" in command and "the body" not in command
    assert [line.split(":")[0] for line in notes.splitlines()] == ["note"] * 3
    flow = stored(started, "!~http")[0]["store_id"]
    for arguments, status, reason in (([flow], 1, "is no request"), ([999], 1, "has no event 999"),
                                      (["x"], 2, "not x"), (["0"], 2, "not 0"), ([], 2, "needs the ID")):
        refused = started.ctl("curl", *map(str, arguments), check=False)
        assert refused.returncode == status and reason in refused.stderr
