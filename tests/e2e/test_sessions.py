# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions are resumed on both sides, and only where nothing has changed; what may happen after the
handshake happens, or is refused."""

import base64
import contextlib
import re
import ssl
import subprocess
import time

import pytest

import pki
from lab import DEVICE4, ORIGIN4, PATIENCE, wait_for

VERSIONS = pytest.mark.parametrize("version", ["tls1_2", "tls1_3"])
REQUEST = "GET /hello HTTP/1.0\r\n\r\n"


def s_client(lab, *options, origin=ORIGIN4[0], port=443, name="origin.test", request=REQUEST, text=True):
    """openssl's own client on the device, which sends the request and reads to the end."""
    return lab.device.run("openssl", "s_client", "-connect", "%s:%d" % (origin, port), "-servername", name,
                          "-ign_eof", *options, input=request, check=False, timeout=20, text=text).stdout


def resumption(shown):
    """New or Reused."""
    return re.search(r"^(New|Reused), ", shown, re.M).group(1)


@contextlib.contextmanager
def talking(process, path):
    """A program whose keys are typed, and what it has said so far."""
    process.said = lambda: path.read_text(errors="replace")
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def device_client(lab, tmp_path, *options):
    """openssl's own client on the device, in the middle of a conversation."""
    path = tmp_path / "s_client"
    with open(path, "wb") as output:
        device = lab.device.spawn("openssl", "s_client", "-connect", ORIGIN4[0] + ":4433", "-servername",
                                  "origin.test", *options, stdin=subprocess.PIPE, stdout=output,
                                  stderr=output)
    with talking(device, path):
        wait_for(lambda: "Verify return code" in device.said(), "the handshake")
        yield device


@contextlib.contextmanager
def s_server(lab, tmp_path, *options, port=4433, identity=None):
    """openssl's own server on the origin; what it reads and says is in the file that is given."""
    if identity is None:
        identity = (lab.origin_directory / "origin.pem", lab.origin_directory / "origin.key")
    said = tmp_path / ("s_server-%d" % port)
    with open(said, "wb") as output:
        server = lab.origin.spawn("openssl", "s_server", "-accept", str(port), "-cert", identity[0], "-key",
                                  identity[1], *options, stdin=subprocess.PIPE, stdout=output, stderr=output)
    wait_for(lambda: ":%d " % port in lab.origin.run("ss", "-ltn").stdout, "s_server")
    with talking(server, said):
        yield server


def type_key(process, text):
    process.stdin.write(text.encode())
    process.stdin.flush()


# ---- devices ----

@VERSIONS
def test_S1_a_device_resumes_its_session(lab, engine, tmp_path, version):
    """With whatever worker it comes to."""
    started = engine({"network": {"workers": 4}})
    session = tmp_path / "session"
    first = s_client(lab, "-" + version, "-sess_out", session)
    assert resumption(first) == "New" and "hello from the origin" in first
    for _ in range(8):
        again = s_client(lab, "-" + version, "-sess_in", session)
        assert resumption(again) == "Reused" and "hello from the origin" in again
    flows = started.wait_records("flow", 9)
    assert [flow["intercept"]["client"]["resumed"] for flow in flows] == [False] + [True] * 8


@VERSIONS
@pytest.mark.parametrize("change", ["name", "destination", "device", "certificate", "policy", "restart"])
def test_S1_S4_whatever_changes_there_is_a_full_handshake(lab, engine, tmp_path, version, change):
    config = {"network": {"port": ["443", "4433"]}}
    started = engine(config)
    session, options = tmp_path / "session", ["-" + version]
    arguments = {}
    with contextlib.ExitStack() as stack:
        if change == "certificate":
            stack.enter_context(s_server(lab, tmp_path, "-www"))
            arguments["port"] = 4433
        assert resumption(s_client(lab, *options, "-sess_out", session, **arguments)) == "New"
        assert resumption(s_client(lab, *options, "-sess_in", session, **arguments)) == "Reused"
        if change == "name":
            arguments["name"] = "a.origin.test"
        elif change == "destination":
            arguments["origin"] = ORIGIN4[1]
        elif change == "device":
            other = re.sub(r"\d+$", "9", DEVICE4)
            lab.device.run("ip", "address", "add", other + "/24", "dev", "eth0")
            stack.callback(lab.device.run, "ip", "address", "del", other + "/24", "dev", "eth0")
            options += ["-bind", other + ":0"]
        elif change == "certificate":
            stack.pop_all().close()
            ca = pki.load(lab.origin_directory / "ca.pem", lab.origin_directory / "ca.key")
            identity = pki.make(issuer=ca).write(tmp_path, "new")
            stack.enter_context(s_server(lab, tmp_path, "-www", identity=identity))
        elif change == "policy":
            started.reload(config)
        else:
            started.stop()
            engine(config)
        shown = s_client(lab, *options, "-sess_in", session, **arguments)
        assert resumption(shown) == "New" and "HTTP/1." in shown


