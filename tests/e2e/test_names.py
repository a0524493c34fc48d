# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that devices resolve: known with the first packet, and each device's own."""

import contextlib
import json
import os
import re
import shutil
import socket
import struct
import threading
import time
from pathlib import Path

import pytest

from lab import BUILD, DEVICE4, DEVICE6, ORIGIN4, ORIGIN6, PATIENCE, ROUTER4, ROUTER6, family_of, wait_for

A4, A6, B4, B6 = ORIGIN4[3], ORIGIN6[3], ORIGIN4[4], ORIGIN6[4]
IGNORE = {"ignore": {"pattern": r"^a\.origin\.test:443$", "match": "dns"}}
FAMILIES = pytest.mark.parametrize("family", ["ipv4", "ipv6"])
OURS, THEIRS = "O = interceptd, CN", "interceptd lab"


def pick(family, four, six):
    return four if family == "ipv4" else six


@contextlib.contextmanager
def dnsmasq(lab, host, address, *options):
    """A resolver on the box, or behind it."""
    server = host.spawn(
        "dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--user=root", "--pid-file=", "--no-resolv",
        "--no-hosts",
        "--bind-interfaces", "--listen-address=" + address, "--local-ttl=60",
        "--host-record=a.origin.test,%s,%s" % (A4, A6), "--host-record=b.origin.test,%s,%s" % (B4, B6),
        "--cname=www.origin.test,a.origin.test", *options)
    def listens():
        with lab.device.inside():
            probe = socket.socket(family_of(address), socket.SOCK_STREAM)
        probe.settimeout(1)
        with probe:
            return probe.connect_ex((address, 53)) == 0
    wait_for(listens, "dnsmasq")
    try:
        yield
    finally:
        server.kill()
        server.wait()


@contextlib.contextmanager
def resolving_by(host, address, options=""):
    """What `ip netns exec` puts in place of /etc/resolv.conf."""
    folder = Path("/etc/netns") / host.namespace
    folder.mkdir(parents=True)
    try:
        (folder / "resolv.conf").write_text("nameserver %s\noptions attempts:1 timeout:5 %s\n"
                                            % (address, options))
        yield
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def resolver(lab):
    """dnsmasq on the box; the device uses it."""
    with dnsmasq(lab, lab.router, ROUTER4), resolving_by(lab.device, ROUTER4):
        yield


def fetch(lab, name, family, ca, host=None):
    """An app: it resolves the name, and connects at once."""
    return (host or lab.device).run(
        "wget", pick(family, "-4", "-6"), "-q", "-T", "10", "-t", "1", "-O", "-", "--no-hsts",
        "--ca-certificate", ca, "https://%s/hello" % name, check=False)


def passes(lab, name, family, host=None):
    """Its origin's own certificate is what it is shown."""
    return fetch(lab, name, family, lab.origin_ca, host).stdout == "hello from the origin\n"


def resolve(lab, name, family="ipv4", host=None):
    (host or lab.device).run("getent", pick(family, "ahostsv4", "ahostsv6"), name)


@FAMILIES
@pytest.mark.parametrize("transport", ["", "use-vc"], ids=["udp", "tcp"])
@pytest.mark.parametrize("where", ["box", "behind"])
def test_a_name_passes_with_its_first_packet_and_then_in_the_kernel(lab, engine, where, transport, family):
    started = engine(IGNORE)
    place, address = (lab.router, ROUTER4) if where == "box" else (lab.origin, "198.51.100.2")
    with dnsmasq(lab, place, address), resolving_by(lab.device, address, transport):
        assert passes(lab, "a.origin.test", family)
        assert started.counters() == {"packets": 1, "accepted": 0}
        (entry,) = started.ignored()
        origin, device = pick(family, A4, A6), pick(family, DEVICE4, DEVICE6)
        assert entry["address"] == origin and entry["device"] == device and entry["port"] == 443
        assert device in started.ctl("ignored").stdout
        assert passes(lab, "a.origin.test", family)
        assert started.counters() == {"packets": 1, "accepted": 0}
        # Another name is intercepted, at another address.
        assert fetch(lab, "b.origin.test", family, started.ca).stdout == "hello from the origin\n"
        assert started.counters() == {"packets": 2, "accepted": 1}
    status = started.status()["dns"]
    assert status["watched"] and status["answers"] >= 2 and status["unasked"] == 0
    assert re.search(r"^dns +%d queries" % status["queries"], started.ctl("status").stdout, re.M)


