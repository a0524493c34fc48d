# SPDX-License-Identifier: GPL-3.0-or-later
"""Devices with other TLS stacks than OpenSSL: each is content with our CA, refuses us without it, and the
record tells the refusal."""

import contextlib
import subprocess
import threading

import pytest

import peers
import quic
from lab import BUILD, ORIGIN4, PATIENCE, wait_for
from peers import s_server

PORT = 4433


# ---- a browser, with engines of its own: they come before those that share one ----

@pytest.fixture
def browser(lab, tmp_path):
    """A headless Chromium on the device; browser(ca) gives the page, as it sees it."""
    def load(ca, *options, url="https://origin.test/page.html"):
        home = tmp_path / ("home-" + ca.stem)
        store = home / ".pki/nssdb"
        store.mkdir(parents=True)
        subprocess.run(["certutil", "-d", "sql:%s" % store, "-N", "--empty-password"], check=True)
        subprocess.run(["certutil", "-d", "sql:%s" % store, "-A", "-t", "C,,", "-n", "ca", "-i", ca],
                       check=True)
        return lab.device.run(
            "env", "HOME=%s" % home, "XDG_RUNTIME_DIR=%s" % home, "timeout", str(int(60 * PATIENCE)),
            "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--no-first-run", "--disable-background-networking", "--disable-component-update",
            "--user-data-dir=%s" % (home / "profile"),
            "--host-resolver-rules=MAP origin.test %s, MAP *.origin.test %s, MAP * ~NOTFOUND" % (
                ORIGIN4[0], ORIGIN4[0]), *options, "--dump-dom", url, check=False, timeout=90)
    return load


@pytest.fixture
def page(lab):
    path = lab.origin_directory / "www/page.html"
    path.write_text("<!DOCTYPE html><title>page</title><p>the origin's own words</p>")
    yield path
    path.unlink()


def test_chromium_loads_a_page_over_http_2(lab, engine, browser, page):
    """Its ClientHello has GREASE in it, and groups that the origin does not know."""
    started = engine()
    shown = browser(started.ca)
    assert "the origin's own words" in shown.stdout, shown.stderr
    wait_for(lambda: [flow for flow in started.records("flow") if flow["intercept"]["ending"] == "closed"],
             "the browser's connection to end")
    (tls, *_) = [record for record in started.records("tls") if record["tls"].get("server_alpns") == ["h2"]]
    assert tls["tls"]["sni"] == "origin.test" and tls["intercept"]["upstream"]["alpn"] == "h2"
    assert "HTTP/2.0" in lab.access_log().splitlines()[-1] or "page.html HTTP/2.0" in lab.access_log()


def test_E4_chromium_without_our_ca_refuses(lab, engine, browser):
    started = engine()
    shown = browser(lab.origin_ca)
    assert "ERR_CERT_AUTHORITY_INVALID" in shown.stdout + shown.stderr
    flows = started.wait_records("flow")
    assert {flow["intercept"]["ending"] for flow in flows} <= {"device_alert", "device_no_data"}


# ---- the browser's QUIC: its ClientHello takes two datagrams, in pieces and in no order ----

QUIET, LOUD = "quiet.origin.test", "loud.origin.test"
BY_NAME = {"ignore": {"pattern": r"^quiet\.origin\.test:443$", "match": "address sni"}}


def forced(name):
    return "--origin-to-force-quic-on=%s:443" % name


def test_Q2_chromium_reaches_an_ignored_name_by_quic(lab, engine, browser, page):
    started = engine(BY_NAME)
    with quic.server(lab):
        shown = browser(lab.origin_ca, forced(QUIET), url="https://%s/page.html" % QUIET)
    assert "the origin's own words" in shown.stdout, shown.stderr
    (record, *_) = started.wait_records("intercept", proto="UDP")
    assert record["quic"] == {"version": "1", "sni": QUIET}
    assert record["intercept"]["action"] == "bypass" and record["intercept"]["ech"] is True
    assert not started.records("tls")


