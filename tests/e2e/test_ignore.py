# SPDX-License-Identifier: GPL-3.0-or-later
"""What is ignored stays in the kernel."""

import errno
import json
import re
import select
import signal
import socket
import subprocess
import threading
import time

import pytest

from control import Control
from lab import (DEVICE4, ORIGIN4, ORIGIN6, PATIENCE, ROUTER4, ROUTER6, bracketed, family_of,
                 wait_for)

IGNORED4, IGNORED6 = ORIGIN4[1], ORIGIN6[1]
IGNORE = {"ignore": {"pattern": [r"^203\.0\.113\.2:443$", r"^2001:db8:113::2:443$"]}}
FAMILIES = pytest.mark.parametrize("origin", [IGNORED4, IGNORED6], ids=["ipv4", "ipv6"])


def listing(lab):
    return lab.router.run("nft", "list", "table", "inet", "interceptd").stdout


@FAMILIES
def test_the_device_sees_the_origins_own_certificate(lab, engine, origin):
    engine(IGNORE)
    assert lab.issuer(origin) == "O = interceptd lab, CN = Origins' CA"


@FAMILIES
def test_later_connections_never_reach_user_space(lab, engine, origin):
    started = engine(IGNORE)
    lab.curl("https://origin.test/hello", origin=origin)
    assert started.counters() == {"packets": 1, "accepted": 0}
    for _ in range(5):
        lab.curl("https://origin.test/hello", origin=origin)
    assert started.counters() == {"packets": 1, "accepted": 0}