@pytest.mark.parametrize("transport", ["", "use-vc"], ids=["udp", "tcp"])
@pytest.mark.parametrize("where", ["box", "behind"])
def test_a_resolver_may_be_asked_over_ipv6(lab, engine, where, transport):
    started = engine(IGNORE)
    place, address = (lab.router, ROUTER6) if where == "box" else (lab.origin, "2001:db8:100::2")
    with dnsmasq(lab, place, address), resolving_by(lab.device, address, transport):
        assert passes(lab, "a.origin.test", "ipv4") and passes(lab, "a.origin.test", "ipv6")
    assert started.counters() == {"packets": 2, "accepted": 0}
    assert started.status()["dns"]["unasked"] == 0


@pytest.mark.parametrize("protocol,transport", [("udp", ""), ("tcp", "use-vc")])
def test_a_resolver_that_stands_in_for_another_is_known_by_who_was_asked(lab, engine, protocol, transport):
    """Many routers answer themselves, whoever is asked: what the device sees comes from the other."""
    started = engine(IGNORE)
    rule = "iifname lan0 %s dport 53 redirect" % protocol
    lab.router.run("nft", "add table ip redirecting; add chain ip redirecting first "
                   "{ type nat hook prerouting priority dstnat; }; add rule ip redirecting first " + rule)
    try:
        with dnsmasq(lab, lab.router, ROUTER4), resolving_by(lab.device, "192.0.2.53", transport):
            assert passes(lab, "a.origin.test", "ipv4")
    finally:
        lab.router.run("nft", "delete table ip redirecting")
    assert started.counters() == {"packets": 1, "accepted": 0}
    assert started.status()["dns"]["unasked"] == 0


@FAMILIES
def test_two_names_at_one_address_are_told_apart(lab, engine, family):
    """Both are known, and the first packet may mean either: the name in the handshake tells."""
    started = engine(IGNORE)
    shared = "--host-record=c.origin.test,%s,%s" % (A4, A6)
    with dnsmasq(lab, lab.router, ROUTER4, shared), resolving_by(lab.device, ROUTER4):
        resolve(lab, "c.origin.test", family)
        assert passes(lab, "a.origin.test", family)
        assert not passes(lab, "c.origin.test", family)
        assert fetch(lab, "c.origin.test", family, started.ca).stdout == "hello from the origin\n"
        assert passes(lab, "a.origin.test", family)
        assert started.ignored() == []  # no rule of the kernel's could be right for both
        assert started.counters()["accepted"] == 4


@FAMILIES
def test_a_new_name_takes_the_kernels_rule_away_before_it_is_answered(lab, engine, family):
    started = engine(IGNORE)
    shared = "--host-record=c.origin.test,%s,%s" % (A4, A6)
    with dnsmasq(lab, lab.router, ROUTER4, shared), resolving_by(lab.device, ROUTER4):
        assert passes(lab, "a.origin.test", family) and len(started.ignored()) == 1
        resolve(lab, "b.origin.test", family)
        assert len(started.ignored()) == 1  # that is another address
        assert not passes(lab, "c.origin.test", family)
        assert started.ignored() == []


@FAMILIES
def test_names_are_each_devices_own(lab, engine, resolver, family):
    started = engine(IGNORE)
    other = lab.add_device()
    try:
        assert passes(lab, "a.origin.test", family) and len(started.ignored()) == 1
        origin = pick(family, A4, A6)
        assert OURS in lab.issuer(origin, device=other)  # it has not asked for the name
        with resolving_by(other, other.router4):
            assert passes(lab, "a.origin.test", family, host=other)
        assert {entry["device"] for entry in started.ignored()} == \
            {pick(family, DEVICE4, DEVICE6), other.address(family)}
    finally:
        lab.remove_device(other)