@pytest.mark.parametrize("name", [QUIET, LOUD])
def test_Q2_chromiums_version_2_is_read(lab, engine, browser, name):
    """No server that we have speaks it: this one says so, which ends the attempt."""
    started = engine(BY_NAME)
    seen = []

    def answer(server):
        for _ in range(2):
            datagram, client = server.recvfrom(2000)
            seen.append(datagram[1:5].hex())
        server.sendto(b"\x80\0\0\0\0\0" + datagram[5:14] + b"\x1a\x2a\x3a\x4a", client)

    with quic.listening(lab, ORIGIN4[0]) as server:
        server.settimeout(60 * PATIENCE)
        thread = threading.Thread(target=answer, args=[server], daemon=True)
        thread.start()
        browser(lab.origin_ca, forced(name), "--quic-version=RFCv2", url="https://%s/" % name)
        if name == LOUD:  # then nothing has come until now, and this is what comes first
            with quic.Flow(lab, ORIGIN4[0]) as flow:
                flow.send(*quic.datagrams(QUIET), *quic.datagrams(QUIET))
        thread.join()
    assert seen == (["6b3343cf"] if name == QUIET else ["00000001"]) * 2
    (record, *_) = started.wait_records("intercept", proto="UDP")
    assert record["quic"] == {"version": "6b3343cf", "sni": name}
    assert record["intercept"]["action"] == ("bypass" if name == QUIET else "refuse")


SEVERAL = """<!DOCTYPE html><title>page</title><p id=words></p><script>
    (async () => {
        for (let i = 0; i < 4; i++) {
            await new Promise(resolve => setTimeout(resolve, 300));
            words.textContent += await (await fetch('/hello?' + i)).text();
        }
    })()</script>"""


def test_Q2_chromium_falls_back_to_tcp_where_its_name_is_taken(lab, engine, browser):
    """It is offered HTTP/3 in HTTP/2, tries it, is refused, and the page goes on through us."""
    started = engine(BY_NAME)
    directory = lab.origin_directory / "www/quic"
    directory.mkdir()
    (directory / "page.html").write_text(SEVERAL)
    try:
        with quic.server(lab):
            shown = browser(started.ca, "--virtual-time-budget=4000",
                            url="https://%s/quic/page.html" % LOUD)
    finally:
        (directory / "page.html").unlink()
        directory.rmdir()
    assert shown.stdout.count("hello from the origin") == 4, shown.stderr
    (refused, *_) = started.wait_records("intercept", proto="UDP")
    assert refused["quic"] == {"version": "1", "sni": LOUD}
    assert refused["intercept"]["action"] == "refuse"
    (tls, *_) = started.wait_records("tls")
    assert tls["tls"]["sni"] == LOUD and tls["intercept"]["action"] == "intercept"


# ---- MQTT ----