@FAMILIES
def test_first_connections_that_come_together_are_one_lesson(lab, engine, origin):
    """They wait in the queue together; the kernel learns once, and all go on."""
    started = engine(IGNORE)
    started.signal(signal.SIGSTOP)
    issuers = []
    threads = [threading.Thread(target=lambda: issuers.append(lab.issuer(origin))) for _ in range(6)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    started.signal(signal.SIGCONT)
    for thread in threads:
        thread.join()
    assert issuers == ["O = interceptd lab, CN = Origins' CA"] * 6
    assert len(started.ignored()) == 1
    packets = started.counters()["packets"]
    assert lab.issuer(origin) == issuers[0] and started.counters() == {"packets": packets, "accepted": 0}


@FAMILIES
def test_many_destinations_that_come_together_are_all_learnt(lab, engine, origin):
    """More than the kernel is taught in one transaction."""
    ports = range(2000, 2050)
    started = engine({"ignore": {"pattern": r":20\d\d$"}, "network": {"port": ["443", "2000-2049"]}})

    def begin():
        with lab.device.inside():
            clients = [socket.socket(family_of(origin), socket.SOCK_STREAM) for _ in ports]
        for client, port in zip(clients, ports):
            client.setblocking(False)
            client.connect_ex((origin, port))
        return clients

    def are_refused(clients):
        """By the origin, where nobody listens."""
        for client in clients:
            with client:
                select.select([], [client], [], 10 * PATIENCE)
                assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED

    started.signal(signal.SIGSTOP)
    waiting = begin()
    started.signal(signal.SIGCONT)
    are_refused(waiting)
    assert sorted(entry["port"] for entry in started.ignored()) == list(ports)
    assert started.counters()["packets"] == len(ports)
    are_refused(begin())
    assert started.counters()["packets"] == len(ports)


def test_what_the_kernel_is_about_to_learn_does_not_outlive_a_flush(lab, engine):
    """It learns some milliseconds after a SYN has gone on."""
    started = engine(IGNORE)
    with Control(started.directory / "run/control.sock") as control:
        for _ in range(5):
            with lab.device.connect(IGNORED4):
                control.do("ignored.flush")
            assert started.ignored() == []
    assert started.counters()["packets"] == 5


def test_what_was_decided_last_is_recorded_when_it_stops(lab, engine):
    started = engine(IGNORE)
    with lab.device.connect(IGNORED4) as connection:
        started.signal(signal.SIGTERM)
        port = connection.getsockname()[1]
        started.process.wait(timeout=10 * PATIENCE)
    (record,) = [record for record in started.records("intercept", src_port=port)]
    assert record["intercept"]["action"] == "bypass"


@FAMILIES
def test_the_kernel_rule_is_listed_with_its_counter(lab, engine, origin):
    started = engine(IGNORE)
    lab.curl("https://origin.test/hello", origin=origin)
    assert len(started.ignored()) == 1
    lab.curl("https://origin.test/hello", origin=origin)
    rule = re.search(r"(?:tcp|6) \. %s \. 443 (.*)" % re.escape(origin), listing(lab)).group(1)
    assert int(re.search(r"packets (\d+)", rule).group(1)) > 3 and "expires 59m" in rule
    (entry,) = started.ignored()
    assert entry["address"] == origin and entry["port"] == 443 and entry["protocol"] == "tcp"
    assert entry["packets"] > 3 and entry["bytes"] > 400
    assert 3590 <= entry["expires"] <= 3600 == entry["timeout"] and entry["age"] <= 10
    assert "interceptd.conf:" in entry["rule"] and entry["rule"] in listing(lab)
    assert bracketed(origin) + ":443" in started.ctl("ignored").stdout


def test_the_kernel_rule_expires(lab, engine):
    started = engine({**IGNORE, "network": {"pass-timeout": "2s"}})
    lab.curl("https://origin.test/hello", origin=IGNORED4)
    assert len(started.ignored()) == 1
    wait_for(lambda: started.ignored() == [], "the rule to expire")
    lab.curl("https://origin.test/hello", origin=IGNORED4)
    assert started.counters()["packets"] == 2


@FAMILIES
def test_without_the_pattern_the_next_connection_is_intercepted(lab, engine, origin):
    started = engine(IGNORE)
    assert "interceptd lab" in lab.issuer(origin)
    started.reload({"ignore": {"pattern": "^192\\.0\\.2\\.1:"}})
    assert started.ignored() == []
    assert "O = interceptd," in lab.issuer(origin)
    started.reload(IGNORE)
    assert "interceptd lab" in lab.issuer(origin)


def test_connections_that_are_open_outlive_a_reload(lab, engine):
    """Both kinds: a reload changes what comes, not what is."""
    started = engine(IGNORE)
    open_connections = [tls_connection(lab, origin) for origin in (ORIGIN4[0], IGNORED4)]
    started.reload({"ignore": {"pattern": r"^203\.0\.113\.1:443$"}})
    for process in open_connections:
        out, _ = process.communicate("GET /hello HTTP/1.0\r\n\r\n", timeout=10 * PATIENCE)
        assert "hello from the origin" in out


def tls_connection(lab, origin):
    """A TLS connection that has been set up and waits for a request."""
    process = lab.device.spawn("openssl", "s_client", "-quiet", "-ign_eof", "-connect", origin + ":443",
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True)
    process.stderr.readline()  # tells of the chain, once the handshake is under way
    return process


def test_ports_that_are_not_ours_are_left_alone(lab, engine):
    started = engine()
    assert lab.curl("http://origin.test/hello").stdout == "hello from the origin\n"
    assert started.counters() == {"packets": 0, "accepted": 0}


@pytest.mark.parametrize("ports,taken", [("all", True), ("70-90", True), ("81-443", False)])
def test_the_ports_that_are_taken_are_configured(lab, engine, ports, taken):
    started = engine({"network": {"port": ports}})
    assert lab.curl("http://origin.test/hello").stdout == "hello from the origin\n"
    assert started.counters()["accepted"] == (1 if taken else 0)


@pytest.mark.parametrize("address", [ROUTER4, "198.51.100.1", ROUTER6, "2001:db8:100::1"])
def test_the_boxs_own_services_are_never_taken(lab, engine, address):
    started = engine()

    def greet(connection):
        connection.sendall(b"the router itself\n")

    with lab.router.serve(greet, 443, address):
        with lab.device.connect(address) as connection:
            assert connection.recv(100) == b"the router itself\n"
    assert started.counters() == {"packets": 0, "accepted": 0}


@pytest.mark.parametrize("address", [ROUTER4, ROUTER6])
def test_nobody_reaches_the_listening_port_itself(lab, engine, address):
    started = engine()
    with pytest.raises(ConnectionRefusedError):
        lab.device.connect(address, 8443)
    assert started.counters()["accepted"] == 0


def test_interception_of_the_listening_port_elsewhere(lab, engine):
    """Port 8443 of somebody else is a port like any other."""
    started = engine({"network": {"port": 8443}})

    def answer(connection):
        connection.recv(100)
        connection.sendall(b"somebody else's 8443\n")

    with lab.origin.serve(answer, 8443):
        with lab.device.connect(ORIGIN4[0], 8443) as connection:
            connection.sendall(b"hello?\n")
            assert connection.recv(100) == b"somebody else's 8443\n"
    assert started.counters() == {"packets": 1, "accepted": 1}


# ---- QUIC ----

def udp_probe(lab, origin, port=443):
    """Sends a datagram from the device: "refused" if an ICMP error comes back, or what is answered."""
    with lab.device.inside():
        probe = socket.socket(socket.AF_INET6 if ":" in origin else socket.AF_INET, socket.SOCK_DGRAM)
    with probe:
        probe.settimeout(3 * PATIENCE)
        probe.connect((origin, port))
        started = time.monotonic()
        probe.send(b"\xc3\x00\x00\x00\x01 something like QUIC")
        try:
            return probe.recv(100).decode(), time.monotonic() - started
        except ConnectionRefusedError:
            return "refused", time.monotonic() - started
        except socket.timeout:
            return "nothing", None


def udp_echo(lab, origin):
    with lab.origin.inside():
        server = socket.socket(socket.AF_INET6 if ":" in origin else socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((origin, 443))
    server.settimeout(5 * PATIENCE)
    return server


@pytest.mark.parametrize("origin", [ORIGIN4[0], ORIGIN6[0]], ids=["ipv4", "ipv6"])
def test_Q1_quic_of_what_is_taken_is_refused_at_once(lab, engine, origin):
    started = engine(IGNORE)
    with udp_echo(lab, origin):
        answer, seconds = udp_probe(lab, origin)
        assert answer == "refused" and seconds < 1 * PATIENCE
        packets = started.counters()["packets"]
        assert udp_probe(lab, origin)[0] == "refused"
        assert started.counters()["packets"] == packets == 1  # the kernel knows by now


@FAMILIES
def test_Q1_quic_of_what_is_ignored_flows(lab, engine, origin):
    started = engine(IGNORE)
    with udp_echo(lab, origin) as server:
        for _ in range(3):
            with lab.device.inside():
                client = socket.socket(server.family, socket.SOCK_DGRAM)
            with client:
                client.settimeout(5 * PATIENCE)
                client.connect((origin, 443))
                client.send(b"ping")
                data, peer = server.recvfrom(100)
                server.sendto(b"pong " + data, peer)
                assert client.recv(100) == b"pong ping"
    assert started.counters()["packets"] == 1
    assert {entry["protocol"] for entry in started.ignored()} == {"udp"}


def test_quic_flows_where_port_443_is_not_taken(lab, engine):
    engine({"network": {"port": 8443}})
    with udp_echo(lab, ORIGIN4[0]):
        assert udp_probe(lab, ORIGIN4[0])[0] == "nothing"


# ---- by device, by name, by permission ----

def test_a_device_is_excluded_by_its_address(lab, engine):
    started = engine({"device phone": {"address": DEVICE4, "intercept": "no"}})
    assert "interceptd lab" in lab.issuer(ORIGIN4[0])
    assert "O = interceptd," in lab.issuer(ORIGIN6[0])
    assert started.ignored() == []  # it holds for this device alone: the kernel is not told


def test_a_device_is_excluded_by_its_mac(lab, engine):
    mac = json.loads(lab.device.run("ip", "-j", "link", "show", "eth0").stdout)[0]["address"]
    engine({"device phone": {"mac": mac, "intercept": "no"}})
    assert "interceptd lab" in lab.issuer(ORIGIN4[0])
    assert "interceptd lab" in lab.issuer(ORIGIN6[0])


def test_allow_leaves_everything_else_alone(lab, engine):
    started = engine({"allow": {"pattern": r"^203\.0\.113\.1:443$"}})
    assert "O = interceptd," in lab.issuer(ORIGIN4[0])
    assert "interceptd lab" in lab.issuer(IGNORED4)
    assert [entry["rule"] for entry in started.ignored()] == ["not_allowed"]


def test_a_name_is_not_seen_unless_asked_for(lab, engine):
    """The transparent quirk: before the handshake there is only an address."""
    engine({"ignore": {"pattern": r"^origin\.test:443$"}})
    assert "O = interceptd," in lab.issuer(ORIGIN4[0])


def test_a_name_in_the_client_hello_is_spliced(lab, engine):
    started = engine({"ignore": {"pattern": r"^origin\.test:443$", "match": "address sni"}})
    assert "interceptd lab" in lab.issuer(ORIGIN4[0])
    lab.curl("https://origin.test/hello")
    flow = started.wait_records("flow", 2)[0]
    assert flow["intercept"]["action"] == "passthrough" and flow["intercept"]["reason"] == "rule"
    assert started.ignored() == []  # another name at this address may have to be intercepted


@pytest.mark.parametrize("match,issuer", [("address", "interceptd lab"), ("address sni", "interceptd,")])
def test_allow_by_name(lab, engine, match, issuer):
    engine({"allow": {"pattern": r"^origin\.test:443$", "match": match}})
    assert issuer in lab.issuer(ORIGIN4[0])


def ask_in_pieces(connection, request):
    for byte in request:
        connection.sendall(bytes([byte]))
        time.sleep(0.001)
    answer = b""
    while data := connection.recv(1000):
        answer += data
    return answer


@pytest.mark.parametrize("host,reason", [("origin.test", "rule"), ("other.test", "not_tls")])
@pytest.mark.parametrize("origin", [ORIGIN4[0], ORIGIN6[0]], ids=["ipv4", "ipv6"])
def test_the_host_of_a_plain_request_is_known_to_rules(lab, engine, origin, host, reason):
    """Plain HTTP passes either way; the rule that is meant for it is in its record, with what it costs."""
    started = engine({"ignore": {"pattern": r"^origin\.test:80$", "match": "host"}, "network": {"port": 80}})
    request = b"GET /hello HTTP/1.1\r\nHost: %s:80\r\nConnection: close\r\n\r\n" % host.encode()
    with lab.device.connect(origin, 80) as connection:
        assert b"hello from the origin" in ask_in_pieces(connection, request)
    (flow,) = started.wait_records("flow")
    assert flow["intercept"]["reason"] == reason and flow["intercept"]["action"] == "passthrough"
    assert flow["app_proto"] == "http"


def test_a_pattern_that_is_meant_for_names_is_told_once(lab, engine):
    """With the pattern that works: addresses alone are looked at."""
    started = engine({"ignore": {"pattern": r"^origin\.test:443$"}})
    for _ in range(2):
        assert "O = interceptd," in lab.issuer(ORIGIN4[0])
    found = started.wait_log(r"would be found in origin\.test:443, but only addresses are looked at: "
                             r"set match = address dns sni in \[ignore\], or use the pattern (\S+)")
    assert found.group(1) == r"^203\.0\.113\.1:443$"
    assert len(re.findall("would be found in", started.log())) == 1


def test_what_tcp_names_is_not_interpreted(lab, engine):
    """TLS is ended all the same."""
    started = engine({"tcp": {"pattern": r"^origin\.test:443$"}})
    assert "O = interceptd," in lab.issuer(ORIGIN4[0])
    explained = started.ctl("-j", "explain", "origin.test:443", "other.test:443").stdout
    assert [answer.get("interpreted") for answer in json.loads(explained)] == [False, None]