def test_an_address_of_another_device_is_not_the_first_ones(lab, engine, resolver):
    """An address is handed on: what the kernel knew of the one who had it goes."""
    started = engine(IGNORE)
    one = lab.add_device()
    with resolving_by(one, one.router4):
        assert passes(lab, "a.origin.test", "ipv4", host=one)
    assert len(started.ignored()) == 1
    lab.remove_device(one)
    two = lab.add_device(mac="02:00:5e:77:00:99")
    try:
        assert two.address4 == one.address4 and two.mac != one.mac
        with resolving_by(two, two.router4):
            resolve(lab, "b.origin.test", host=two)  # its first packet shows whose the address is now
        assert started.ignored() == []
        assert OURS in lab.issuer(A4, device=two)
    finally:
        lab.remove_device(two)


def test_so_it_is_where_nothing_is_resolved_before(lab, engine, resolver):
    started = engine(IGNORE)
    one = lab.add_device()
    with resolving_by(one, one.router4):
        assert passes(lab, "a.origin.test", "ipv4", host=one)
    lab.remove_device(one)
    two = lab.add_device(mac="02:00:5e:77:00:99")
    try:
        assert len(started.ignored()) == 1
        assert OURS in lab.issuer(B4, device=two)  # its first packet shows whose the address is now
        assert started.ignored() == []
        assert OURS in lab.issuer(A4, device=two)
    finally:
        lab.remove_device(two)


@FAMILIES
def test_the_name_that_was_asked_for_counts_whatever_it_is_an_alias_of(lab, engine, resolver, family):
    started = engine({"ignore": {"pattern": r"^www\.origin\.test:443$", "match": "dns"}})
    assert passes(lab, "www.origin.test", family)
    assert started.counters() == {"packets": 1, "accepted": 0}


def test_names_are_known_whatever_family_they_were_asked_over(lab, engine, resolver):
    """Asked over IPv4, used over IPv6: the MAC address is the same."""
    started = engine(IGNORE)
    resolve(lab, "a.origin.test", "ipv6")
    assert THEIRS in lab.issuer(A6)
    assert started.counters() == {"packets": 1, "accepted": 0}


def test_what_an_excluded_device_resolves_is_not_noted(lab, engine, resolver):
    """Nor is it, once the device is looked at, until it resolves again."""
    device = {"device first": {"address": DEVICE4, "intercept": "no"}}
    started = engine({**IGNORE, **device})
    resolve(lab, "a.origin.test")
    started.reload(IGNORE)
    assert OURS in lab.issuer(A4)
    assert passes(lab, "a.origin.test", "ipv4")


# ---- allow ----

@FAMILIES
def test_only_allowed_names_are_intercepted(lab, engine, resolver, family):
    started = engine({"allow": {"pattern": r"^a\.origin\.test:443$", "match": "dns"}})
    assert fetch(lab, "a.origin.test", family, started.ca).stdout == "hello from the origin\n"
    assert passes(lab, "b.origin.test", family) and passes(lab, "b.origin.test", family)
    assert started.counters() == {"packets": 2, "accepted": 1}
    assert [entry["rule"] for entry in started.ignored()] == ["not_allowed"]


# ---- names in the handshake, and what DNS makes of them ----

@FAMILIES
def test_what_passes_by_its_sni_is_the_kernels_once_dns_agrees(lab, engine, resolver, family):
    started = engine({"ignore": {"pattern": r"^a\.origin\.test:443$", "match": "sni"},
                      "network": {"watch-dns": "yes"}})
    assert passes(lab, "a.origin.test", family)
    assert started.counters() == {"packets": 1, "accepted": 1}
    wait_for(lambda: {entry["protocol"] for entry in started.ignored()} == {"tcp", "udp"}, "its rules")
    assert passes(lab, "a.origin.test", family)
    assert started.counters() == {"packets": 1, "accepted": 1}