def test_mosquitto_through_the_interception(lab, engine, tmp_path):
    """A message goes from one client to another, and both sides of the broker are TLS."""
    port = 8883
    started = engine({"network": {"port": port}})
    files = lab.origin_directory
    configuration = tmp_path / "mosquitto.conf"
    configuration.write_text("listener %d\nallow_anonymous true\nuser root\ncertfile %s\nkeyfile %s\n" % (
        port, files / "origin.pem", files / "origin.key"))
    broker = lab.origin.spawn("mosquitto", "-c", configuration, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    wait_for(lambda: peers.port_is_open(lab, port), "the broker")
    common = ["-h", ORIGIN4[0], "-p", port, "-t", "a/topic", "--cafile"]
    listener = lab.device.spawn("mosquitto_sub", *common, started.ca, "-C", "1", stdout=subprocess.PIPE,
                                text=True)
    wait_for(lambda: started.status()["connections"]["active"] == 1, "the listener")
    said = lambda ca: lab.device.run("mosquitto_pub", *common, ca, "-r", "-m", "a message", check=False)
    try:
        assert said(lab.origin_ca).returncode != 0
        assert said(started.ca).returncode == 0
        assert listener.communicate(timeout=10 * PATIENCE)[0] == "a message\n"
    finally:
        broker.terminate()
        broker.wait()
    flows = started.wait_records("flow", 3)
    assert sorted(flow["intercept"]["ending"] for flow in flows) == ["closed", "closed", "device_alert"]


# ---- libraries ----

NODE = """
const [ca, address, port, name] = process.argv.slice(1);
const socket = require('tls').connect({host: address, port: port, servername: name,
                                       ca: require('fs').readFileSync(ca)});
socket.on('secureConnect', () => socket.write('GET /hello HTTP/1.0\\r\\n\\r\\n'));
socket.on('data', data => process.stdout.write(data));
socket.on('error', error => { console.error(error.code); process.exitCode = 2; });
"""


def wget(lab, ca):
    return lab.device.run("wget", "-qSO-", "--tries=1", "--ca-certificate", ca,
                          "https://%s:%d/hello" % (ORIGIN4[0], PORT), check=False)


def gnutls(lab, ca):
    return lab.device.run("gnutls-cli", "--x509cafile", ca, "--port", PORT, "--sni-hostname", "origin.test",
                          "--verify-hostname", "origin.test", ORIGIN4[0], check=False,
                          input="GET /hello HTTP/1.0\n\n")


def of_ours(name):
    return lambda lab, ca: lab.device.run(BUILD / "clients" / name, ca, ORIGIN4[0], PORT, "origin.test",
                                          check=False)


def node(lab, ca):
    return lab.device.run("node", "-e", NODE, ca, ORIGIN4[0], PORT, "origin.test", check=False)


# How each says no: with an alert, or by leaving, after the handshake or before its end.
CLIENTS = {
    "wget": (wget, "device_no_data", None),
    "gnutls": (gnutls, "device_alert", 42),
    "mbedtls": (of_ours("mbedtls_client"), "device_alert", 48),
    "wolfssl": (of_ours("wolfssl_client"), "device_alert", 48),
    "node": (node, "device_gone", None),
}
each_client = pytest.mark.parametrize("name", list(CLIENTS))


@pytest.fixture(scope="module", params=["nginx", "s_server"])
def origin(request, lab, shared_engine):
    """Each behind one engine for all clients."""
    started = shared_engine({"network": {"port": PORT}})
    if request.param == "s_server":
        server = s_server(lab, PORT, "-WWW", "-www")
        yield started
        server.kill()
    else:
        with nginx(lab):
            yield started
    started.stop()


@contextlib.contextmanager
def nginx(lab):
    """The lab's own listens on port 443: connections to ours arrive there."""
    with_rule = ["nft", "add", "table", "ip", "clients", ";", "add", "chain", "ip", "clients", "in",
                 "{ type nat hook prerouting priority dstnat ; }", ";", "add", "rule", "ip", "clients", "in",
                 "tcp dport %d redirect to :443" % PORT]
    lab.origin.run(*with_rule)
    try:
        yield
    finally:
        lab.origin.run("nft", "delete", "table", "ip", "clients")


@each_client
def test_a_client_with_our_ca_is_content(lab, origin, name):
    client = CLIENTS[name][0]
    before = len(origin.records("flow"))
    result = client(lab, origin.ca)
    assert result.returncode == 0 and "200" in result.stdout + result.stderr, result
    flow = origin.wait_records("flow", before + 1)[-1]["intercept"]
    assert flow["action"] == "intercept" and flow["upstream"]["verify"] == "ok"


@each_client
def test_E4_a_client_without_our_ca_refuses_and_that_is_told(lab, origin, name):
    client, ending, alert = CLIENTS[name]
    before = len(origin.records("flow"))
    assert client(lab, lab.origin_ca).returncode != 0
    flow = origin.wait_records("flow", before + 1)[-1]["intercept"]
    assert (flow["ending"], flow.get("client", {}).get("alert_in")) == (ending, alert)