@VERSIONS
def test_S1_a_damaged_ticket_is_none(lab, engine, tmp_path, version):
    """Name, vector, content or authentication: whatever is changed, the handshake is a full one."""
    started = engine({"network": {"workers": 1}})
    session, damaged = tmp_path / "session", tmp_path / "damaged"
    s_client(lab, "-" + version, "-sess_out", session)
    assert resumption(s_client(lab, "-" + version, "-sess_in", session)) == "Reused"
    pem = session.read_text()
    der = base64.b64decode(re.search(r"PARAMETERS-----\n(.*?)-----END", pem, re.S).group(1))
    text = subprocess.run(["openssl", "sess_id", "-noout", "-text", "-in", session], capture_output=True,
                          text=True, check=True).stdout
    dump = text[text.index("TLS session ticket:"):]
    ticket = bytes.fromhex("".join(re.findall(r"^ +[0-9a-f]{4,} - ((?:[0-9a-f]{2}[ -]){1,16})", dump, re.M))
                           .replace(" ", "").replace("-", ""))
    start = der.index(ticket)
    for at in range(start, start + len(ticket), len(ticket) // 12):
        changed = der[:at] + bytes([der[at] ^ 0x41]) + der[at + 1:]
        begin, end = "-----BEGIN %s-----\n", "-----END %s-----\n"
        text = begin + base64.encodebytes(changed).decode() + end
        damaged.write_text(text % ("SSL SESSION PARAMETERS", "SSL SESSION PARAMETERS"))
        shown = s_client(lab, "-" + version, "-sess_in", damaged)
        assert resumption(shown) == "New" and "hello from the origin" in shown, at - start
    assert resumption(s_client(lab, "-" + version, "-sess_in", session)) == "Reused"
    assert all(flow["intercept"]["ending"] == "closed" for flow in started.records("flow"))


# ---- origins ----

@VERSIONS
def test_S2_a_session_with_an_origin_is_resumed(lab, engine, version):
    started = engine({"network": {"workers": 1}})
    for _ in range(4):
        assert "hello from the origin" in s_client(lab, "-" + version)
    flows = started.wait_records("flow", 4)
    assert [flow["intercept"]["upstream"]["resumed"] for flow in flows] == [False, True, True, True]
    for flow in flows:
        assert flow["intercept"]["upstream"]["verify"] == "ok"
        assert flow["intercept"]["forged"]["sha256"] == flows[0]["intercept"]["forged"]["sha256"]
    started.reload({"network": {"workers": 1}})
    s_client(lab, "-" + version)
    assert not started.wait_records("flow", 5)[4]["intercept"]["upstream"]["resumed"]


@VERSIONS
def test_S2_two_names_on_one_origin_see_each_its_own_certificate(lab, engine, tmp_path, version):
    """The origin itself would resume a session of one name for the other."""
    ca = pki.load(lab.origin_directory / "ca.pem", lab.origin_directory / "ca.key")
    contexts = {}
    for name in ("a.test", "b.test"):
        contexts[name] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        contexts[name].load_cert_chain(*pki.make(name, [name], issuer=ca).write(tmp_path, name))

    def choose(connection, name, _):
        connection.context = contexts[name]

    contexts["a.test"].sni_callback = choose

    def serve(connection):
        with contexts["a.test"].wrap_socket(connection, server_side=True) as secure:
            secure.recv(1000)
            secure.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
            secure.unwrap()

    def visit(name, *options):
        return s_client(lab, "-" + version, *options, port=4433, name=name)

    session = tmp_path / "session"
    with lab.origin.serve(serve, 4433):
        visit("a.test", "-sess_out", session)
        assert resumption(visit("b.test", "-sess_in", session)) == "Reused"
        started = engine({"network": {"port": 4433, "workers": 1}})
        for name in ("a.test", "b.test", "a.test", "b.test"):
            assert re.search(r"^subject=(.*)$", visit(name), re.M).group(1) == "CN = " + name
    flows = started.wait_records("flow", 4)
    assert [flow["intercept"]["upstream"]["resumed"] for flow in flows] == [False, False, True, True]
    assert all(flow["intercept"]["upstream"]["verify"] == "ok" for flow in flows)


@VERSIONS
def test_S2_a_certificate_that_expires_in_between_is_noticed(lab, engine, tmp_path, version):
    started = engine({"network": {"port": 4433, "workers": 1}})
    ca = pki.load(lab.origin_directory / "ca.pem", lab.origin_directory / "ca.key")
    life = 6 * PATIENCE
    identity = pki.make(issuer=ca, ends=pki.DAY * life / 86400).write(tmp_path, "short")
    ends = time.monotonic() + life
    session = tmp_path / "session"
    with s_server(lab, tmp_path, "-www", identity=identity):
        options = ["-CAfile", started.ca, "-" + version]
        assert "Verify return code: 0 (ok)" in s_client(lab, *options, "-sess_out", session, port=4433)
        assert resumption(s_client(lab, *options, "-sess_in", session, port=4433)) == "Reused"
        time.sleep(max(0, ends - time.monotonic()) + 1.1)
        after = s_client(lab, *options, "-sess_in", session, port=4433)
    assert resumption(after) == "New" and "(certificate has expired)" in after
    upstream = started.wait_records("flow", 3)[2]["intercept"]["upstream"]
    assert upstream["resumed"] and upstream["verify"] == "certificate has expired"


# ---- early data ----

def test_S3_early_data_is_rejected_and_the_request_succeeds(lab, engine, tmp_path):
    """A device has a ticket of the real origin's, and sends early data by it."""
    session, early = tmp_path / "session", tmp_path / "early"
    early.write_text("too early\n" * 100)
    with s_server(lab, tmp_path, "-early_data", "-max_early_data", "8000") as server:
        with device_client(lab, tmp_path, "-sess_out", session) as device:
            wait_for(session.exists, "a ticket")
            type_key(device, "Q\n")  # in good order: the server forgets sessions that end otherwise
            device.wait(timeout=20 * PATIENCE)
        with device_client(lab, tmp_path, "-sess_in", session, "-early_data", early) as device:
            assert "Early data was accepted" in device.said()
        wait_for(lambda: "too early" in server.said(), "early data at the origin")
        before = len(server.said())
        started = engine({"network": {"port": 4433}})
        with device_client(lab, tmp_path, "-sess_in", session, "-early_data", early) as device:
            assert "Early data was rejected" in device.said() and resumption(device.said()) == "New"
            type_key(device, "in time\n")
            wait_for(lambda: "in time" in server.said()[before:], "the request at the origin")
        assert "too early" not in server.said()[before:]
    assert not started.wait_records("flow")[0]["intercept"]["client"]["resumed"]


def test_S3_our_own_tickets_allow_no_early_data(lab, engine, tmp_path):
    engine()
    session = tmp_path / "session"
    s_client(lab, "-sess_out", session)
    text = subprocess.run(["openssl", "sess_id", "-noout", "-text", "-in", session], capture_output=True,
                          text=True, check=True).stdout
    assert "Max Early Data: 0" in text


# ---- after the handshake ----

@pytest.mark.parametrize("key", ["k", "K"])
def test_V5_an_origin_may_update_its_keys(lab, engine, tmp_path, key):
    engine({"network": {"port": 4433}})
    with s_server(lab, tmp_path, "-tls1_3", "-msg") as server, device_client(lab, tmp_path) as device:
        type_key(device, "before\n")
        wait_for(lambda: "before" in server.said(), "what the device says")
        type_key(server, key + "\n")
        wait_for(lambda: "KeyUpdate" in server.said(), "the update")
        type_key(server, "the answer\n")
        wait_for(lambda: "the answer" in device.said(), "what the origin says")
        type_key(device, "afterwards\n")
        wait_for(lambda: "afterwards" in server.said(), "what the device says")
        assert server.said().count("KeyUpdate") == {"k": 1, "K": 2}[key]


@pytest.mark.parametrize("key", ["k", "K"])
def test_V5_a_device_may_update_its_keys(lab, engine, tmp_path, key):
    engine({"network": {"port": 4433}})
    with s_server(lab, tmp_path, "-tls1_3", "-rev"), device_client(lab, tmp_path, "-msg") as device:
        type_key(device, key + "\n")
        wait_for(lambda: "KeyUpdate" in device.said(), "the update")
        type_key(device, "afterwards\n")
        wait_for(lambda: "sdrawretfa" in device.said(), "the answer")
        assert device.said().count("KeyUpdate") == {"k": 1, "K": 2}[key]


@pytest.mark.parametrize("key", ["r", "R"])
def test_V5_an_origin_that_renegotiates_is_refused_and_nothing_hangs(lab, engine, tmp_path, key):
    started = engine({"network": {"port": 4433}})
    with s_server(lab, tmp_path, "-tls1_2") as server, device_client(lab, tmp_path) as device:
        type_key(device, "before\n")
        wait_for(lambda: "before" in server.said(), "what the device says")
        type_key(server, key + "\n")
        wait_for(lambda: "no renegotiation" in server.said(), "the refusal")
        device.wait(timeout=20 * PATIENCE)  # the origin has ended the connection
    assert started.wait_records("flow")[0]["intercept"]["upstream"]["alert_out"] == 100


def test_V4_a_device_that_renegotiates_is_refused(lab, engine, tmp_path):
    started = engine({"network": {"port": 4433}})
    with s_server(lab, tmp_path, "-tls1_2", "-rev"), device_client(lab, tmp_path) as device:
        type_key(device, "before\n")
        wait_for(lambda: "erofeb" in device.said(), "the answer")
        type_key(device, "R\n")
        wait_for(lambda: "no renegotiation" in device.said(), "the refusal")
    assert started.wait_records("flow")[0]["intercept"]["client"]["alert_out"] == 100
