# SPDX-License-Identifier: GPL-3.0-or-later
"""QUIC is decided by the name that its first datagrams ask for, before one of them has gone on. A browser's
is in test_clients.py."""

import os
import re
import socket
import time

import pytest

import quic
from lab import DEVICE4, DEVICE6, ORIGIN4, ORIGIN6, PATIENCE, wait_for
from quic import Flow, crypto, client_hello, datagrams, initial

FAMILIES = pytest.mark.parametrize("origin", [ORIGIN4[0], ORIGIN6[0]], ids=["ipv4", "ipv6"])
VERSIONS = pytest.mark.parametrize("version", [1, 2])

QUIET = "quiet.origin.test"  # is ignored, by its name
LOUD = "loud.origin.test"    # is not
BY_NAME = {"ignore": {"pattern": r"^quiet\.origin\.test:443$", "match": "address sni"}}
PAGE = "page.html"
WORDS = "the origin's own words, by QUIC"
GIVE_UP = "--handshake-timeout=2s"  # ngtcp2's client does not mind being refused


@pytest.fixture(scope="module", autouse=True)
def every_refusal_is_told(lab):
    """The kernel sends a host six ICMP errors at once, and then one a second."""
    limits = ("net.ipv4.icmp_ratelimit", "net.ipv6.icmp.ratelimit")
    lab.router.run("sysctl", "-qw", *["%s=0" % limit for limit in limits])
    yield
    lab.router.run("sysctl", "-qw", *["%s=1000" % limit for limit in limits])


@pytest.fixture
def page(lab):
    path = lab.origin_directory / "www" / PAGE
    path.write_text("<!DOCTYPE html><title>page</title><p>%s</p>" % WORDS)
    yield path
    path.unlink()


def decisions(started, flow=None, count=1):
    """What was recorded of QUIC, or of this flow of it."""
    matching = {"proto": "UDP"}
    if flow:
        matching["src_port"] = flow.name()[1]
    return started.wait_records("intercept", count, **matching)


def remembered(lab):
    """What the kernel decides by itself."""
    text = lab.router.run("nft", "list", "table", "inet", "interceptd").stdout
    sets = re.findall(r"set (passed\d|refused\d) \{(.*?)\n\t\}", text, re.S)
    return {name for name, content in sets if "elements" in content}


# ---- real clients and servers ----

@FAMILIES
def test_Q2_an_ignored_names_quic_flows_to_its_end(lab, engine, page, origin, tmp_path):
    started = engine(BY_NAME)
    with quic.server(lab):
        assert WORDS in quic.get(lab, origin, QUIET, PAGE, tmp_path)
    (record,) = decisions(started)
    assert record["app_proto"] == "quic" and record["quic"] == {"version": "1", "sni": QUIET}
    said = record["intercept"]
    assert (said["action"], said["reason"], said["rule"]) == ("bypass", "rule", BY_NAME["ignore"]["pattern"])
    assert "interceptd.conf:" in said["rule_place"]
    assert remembered(lab) == set()  # another name at this address may have to be refused


@FAMILIES
def test_Q2_a_taken_names_quic_is_refused(lab, engine, page, origin, tmp_path):
    started = engine(BY_NAME)
    with quic.server(lab):
        assert quic.get(lab, origin, LOUD, PAGE, tmp_path, GIVE_UP) is None
    (record,) = decisions(started)
    assert record["app_proto"] == "quic" and record["quic"] == {"version": "1", "sni": LOUD}
    assert (record["intercept"]["action"], record["intercept"]["reason"]) == ("refuse", "default")
    assert "refused QUIC to" in started.log() and LOUD in started.log()
    assert remembered(lab) == set()