def test_an_sni_that_dns_does_not_know_teaches_nothing(lab, engine, resolver):
    started = engine({"ignore": {"pattern": r"^a\.origin\.test:443$", "match": "sni"},
                      "network": {"watch-dns": "yes"}})
    resolve(lab, "b.origin.test")
    assert THEIRS in lab.issuer(B4, 443, "-servername", "a.origin.test")
    started.wait_records("flow")
    assert started.ignored() == []
    assert OURS in lab.issuer(B4, 443, "-servername", "b.origin.test")


# ---- a resolver of the tests' own ----

def name_in(query):
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode())
        at += 1 + query[at]
    return ".".join(labels), query[12:at + 5]


def record(kind, data, ttl=60):
    """About the name in the question."""
    return b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, ttl, len(data)) + data


def answer_to(query, *records, flags=0x8180, number=None):
    _, question = name_in(query)
    head = (number or query[:2]) + struct.pack(">HHHHH", flags, 1, len(records), 0, 0)
    return head + question + b"".join(records)


@contextlib.contextmanager
def answering(lab, answers, address="198.51.100.2"):
    """Sends what answers(query) yields."""
    with lab.origin.inside():
        server = socket.socket(family_of(address), socket.SOCK_DGRAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    server.bind((address, 53))

    def loop():
        while True:
            query, peer = server.recvfrom(4096)
            if not query:
                return
            for answer in answers(query):
                server.sendto(answer, peer)

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    try:
        yield
    finally:
        with lab.origin.inside():
            end = socket.socket(family_of(address), socket.SOCK_DGRAM)
        with end:
            end.sendto(b"", (address, 53))
        thread.join(timeout=10)
        server.close()


def question_for(name, kind=1):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack(">HHHHHH", 0x1234, 0x100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", kind, 1)


def ask(lab, name, kind=1, address="198.51.100.2", count=1):
    """A query from the device; the answers, as they come."""
    with lab.device.inside():
        client = socket.socket(family_of(address), socket.SOCK_DGRAM)
    with client:
        client.settimeout(10 * PATIENCE)
        client.connect((address, 53))
        client.send(question_for(name, kind))
        return [client.recv(65536) for _ in range(count)]


def ip4(address):
    return socket.inet_pton(socket.AF_INET, address)


def test_the_hints_of_https_records_are_addresses(lab, engine):
    started = engine(IGNORE)
    data = b"\0\1\0" + struct.pack(">HH", 4, 4) + ip4(A4) + struct.pack(">HH", 6, 16) \
        + socket.inet_pton(socket.AF_INET6, A6)
    with answering(lab, lambda query: [answer_to(query, record(65, data))]):
        ask(lab, "a.origin.test", 65)
    assert THEIRS in lab.issuer(A4) and THEIRS in lab.issuer(A6)
    assert started.counters() == {"packets": 2, "accepted": 0}


@pytest.mark.parametrize("spoof", ["number", "name", "unasked"])
def test_an_answer_to_nothing_that_was_asked_teaches_nothing(lab, engine, spoof):
    """It reaches the device all the same, which throws it away."""
    started = engine(IGNORE)

    def answers(query):
        other = query.replace(b"\1b", b"\1a")
        if spoof == "number":
            yield answer_to(other, record(1, ip4(A4)), number=b"\x99\x99")
        else:
            yield answer_to(other, record(1, ip4(A4)))
        yield answer_to(query, record(1, ip4(B4)))

    name = "b.origin.test"
    with answering(lab, answers):
        assert len(ask(lab, name, count=2)) == 2
    status = started.status()["dns"]
    assert status["answers"] == 1 and status["unasked"] == 1
    assert OURS in lab.issuer(A4)
    assert started.ignored() == []


@pytest.mark.parametrize("what", ["garbage", "empty", "loop", "truncated", "many", "error"])
def test_what_cannot_be_read_goes_on_as_it_came(lab, engine, what):
    started = engine(IGNORE)

    def broken(query):
        head = query[:2] + struct.pack(">HHHHH", 0x8180, 1, 1, 0, 0)
        return {
            "garbage": os.urandom(300),
            "empty": b"\0",
            "loop": head + b"\xc0\x0c\0\1\0\1" + b"\xc0\x12\xc0\x12",
            "truncated": answer_to(query, record(1, ip4(A4)))[:-3],
            "many": answer_to(query, *[record(1, ip4("192.0.2.%d" % (i % 250))) for i in range(80)]),
            "error": answer_to(query, record(1, ip4(A4)), flags=0x8183),
        }[what]

    sent = []

    def answers(query):
        sent.append(broken(query))
        return sent[-1:]

    with answering(lab, answers):
        assert ask(lab, "a.origin.test") == sent
    assert OURS in lab.issuer(A4)
    assert started.process.poll() is None


def ask_by_tcp(lab, name, address="198.51.100.2"):
    query = question_for(name)
    connection = lab.device.connect(address, 53)
    with connection:
        connection.sendall(struct.pack(">H", len(query)) + query)
        stream = connection.makefile("rb")
        return stream.read(struct.unpack(">H", stream.read(2))[0])


@contextlib.contextmanager
def answering_by_tcp(lab, answer, size=None, pause=0.0):
    """Sends answer(query), in pieces of this size."""
    def handle(connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = connection.makefile("rb")
        query = stream.read(struct.unpack(">H", stream.read(2))[0])
        data = answer(query)
        data = struct.pack(">H", len(data)) + data
        for at in range(0, len(data), size or len(data)):
            connection.sendall(data[at:at + (size or len(data))])
            time.sleep(pause)
        connection.recv(1)
    with lab.origin.serve(handle, 53, "198.51.100.2"):
        yield


def test_an_answer_by_tcp_may_come_in_pieces(lab, engine):
    started = engine(IGNORE)
    with answering_by_tcp(lab, lambda query: answer_to(query, record(1, ip4(A4))), size=1, pause=0.005):
        ask_by_tcp(lab, "a.origin.test")
    assert THEIRS in lab.issuer(A4)
    assert started.counters() == {"packets": 1, "accepted": 0}


@pytest.mark.parametrize("size", [60000, 65535])
def test_an_answer_of_any_length_by_tcp_arrives(lab, engine, size):
    """One that nobody needs for an address is not read."""
    started = engine(IGNORE)
    sent = []

    def answer(query):
        body = answer_to(query, record(1, ip4(A4)))
        sent.append(body + os.urandom(size - len(body)))
        return sent[0]

    with answering_by_tcp(lab, answer):
        assert ask_by_tcp(lab, "a.origin.test") == sent[0]
    assert OURS in lab.issuer(A4)
    assert started.status()["dns"]["unreadable"] == 1


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_an_answer_in_fragments_is_read_as_a_whole(lab, engine, family):
    started = engine(IGNORE)
    address = pick(family, "198.51.100.2", "2001:db8:100::2")
    more = [record(1, struct.pack(">I", 0xc0000200 + number)) for number in range(120)]
    with answering(lab, lambda query: [answer_to(query, record(1, ip4(A4)), *more)], address):
        (answer,) = ask(lab, "a.origin.test", address=address)
    assert len(answer) > 1500
    assert THEIRS in lab.issuer(A4)
    assert started.counters() == {"packets": 1, "accepted": 0}


def test_a_name_is_forgotten_in_time_with_the_kernels_rule(lab, engine):
    """The rule lives no longer than pass-timeout, and the name at least for its TTL and an hour."""
    started = engine({**IGNORE, "network": {"pass-timeout": "2s"}})
    with answering(lab, lambda query: [answer_to(query, record(1, ip4(A4), ttl=1))]):
        ask(lab, "a.origin.test")
    assert THEIRS in lab.issuer(A4) and len(started.ignored()) == 1
    wait_for(lambda: started.ignored() == [], "the rule to expire")
    assert THEIRS in lab.issuer(A4)
    assert started.counters() == {"packets": 2, "accepted": 0}


def test_more_names_than_are_kept_are_not_taken_for_all(lab, engine):
    """The ninth pushes one out that may be meant, too: the handshake has to tell."""
    started = engine({"ignore": {"pattern": r"^n\d\.origin\.test:443$", "match": "dns"}})
    with answering(lab, lambda query: [answer_to(query, record(1, ip4(A4)))]):
        for number in range(8):
            ask(lab, "n%d.origin.test" % number)
        assert THEIRS in lab.issuer(A4, 443, "-servername", "n1.origin.test")
        assert started.counters()["accepted"] == 0
        ask(lab, "n8.origin.test")
        assert started.ignored() == []
        assert THEIRS in lab.issuer(A4, 443, "-servername", "n8.origin.test")
        assert started.counters()["accepted"] == 1


# ---- without ----

def seconds_to_connect(lab):
    """To an origin whose connections are taken, as a rule."""
    def connect():
        begun = time.monotonic()
        lab.device.connect(B4).close()
        time.sleep(0.02)
        return time.monotonic() - begun - 0.02
    return sorted(connect() for _ in range(60))[30]


@pytest.mark.parametrize("what", [b"\0" * 65536, b"".join(
    b"\0\x13" + struct.pack(">6H", number, 0x100, 1, 0, 0, 0) + b"\1a\0\0\1\0\1" for number in range(3000))],
    ids=["nothing", "queries"])
def test_who_floods_a_resolver_delays_nobodys_connections(lab, engine, what):
    """A packet may have thousands of messages in it: no more of them are read than there is time for."""
    engine(IGNORE)
    done = threading.Event()

    def swallow(connection):
        while connection.recv(1 << 20):
            pass

    def flood():
        with lab.device.connect(ROUTER4, 53) as connection:
            while not done.is_set():
                connection.sendall(what)

    quiet = seconds_to_connect(lab)
    with lab.router.serve(swallow, 53, ROUTER4):
        flooding = threading.Thread(target=flood)
        flooding.start()
        time.sleep(0.5)
        flooded = seconds_to_connect(lab)
        done.set()
        flooding.join()
    assert flooded < 10 * quiet + 0.04


def test_dns_is_not_watched_where_nothing_depends_on_it(lab, engine, resolver):
    started = engine({"ignore": {"pattern": r"^a\.origin\.test:443$"}})
    assert not passes(lab, "a.origin.test", "ipv4")
    status = started.status()["dns"]
    assert not status["watched"] and status["queries"] == 0
    assert re.search(r"^dns +not watched$", started.ctl("status").stdout, re.M)
    assert "dport 53" not in lab.router.run("nft", "list", "table", "inet", "interceptd").stdout


def test_without_a_queue_names_are_known_by_the_first_bytes_only(lab, engine, resolver):
    started = engine({"ignore": {"pattern": r"^a\.origin\.test:443$", "match": "dns sni"},
                      "network": {"queue": "none"}})
    started.wait_log("without a queue DNS is not watched")
    assert passes(lab, "a.origin.test", "ipv4")
    assert started.counters()["accepted"] == 1


def test_resolving_goes_on_when_the_engine_dies(lab, engine, resolver):
    started = engine(IGNORE)
    started.kill()
    assert passes(lab, "a.origin.test", "ipv4")


# ---- the race ----

@contextlib.contextmanager
def every_name(lab, address_of):
    """Answers each query for nNUMBER.race.test with the address for that number."""
    def answers(query):
        number = int(name_in(query)[0].split(".")[0][1:])
        kind = query[-3]
        data = socket.inet_pton(socket.AF_INET6 if kind == 28 else socket.AF_INET, address_of(number))
        return [answer_to(query, record(kind, data))]
    with answering(lab, answers):
        yield


@contextlib.contextmanager
def many_addresses(lab):
    """10.77.128.0/17 and 2001:db8:113:1::/64 are the origin's."""
    networks = [("-4", "10.77.128.0/17", "198.51.100.2"), ("-6", "2001:db8:113:1::/64", "2001:db8:100::2")]
    lab.router.run("sysctl", "-qw", "net.netfilter.nf_conntrack_max=262144", check=False)
    for family, network, origin in networks:
        lab.origin.run("ip", family, "route", "add", "local", network, "dev", "lo")
        lab.router.run("ip", family, "route", "add", network, "via", origin)
    try:
        yield
    finally:
        for family, network, _ in networks:
            lab.origin.run("ip", family, "route", "del", "local", network, "dev", "lo")
            lab.router.run("ip", family, "route", "del", network)


def run_race(lab, count, family, *also):
    """Resolves and connects; the mean time that an answer took, in microseconds."""
    return float(lab.device.run(BUILD / "clients/dns_race", "198.51.100.2", count, 1, family, *also,
                                timeout=120).stdout)


def address_for(number, family):
    if family == "ipv6":
        return "2001:db8:113:1::%x" % number
    return "10.77.%d.%d" % (128 + number // 250, number % 250 + 1)


@FAMILIES
def test_a_syn_that_follows_its_answer_at_once_has_its_name(lab, engine, family):
    """10,000 times: each connection is decided at its first packet, by the name that was told just before."""
    count = 10000
    started = engine({"ignore": {"pattern": r"^n\d+\.race\.test:443$", "match": "dns"}})
    with many_addresses(lab), every_name(lab, lambda number: address_for(number, family)):
        run_race(lab, count, family)
        wait_for(lambda: started.status()["gate"]["packets"] >= count, "all of them", 30)
        gate = started.status()["gate"]
    assert gate["packets"] == gate["passed"] == count and gate["taken"] == 0
    assert started.counters()["accepted"] == 0


def test_a_syn_that_follows_a_new_name_at_once_meets_no_old_rule(lab, engine):
    """The kernel lets the address pass for its first name; then a second one is told, and used at once."""
    count, second = 2000, 20000
    started = engine({"ignore": {"pattern": r"^n\d{1,4}\.race\.test:443$", "match": "dns"}})
    with many_addresses(lab), every_name(lab, lambda number: address_for(number % second, "ipv6")):
        run_race(lab, count, "ipv6", second)
        wait_for(lambda: started.status()["gate"]["packets"] >= 2 * count, "all of them", 30)
        gate = started.status()["gate"]
    assert gate["passed"] == gate["taken"] == count and gate["kernel_rules_added"] == count
    assert started.ignored() == []


def test_what_the_queue_adds_to_an_answer(lab, engine):
    """A figure to look at: the time depends on the machine, and nothing is promised."""
    times = {}
    with many_addresses(lab), every_name(lab, lambda number: address_for(number, "ipv6")):
        for watched in ("no", "yes"):
            started = engine({**IGNORE, "network": {"watch-dns": watched}})
            times[watched] = run_race(lab, 2000, "ipv6")
            assert started.status()["dns"]["queries"] == (2000 if watched == "yes" else 0)
            started.stop()
    print("an answer takes %.0f us, and %.0f us where DNS is watched" % (times["no"], times["yes"]))


def test_dns_is_watched_while_something_needs_it(lab, engine, resolver):
    """Also where that is said at run time, or by a reload."""
    def is_watched():
        chains = lab.router.run("nft", "list", "chains", "inet").stdout
        watched = started.status()["dns"]["watched"]
        assert ("chain queries" in chains) == ("chain answers" in chains) == watched
        return "chain queries" in chains

    started = engine({"ignore": {"pattern": r"^a\.origin\.test:443$"}})
    assert not is_watched() and not passes(lab, "a.origin.test", "ipv4")
    started.ctl("set", "ignore.match", "address dns")
    assert is_watched() and passes(lab, "a.origin.test", "ipv4")
    assert started.ignored()[0]["device"] == DEVICE4
    started.ctl("unset", "ignore.match")
    assert not is_watched() and not passes(lab, "a.origin.test", "ipv4")
    started.reload(IGNORE)
    assert is_watched() and passes(lab, "a.origin.test", "ipv4")
    # Who asks while the rules come and go is answered all the same.
    for _ in range(20):
        started.ctl("set", "network.devices", "all")
        started.ctl("set", "ignore.match", "address")
        resolve(lab, "b.origin.test")
        started.ctl("unset", "ignore.match")
        assert passes(lab, "a.origin.test", "ipv4")