@FAMILIES
def test_a_version_that_nobody_can_read_is_decided_by_the_address(lab, engine, page, origin, tmp_path):
    """A draft of version 2, which ngtcp2 speaks."""
    started = engine(BY_NAME)
    with quic.server(lab):
        assert quic.get(lab, origin, QUIET, PAGE, tmp_path, "--version=v2draft", GIVE_UP) is None
        started.reload({"ignore": {"pattern": "^%s:443$" % re.escape(origin), "match": "address sni"}})
        assert WORDS in quic.get(lab, origin, QUIET, PAGE, tmp_path, "--version=v2draft")
    refused, passed = decisions(started, count=2)
    assert refused["quic"] == passed["quic"] == {"version": "709a50c4"}
    assert (refused["intercept"]["action"], passed["intercept"]["action"]) == ("refuse", "bypass")


# ---- datagrams made by hand ----

@FAMILIES
@VERSIONS
@pytest.mark.parametrize("parts", [1, 2])
def test_Q2_two_names_at_one_address_are_told_apart(lab, engine, origin, version, parts):
    started = engine(BY_NAME)
    with quic.listening(lab, origin) as server:
        with Flow(lab, origin) as quiet, Flow(lab, origin) as loud:
            passed, refused = datagrams(QUIET, version, parts), datagrams(LOUD, version, parts)
            begun = time.monotonic()
            loud.send(*refused)
            assert loud.is_refused() and time.monotonic() - begun < 1 * PATIENCE
            quiet.send(*passed)
            assert [server.recv(2000) for _ in range(parts)] == passed
            assert not quiet.is_refused(0.1)
            (record,) = decisions(started, loud)
            assert record["quic"]["sni"] == LOUD and record["intercept"]["action"] == "refuse"
            (record,) = decisions(started, quiet)
            assert record["quic"]["sni"] == QUIET and record["intercept"]["action"] == "bypass"


@FAMILIES
def test_a_datagram_waits_for_the_rest_of_the_hello(lab, engine, origin):
    """The first one goes on when the second has come, not before; both in their order."""
    engine(BY_NAME)
    with quic.listening(lab, origin) as server, Flow(lab, origin) as flow:
        first, second = datagrams(QUIET, parts=2)
        flow.send(first)
        server.settimeout(0.03)
        with pytest.raises(socket.timeout):
            server.recv(2000)
        server.settimeout(3 * PATIENCE)
        flow.send(second)
        received = [server.recvfrom(2000), server.recvfrom(2000)]
        assert [datagram for datagram, _ in received] == [first, second]
        assert received[0][1] == received[1][1]  # one flow also to the box's own address translation


@FAMILIES
def test_datagrams_that_are_sent_as_one_are_read(lab, engine, origin):
    """UDP's segmentation offload: the kernel hands both to the queue in one piece."""
    started = engine(BY_NAME)
    udp, udp_segment = 17, 103
    with quic.listening(lab, origin) as server, Flow(lab, origin) as flow:
        both = datagrams(QUIET, parts=2)
        flow.socket.setsockopt(udp, udp_segment, len(both[0]))
        flow.send(b"".join(both))
        assert [server.recv(2000), server.recv(2000)] == both
        (record,) = decisions(started, flow)
        assert record["quic"]["sni"] == QUIET


@FAMILIES
def test_a_hello_that_never_becomes_whole_is_decided_without_a_name(lab, engine, origin):
    started = engine(BY_NAME)
    with quic.listening(lab, origin), Flow(lab, origin) as flow:
        begun = time.monotonic()
        flow.send(datagrams(QUIET, parts=2)[0])
        assert flow.is_refused() and time.monotonic() - begun >= 0.1
        (record,) = decisions(started, flow)
        assert record["quic"] == {"version": "1"} and record["intercept"]["action"] == "refuse"


def test_who_keeps_many_datagrams_waiting_delays_nobody(lab, engine):
    """More flows than may wait, of more datagrams than one may wait for."""
    started = engine(BY_NAME)
    hello = client_hello(QUIET, 1216)
    with quic.listening(lab, ORIGIN4[0]) as server:
        flows = [Flow(lab, ORIGIN4[0]) for _ in range(100)]
        seconds = []
        for i, flow in enumerate(flows):
            identifier = os.urandom(8)
            flow.send(*[initial(identifier, n, crypto(hello, 40 * n, 40 * n + 40)) for n in range(1, 6)])
            if i % 10 == 0:
                begun = time.monotonic()
                lab.device.connect(ORIGIN4[0]).close()
                seconds.append(time.monotonic() - begun)
        refused = decisions(started, count=len(flows))
        assert {record["src_port"] for record in refused} == {flow.name()[1] for flow in flows}
        assert {record["intercept"]["action"] for record in refused} == {"refuse"}
        assert sorted(seconds)[len(seconds) // 2] < 0.05 * PATIENCE
        with Flow(lab, ORIGIN4[0]) as flow:
            passed = datagrams(QUIET, parts=2)
            flow.send(*passed)
            assert [server.recv(2000), server.recv(2000)] == passed
        for flow in flows:
            flow.__exit__()
    assert len(decisions(started, count=101)) == 101


@FAMILIES
def test_what_comes_behind_a_decision_shares_it(lab, engine, origin):
    """Early data tells nothing by itself, and is on its way before the server has said anything."""
    started = engine(BY_NAME)
    with quic.listening(lab, origin) as server:
        for name in (QUIET, LOUD):
            with Flow(lab, origin) as flow:
                (first,) = datagrams(name)
                early = bytes([first[0] & 0xcf | 0x10]) + first[1:15] + b"\0\x44\0" + os.urandom(1024)
                flow.send(first, early, early)
                if name == QUIET:
                    assert [server.recv(2000) for _ in range(3)] == [first, early, early]
                    time.sleep(0.3)
                    flow.send(early)
                    assert server.recv(2000) == early and not flow.is_refused(0.1)
                else:
                    for _ in range(3):
                        assert flow.is_refused()
                        flow.send(early)
                assert len(decisions(started, flow)) == 1
    assert len(decisions(started, count=2)) == 2


@FAMILIES
def test_a_stubborn_client_is_refused_each_time_and_told_of_once(lab, engine, origin):
    started = engine(BY_NAME)
    with quic.listening(lab, origin) as server, Flow(lab, origin) as flow:
        sent = datagrams(LOUD, parts=2)
        for _ in range(5):
            flow.send(*sent)
            assert flow.is_refused()
        assert len(decisions(started, flow)) == 1
        # Another connection from the same port is another matter.
        other = datagrams(QUIET)
        flow.send(*other)
        assert server.recv(2000) == other[0]
        assert [record["quic"]["sni"] for record in decisions(started, flow, 2)] == [LOUD, QUIET]


@FAMILIES
def test_a_reload_forgets_what_was_refused(lab, engine, origin):
    started = engine(BY_NAME)
    with quic.listening(lab, origin) as server, Flow(lab, origin) as flow:
        sent = datagrams(LOUD)
        flow.send(*sent)
        assert flow.is_refused()
        started.reload({"ignore": {"pattern": r"^loud\.origin\.test:443$", "match": "sni"}})
        flow.send(*sent)
        assert server.recv(2000) == sent[0]


@FAMILIES
@pytest.mark.parametrize("garbage", [b"?", b"\xc3\0\0\0\1 something like QUIC", os.urandom(1200), bytes(1300),
                                     b"\xc0\0\0\0\1\x08" + os.urandom(1250),
                                     b"\x80\0\0\0\0\x08" + bytes(18) + b"\0\0\0\1"],
                         ids=["byte", "short", "random", "zeros", "false", "negotiation"])
def test_what_is_no_quic_is_decided_by_its_address(lab, engine, origin, garbage):
    ignored = ORIGIN6[1] if ":" in origin else ORIGIN4[1]
    started = engine({"ignore": {"pattern": [r"^quiet\.", "^%s:443$" % re.escape(ignored)],
                                 "match": "address sni"}})
    with quic.listening(lab, ignored) as server, Flow(lab, origin) as taken, Flow(lab, ignored) as passing:
        taken.send(garbage)
        assert taken.is_refused()
        passing.send(garbage)
        assert server.recv(2000) == garbage
        (record,) = decisions(started, taken)
        assert record["intercept"]["action"] == "refuse" and "sni" not in record.get("quic", {})
        (record,) = decisions(started, passing)
        assert record["intercept"]["action"] == "bypass" and "sni" not in record.get("quic", {})


def test_a_changed_packet_is_not_believed(lab, engine):
    """A server would look over it, and so what it says is nobody's word."""
    started = engine(BY_NAME)
    with quic.listening(lab, ORIGIN4[0]), Flow(lab, ORIGIN4[0]) as flow:
        (sent,) = datagrams(QUIET)
        flow.send(sent[:-1] + bytes([sent[-1] ^ 1]))
        assert flow.is_refused()
        assert decisions(started, flow)[0]["quic"] == {"version": "1"}


# ---- what is not looked at ----

@FAMILIES
def test_without_rules_for_names_no_name_is_read(lab, engine, origin):
    started = engine({"ignore": {"pattern": r"^quiet\.origin\.test:443$"}})
    with quic.listening(lab, origin), Flow(lab, origin) as flow:
        flow.send(datagrams(QUIET, parts=2)[0])  # nor waited for
        assert flow.is_refused()
        (record,) = decisions(started, flow)
        assert record["app_proto"] == "quic" and record["quic"] == {"version": "1"}
    with Flow(lab, origin) as flow:
        flow.send(*datagrams(QUIET))
        assert flow.is_refused()
    assert remembered(lab) == {"refused6" if ":" in origin else "refused4"}
    assert len(decisions(started)) == 1  # the second was the kernel's


def test_an_excluded_devices_quic_is_not_even_seen(lab, engine):
    started = engine({**BY_NAME, "device phone": {"address": DEVICE4, "intercept": "no"}})
    with quic.listening(lab, ORIGIN4[0]) as server, Flow(lab, ORIGIN4[0]) as flow:
        sent = datagrams(LOUD, parts=2)
        flow.send(sent[0])
        assert server.recv(2000) == sent[0]
    assert started.counters() == {"packets": 0, "accepted": 0}


def test_names_that_are_allowed_are_refused_and_others_flow(lab, engine):
    started = engine({"allow": {"pattern": r"^loud\.origin\.test:443$", "match": "sni"}})
    with quic.listening(lab, ORIGIN4[0]) as server:
        with Flow(lab, ORIGIN4[0]) as loud, Flow(lab, ORIGIN4[0]) as other:
            loud.send(*datagrams(LOUD))
            assert loud.is_refused()
            sent = datagrams(QUIET, parts=2)
            other.send(*sent)
            assert [server.recv(2000), server.recv(2000)] == sent
            assert decisions(started, other)[0]["intercept"]["reason"] == "not_allowed"


def test_a_devices_own_patterns_know_names(lab, engine):
    engine({"device phone": {"address": DEVICE4, "pattern": r"^quiet\.", "match": "sni"}})
    for origin, source in ((ORIGIN4[0], DEVICE4), (ORIGIN6[0], DEVICE6)):
        with quic.listening(lab, origin) as server, Flow(lab, origin) as flow:
            sent = datagrams(QUIET)
            flow.send(*sent)
            if source == DEVICE4:
                assert server.recv(2000) == sent[0]
            else:
                assert flow.is_refused()


# ---- quic = pass ----

def test_Q3_quic_may_be_let_be_for_all(lab, engine, page, tmp_path):
    started = engine({"network": {"quic": "pass"}})
    with quic.server(lab):
        for _ in range(2):
            assert WORDS in quic.get(lab, ORIGIN4[0], LOUD, PAGE, tmp_path)
    assert "O = interceptd," in lab.issuer(ORIGIN4[0])
    (record,) = decisions(started)
    assert (record["intercept"]["action"], record["intercept"]["reason"]) == ("bypass", "quic")
    assert [entry["protocol"] for entry in started.ignored()] == ["udp"]  # the second was the kernel's
    assert started.ignored()[0]["rule"] == "quic"


def test_Q3_quic_may_be_let_be_for_a_device(lab, engine, page, tmp_path):
    started = engine({**BY_NAME, "device phone": {"address": DEVICE4, "quic": "pass"}})
    with quic.server(lab):
        assert WORDS in quic.get(lab, ORIGIN4[0], LOUD, PAGE, tmp_path)
        assert quic.get(lab, ORIGIN6[0], LOUD, PAGE, tmp_path, GIVE_UP) is None
    assert "O = interceptd," in lab.issuer(ORIGIN4[0])
    assert "refused4" not in remembered(lab) and "refused6" not in remembered(lab)
    passed, refused = decisions(started, count=2)
    assert (passed["intercept"]["action"], passed["intercept"]["reason"]) == ("bypass", "quic")
    assert passed["quic"] == {"version": "1"}  # it flows unseen
    assert refused["intercept"]["action"] == "refuse"


def test_Q3_quic_may_be_refused_for_a_device_alone(lab, engine):
    """What one device is refused is not remembered for the others, nor the other way round."""
    engine({"network": {"quic": "pass"}, "device phone": {"address": DEVICE6, "quic": "refuse"}})
    for _ in range(2):
        with quic.listening(lab, ORIGIN4[0]) as server, Flow(lab, ORIGIN4[0]) as flow:
            flow.send(*datagrams(LOUD))
            assert server.recv(2000)
        with quic.listening(lab, ORIGIN6[0]), Flow(lab, ORIGIN6[0]) as flow:
            flow.send(*datagrams(LOUD))
            assert flow.is_refused()
    assert not {"refused4", "refused6"} & remembered(lab)


def offers(lab, started, origin):
    """The offers of HTTP/3 that reach the device, in HTTP/1."""
    shown = lab.curl("https://origin.test/quic/", "--http1.1", "-i", ca=started.ca, origin=origin).stdout
    return re.findall(r"(?im)^alt-svc: .*h3", shown)


def test_Q3_offers_of_quic_are_left_to_those_who_may_have_it(lab, engine):
    started = engine({"device phone": {"address": DEVICE4, "quic": "pass"}})
    assert len(offers(lab, started, ORIGIN4[0])) == 1
    assert offers(lab, started, ORIGIN6[0]) == []
    started.reload({"network": {"quic": "pass"}})
    assert len(offers(lab, started, ORIGIN6[0])) == 1


@pytest.mark.parametrize("answer", ["refuse", "pass"])
def test_Q3_without_a_queue_it_is_so_for_all(lab, engine, answer):
    engine({"network": {"queue": "none", "quic": answer}})
    with quic.listening(lab, ORIGIN4[0]) as server, Flow(lab, ORIGIN4[0]) as flow:
        sent = datagrams(LOUD)
        flow.send(*sent)
        if answer == "pass":
            assert server.recv(2000) == sent[0]
        else:
            assert flow.is_refused()


def test_datagrams_that_wait_are_let_go_when_the_engine_drains(lab, engine):
    """As SYNs are: what comes while it is about to stop passes."""
    started = engine({**BY_NAME, "network": {"drain-timeout": "5s"}})
    with quic.listening(lab, ORIGIN4[0]) as server, Flow(lab, ORIGIN4[0]) as flow:
        held = lab.device.connect(ORIGIN4[0])
        wait_for(lambda: started.status()["connections"]["active"] == 1, "a connection to drain")
        started.process.terminate()
        started.wait_log("stopping|draining|waiting")
        sent = datagrams(LOUD, parts=2)
        flow.send(*sent)
        assert [server.recv(2000), server.recv(2000)] == sent
        assert decisions(started, flow)[0]["intercept"]["reason"] == "draining"
        held.close()
