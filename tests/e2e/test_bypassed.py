# SPDX-License-Identifier: GPL-3.0-or-later
"""What passes in the kernel is recorded, listed, and cut when it is not to pass any more."""

import contextlib
import json
import os
import re
import select
import signal
import socket
import threading
import time

import pytest

import peers
from lab import DEVICE4, DEVICE6, ORIGIN4, ORIGIN6, PATIENCE, ROOT, bracketed, family_of, wait_for

IGNORED = ORIGIN4[1], ORIGIN6[1]
PATTERNS = [r"^203\.0\.113\.2:443$", r"^2001:db8:113::2:443$"]
CONFIG = {"ignore": {"pattern": PATTERNS}, "events": {"ignored": "yes"}}
FAMILIES = pytest.mark.parametrize("origin", IGNORED, ids=["ipv4", "ipv6"])
TIMEOUTS = ("tcp_timeout_time_wait", "tcp_timeout_close", "udp_timeout", "udp_timeout_stream")


def sysctl(lab, name, value=None):
    if value is None:
        return lab.router.run("sysctl", "-n", "net.netfilter.nf_conntrack_" + name).stdout.strip()
    lab.router.run("sysctl", "-qw", "net.netfilter.nf_conntrack_%s=%s" % (name, value))


@pytest.fixture(scope="module", autouse=True)
def impatient_kernel(lab):
    """It forgets what is over after a second, instead of minutes."""
    before = {name: sysctl(lab, name) for name in TIMEOUTS}
    for name in TIMEOUTS:
        sysctl(lab, name, 1)
    yield
    for name, value in before.items():
        sysctl(lab, name, value)


@pytest.fixture(autouse=True)
def clean_slate(lab):
    """What other tests have left is not this one's."""
    lab.flush_conntrack()


def flow_records(started, port):
    """Of the connection from this port of the device's."""
    return started.records("flow", src_port=port)


def wait_ended(started, *ports):
    """Waits until there is a record of each. Where somebody looks the kernel notices what is over."""
    def all_there():
        started.flows()
        return all(flow_records(started, port) for port in ports)
    wait_for(all_there, "records of %s" % (ports,), 20)
    return [flow_records(started, port)[0] for port in ports]


def fetch(lab, origin, path="/hello", *options):
    """curl on the device; returns its port, and how much it has read."""
    told = lab.curl("https://origin.test" + path, "-o", "/dev/null", "-w", "%{local_port} %{size_download}",
                    *options, origin=origin, timeout=40).stdout.split()
    return int(told[0]), int(told[1])


def mac_of_device(lab):
    return json.loads(lab.device.run("ip", "-j", "link", "show", "eth0").stdout)[0]["address"]


def rule_of(started, pattern):
    """A rule and its place, as records have it."""
    lines = started.config_path.read_text().splitlines()
    return pattern, "%s:%d" % (started.config_path, lines.index("pattern = " + pattern) + 1)


def seconds_of(text):
    return time.mktime(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) + float(text[19:26])


class Udp:
    """A datagram socket on the device, and an echo at an origin's port 443."""

    def __init__(self, lab, origin):
        with lab.origin.inside():
            self.server = socket.socket(family_of(origin), socket.SOCK_DGRAM)
        self.server.bind((origin, 443))
        with lab.device.inside():
            self.client = socket.socket(family_of(origin), socket.SOCK_DGRAM)
        self.client.connect((origin, 443))
        for end in (self.server, self.client):
            end.settimeout(2 * PATIENCE)
        self.port = self.client.getsockname()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.close()
        self.client.close()

    def echo(self, data=b"ping"):
        self.client.send(data)
        told, self.peer = self.server.recvfrom(2000)
        self.server.sendto(told, self.peer)
        return self.client.recv(2000)


class Talk:
    """A TLS connection that asks again and again."""

    def __init__(self, lab, origin, name="origin.test", port=0):
        with lab.device.inside():
            connection = socket.socket(family_of(origin), socket.SOCK_STREAM)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        connection.settimeout(10 * PATIENCE)
        connection.bind(("", port))
        connection.connect((origin, 443))
        self.port = connection.getsockname()[1]
        self.secure = peers.client_context().wrap_socket(connection, server_hostname=name)

    def get(self):
        self.secure.sendall(b"GET /hello HTTP/1.1\r\nHost: origin.test\r\n\r\n")
        answer = b""
        while b"hello from the origin" not in answer:
            part = self.secure.recv(4096)
            assert part, "it has ended"
            answer += part

    def lives(self):
        try:
            self.get()
            return True
        except (OSError, AssertionError):
            return False

    def close(self):
        with contextlib.suppress(OSError):
            self.secure.close()


@pytest.fixture
def talk(lab):
    talks = []

    def start(origin, *options):
        talks.append(Talk(lab, origin, *options))
        talks[-1].get()
        return talks[-1]

    yield start
    for one in talks:
        one.close()


# ---- records ----

@FAMILIES
def test_every_ignored_connection_leaves_one_record(lab, engine, origin):
    """The first, which is decided by us, and those that the kernel decides."""
    started = engine(CONFIG)
    ports = [fetch(lab, origin)[0]]
    assert len(started.ignored()) == 1
    ports += [fetch(lab, origin)[0] for _ in range(4)]
    assert started.counters() == {"packets": 1, "accepted": 0}
    wait_ended(started, *ports)
    started.flows()
    time.sleep(0.2)
    rule, place = rule_of(started, PATTERNS[IGNORED.index(origin)])
    for port in ports:
        (record,) = flow_records(started, port)
        assert record["src_ip"] == (DEVICE6 if ":" in origin else DEVICE4)
        assert record["dest_ip"] == origin and record["dest_port"] == 443 and record["proto"] == "TCP"
        assert record["in_iface"] == "lan0"
        assert record["intercept"].pop("device")["mac"] == mac_of_device(lab)
        assert record["intercept"] == {"action": "bypass", "reason": "rule", "rule": rule,
                                       "rule_place": place, "policy_rev": 1}
        assert record["flow"]["state"] == "bypassed" and record["flow"]["reason"] == "timeout"
    assert started.status()["ignored"]["ended"] >= 5


@FAMILIES
def test_a_record_has_what_went_through(lab, engine, origin):
    started = engine(CONFIG)
    with open(lab.origin_directory / "www/blob", "wb") as blob:
        blob.truncate(300000)
    port, size = fetch(lab, origin, "/blob")
    assert size == 300000
    (record,) = wait_ended(started, port)
    flow = record["flow"]
    # TLS adds some, TCP and IP a few per cent, the handshake some kilobytes.
    assert size < flow["bytes_toclient"] < size * 1.06 + 8000
    assert 500 < flow["bytes_toserver"] < 40000
    assert flow["pkts_toclient"] > 5 and flow["pkts_toserver"] > 5
    assert flow["bytes_toclient"] > flow["pkts_toclient"] * 40


def test_a_record_has_the_time_that_it_took(lab, engine, talk):
    started = engine(CONFIG)
    begun = time.time()
    connection = talk(IGNORED[0])
    talked = time.time()
    time.sleep(2.5)
    connection.get()
    ended = time.time()
    connection.close()
    (record,) = wait_ended(started, connection.port)
    start, end = (seconds_of(record["flow"][key]) for key in ("start", "end"))
    offset = time.mktime(time.gmtime(begun)) - int(begun)  # records are in UTC
    assert begun - 0.5 < start - offset < talked + 0.5
    assert abs(end - offset - ended) < 3 * PATIENCE
    assert 2 <= record["flow"]["age"] <= ended - begun + 3 * PATIENCE


def test_the_decision_and_the_record_have_one_flow_id(lab, engine):
    started = engine(CONFIG)
    ports = [fetch(lab, IGNORED[0])[0] for _ in range(3)]
    ids = [record["flow_id"] for record in wait_ended(started, *ports)]
    assert len(set(ids)) == 3 and all(0 < number < 2 ** 51 for number in ids)
    (decision,) = started.records("intercept")
    assert decision["src_port"] == ports[0] and decision["flow_id"] == ids[0]


@FAMILIES
def test_datagrams_are_recorded(lab, engine, origin):
    started = engine(CONFIG)
    with Udp(lab, origin) as first:
        for _ in range(3):
            assert first.echo(b"x" * 100) == b"x" * 100
    with Udp(lab, origin) as second:
        second.client.send(b"into the void")
        second.server.recv(100)
    records = wait_ended(started, first.port, second.port)
    header = 48 if ":" in origin else 28
    assert [record["proto"] for record in records] == ["UDP", "UDP"]
    flow = records[0]["flow"]
    assert (flow["pkts_toserver"], flow["pkts_toclient"]) == (3, 3)
    assert flow["bytes_toserver"] == flow["bytes_toclient"] == 3 * (100 + header)
    assert records[1]["flow"]["pkts_toclient"] == 0
    assert all(record["intercept"]["reason"] == "rule" for record in records)
    assert started.counters()["packets"] == 1


def test_a_record_names_the_rule_that_was_in_force_at_its_start(lab, engine, talk):
    started = engine(CONFIG)
    first = talk(IGNORED[0])
    rule, place = rule_of(started, PATTERNS[0])
    other = r"^203\.0\.113\.2:"
    started.reload({"events": {"ignored": "yes"}, "ignore": {"pattern": ["^x", other]}})
    second = talk(IGNORED[0])
    other_place = rule_of(started, other)[1]
    started.reload({"events": {"ignored": "yes"}})
    first.get()
    for connection in (first, second):
        connection.close()
    records = wait_ended(started, first.port, second.port)
    told = [[record["intercept"][key] for key in ("reason", "rule", "rule_place", "policy_rev")]
            for record in records]
    assert told == [["rule", rule, place, 1], ["rule", other, other_place, 2]]


def test_reloads_under_load_are_told_apart(lab, engine):
    """Each connection is told of by the policy that let it pass, however close to a reload it began."""
    def policy(pattern):
        return {"events": {"ignored": "yes"}, "ignore": {"pattern": pattern}}

    started = engine(policy("^2001:db8:113::2:"))
    stop, ports = threading.Event(), []

    def load():
        with lab.device.inside():
            while not stop.is_set() and len(ports) < 50000:
                with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as flow:
                    flow.bind(("::", 10000 + len(ports)))
                    flow.sendto(b"x", (IGNORED[1], 443))
                ports.append(10000 + len(ports))
                time.sleep(0.0005)

    thread = threading.Thread(target=load)
    thread.start()
    try:
        for i in range(13):
            begun = len(ports)
            wait_for(lambda: len(ports) > begun + 50, "flows under this policy")
            if i < 12:
                started.reload(policy(["::2:443$", "^2001:db8:113::2:"][i % 2]))
    finally:
        stop.set()
        thread.join()
    count = len(set(ports)) * 0.99  # some datagrams may have found a queue full on their way
    wait_for(lambda: started.flows() and len(started.records("flow")) > count, "the records", 30)

    def told(record):
        return [record["intercept"].get(key) for key in ("reason", "rule", "policy_rev")]

    records = {record["flow_id"]: told(record) for record in started.records("flow")}
    decisions = {record["flow_id"]: told(record) for record in started.records("intercept")
                 if record["intercept"]["action"] != "change"}
    assert {reason for reason, _, _ in records.values()} == {"rule"}
    assert {revision for _, _, revision in records.values()} == set(range(1, 14))
    assert len(decisions) >= 12
    for number, decision in decisions.items():
        assert records.get(number, decision) == decision


def test_many_reloads_forget_which_rule_it_was_and_say_so(lab, engine, talk):
    started = engine(CONFIG)
    old = talk(IGNORED[0])
    for _ in range(16):
        started.reload(CONFIG)
    young = talk(IGNORED[0])
    old.close()
    young.close()
    records = wait_ended(started, old.port, young.port)
    assert records[0]["intercept"]["reason"] == "unknown"
    assert not {"rule", "rule_place", "policy_rev"} & set(records[0]["intercept"])
    assert records[0]["flow"]["bytes_toclient"] > 1000
    assert records[1]["intercept"]["reason"] == "rule" and records[1]["intercept"]["policy_rev"] == 17


def test_a_connection_that_is_older_than_the_engine_is_told_as_far_as_it_is_known(lab, engine, talk):
    before = engine(CONFIG)
    connection = talk(IGNORED[0])
    before.kill()
    started = engine(CONFIG)
    connection.get()
    connection.close()
    (record,) = wait_ended(started, connection.port)
    assert record["intercept"]["action"] == "bypass" and record["intercept"]["reason"] == "unknown"
    assert record["flow"]["bytes_toclient"] > 1000 and "start" in record["flow"]


def test_a_device_that_is_excluded_is_recorded(lab, engine):
    started = engine({"events": {"ignored": "yes"},
                      "device phone": {"address": DEVICE4, "intercept": "no"}})
    port, _ = fetch(lab, ORIGIN4[0])
    (record,) = wait_ended(started, port)
    assert record["intercept"]["reason"] == "device" and "rule" not in record["intercept"]


def test_what_is_not_allowed_is_recorded(lab, engine):
    started = engine({"events": {"ignored": "yes"}, "allow": {"pattern": r"^203\.0\.113\.1:443$"}})
    port, _ = fetch(lab, IGNORED[0])
    (record,) = wait_ended(started, port)
    assert record["intercept"]["reason"] == "not_allowed"


def test_taken_connections_have_no_record_of_this_kind(lab, engine):
    started = engine(CONFIG)
    ignored, _ = fetch(lab, IGNORED[0])
    taken, _ = fetch(lab, ORIGIN4[0], "/hello", "-k")
    wait_ended(started, ignored)
    (record,) = flow_records(started, taken)
    assert record["intercept"]["action"] == "intercept"


def test_nothing_of_the_payload_is_recorded(lab, engine):
    started = engine({"network": {"port": "80"}, "events": {"ignored": "yes"},
                      "ignore": {"pattern": r"^203\.0\.113\.2:80$"}})
    told = lab.curl("http://origin.test/hello?a-secret-word", "-H", "X-Secret: a-secret-word", "-w",
                    "%{local_port}", "-o", "/dev/null", origin=IGNORED[0]).stdout
    wait_ended(started, int(told))
    assert "a-secret-word" in lab.access_log()
    assert "a-secret-word" not in started.events_path.read_text()


def test_records_are_made_as_the_configuration_says(lab, engine):
    without = {**CONFIG, "events": {"ignored": "no"}}
    started = engine(without)
    first, _ = fetch(lab, IGNORED[0])
    wait_for(lambda: all(flow["src_port"] != first for flow in started.flows()["flows"]), "its end")
    time.sleep(1.5)  # the kernel's second, and some
    started.flows()
    started.reload(CONFIG)
    second, _ = fetch(lab, IGNORED[0])
    wait_ended(started, second)
    started.reload(without)
    third, _ = fetch(lab, IGNORED[0])
    time.sleep(1.5)
    started.flows()
    time.sleep(0.2)
    assert flow_records(started, first) == flow_records(started, third) == []
    assert len(started.records("flow")) == len(flow_records(started, second)) == 1


def test_without_a_queue_the_kernels_connections_are_recorded(lab, engine):
    started = engine({**CONFIG, "network": {"queue": "none"}})
    first, _ = fetch(lab, IGNORED[0])
    wait_for(lambda: started.ignored() != [], "the kernel to know")
    second, _ = fetch(lab, IGNORED[0])
    wait_ended(started, second)
    assert flow_records(started, first)[0]["intercept"]["action"] == "passthrough"
    assert flow_records(started, second)[0]["intercept"]["action"] == "bypass"


# ---- what the kernel has to count ----

SWITCHES = ("acct", "timestamp", "events")
READ_ONLY = ["unshare", "--mount", "sh", "-c",
             'mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys && exec "$@"', "sh"]


@pytest.fixture
def uncounted(lab):
    before = {name: sysctl(lab, name) for name in SWITCHES}
    for name in SWITCHES:
        sysctl(lab, name, 0)
    yield
    for name, value in before.items():
        sysctl(lab, name, value)


def test_the_kernel_is_made_to_count(lab, engine, uncounted):
    started = engine(CONFIG)
    assert [sysctl(lab, name) for name in SWITCHES] == ["1", "1", "1"]
    port, _ = fetch(lab, IGNORED[0])
    (record,) = wait_ended(started, port)
    assert record["flow"]["pkts_toserver"] > 3 and record["intercept"]["reason"] == "rule"
    assert "warning" not in started.log()


def test_what_cannot_be_turned_on_is_told_once(lab, engine, uncounted):
    """As under a service manager that keeps /proc/sys from us."""
    sysctl(lab, "events", 1)
    started = engine(CONFIG, wrapper=READ_ONLY)
    for name, loss in (("acct", "packets and bytes of ignored connections are unknown"),
                       ("timestamp", "it is unknown when ignored connections began")):
        line, = re.findall("warning: .*nf_conntrack_%s: .*" % name, started.log())
        assert "Read-only file system" in line and loss in line
        assert line.endswith("turn it on with: sysctl -w net.netfilter.nf_conntrack_%s=1" % name)
    assert "nf_conntrack_events" not in started.log()
    begun = time.time()
    port, _ = fetch(lab, IGNORED[0])
    (record,) = wait_ended(started, port)
    assert not {"start", "age", "pkts_toserver", "bytes_toclient"} & set(record["flow"])
    assert seconds_of(record["flow"]["end"]) - time.mktime(time.gmtime(begun)) < 30 * PATIENCE
    assert record["intercept"]["reason"] == "unknown"
    (item,) = [flow for flow in flows_of(started, lambda: Talk(lab, IGNORED[0]))]
    assert not {"age", "bytes_toclient"} & set(item) and item["action"] == "bypass"


def flows_of(started, connect):
    """What is told of a connection while it is open."""
    connection = connect()
    try:
        return [flow for flow in started.flows()["flows"] if flow["src_port"] == connection.port]
    finally:
        connection.close()


def test_the_services_file_has_what_is_needed(lab, uncounted):
    lab.router.run("/lib/systemd/systemd-sysctl", "--strict", ROOT / "scripts/install/interceptd.sysctl")
    assert [sysctl(lab, name) for name in SWITCHES] == ["1", "1", "0"]


# ---- when it is too much ----

def test_what_is_lost_is_counted_and_nothing_breaks(lab, engine):
    """Some 60,000 connections end at once, while nobody reads: more than the largest buffer holds."""
    origin = IGNORED[1]
    for name in ("udp_timeout", "udp_timeout_stream"):
        sysctl(lab, name, 600)
    started = engine(CONFIG)
    try:
        with Udp(lab, origin) as probe:
            probe.echo()  # the kernel learns
        with lab.device.inside():
            for port in range(2000, 64000):
                with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender:
                    sender.bind(("::", port))
                    sender.sendto(b"x", (origin, 443))
        time.sleep(0.5)  # some datagrams may have found a queue full on their way
        count = started.flows("-n", "1")["total"]
        assert count > 57000
        before = started.status()["ignored"]
        started.signal(signal.SIGSTOP)
        lab.flush_conntrack()
        started.signal(signal.SIGCONT)
        assert before == {"ended": 0, "lost": 0}
        wait_for(lambda: sum(started.status()["ignored"].values()) >= count, "all to be counted", 30)
        status = started.status()
        ended, lost = status["ignored"]["ended"], status["ignored"]["lost"]
        assert ended > 5000 and lost > 1000 and ended + lost == count
        assert started.log().count("warning: more ignored connections end than can be recorded") == 1
        # What was read is written: the recorder was waited for.
        wait_for(lambda: started.status()["records"]["written"] >= ended, "the records", 20)
        assert len(started.records("flow")) == ended and status["records"]["lost"] == 0
        with Udp(lab, origin) as probe:
            assert probe.echo() == b"ping"
    finally:
        started.signal(signal.SIGCONT)
        for name in ("udp_timeout", "udp_timeout_stream"):
            sysctl(lab, name, 1)


# ---- what is open ----

BY_NAME = {"ignore": {"pattern": PATTERNS + [r"^spliced\.test:443$"], "match": "address sni"},
           "events": {"ignored": "yes"}}


@pytest.mark.parametrize("origins", [ORIGIN4, ORIGIN6], ids=["ipv4", "ipv6"])
def test_all_that_is_open_is_listed(lab, engine, talk, origins):
    started = engine(BY_NAME)
    ignored = talk(origins[1])
    spliced, intercepted = talk(origins[0], "spliced.test"), talk(origins[0])

    def look():
        found = {flow["src_port"]: flow for flow in started.flows()["flows"]}
        return [found[connection.port] for connection in (ignored, spliced, intercepted)]

    before = look()
    time.sleep(1.1)
    for connection in (ignored, spliced, intercepted):
        connection.get()
    time.sleep(0.1)  # for what was sent to be acknowledged
    after = look()
    for flow in after:
        assert flow["src_ip"] == (DEVICE6 if ":" in origins[0] else DEVICE4) and flow["proto"] == "TCP"
        assert flow["device"]["mac"] == mac_of_device(lab) and flow["in_iface"] == "lan0"
        assert 1 <= flow["age"] < 20 * PATIENCE and flow["policy_rev"] == 1
    rule, place = rule_of(started, PATTERNS[origins is ORIGIN6])
    by_name = rule_of(started, r"^spliced\.test:443$")
    keys = ("dest_ip", "action", "state", "reason", "rule", "rule_place", "sni")
    assert [[flow.get(key) for key in keys] for flow in after] == [
        [origins[1], "bypass", "established", "rule", rule, place, None],
        [origins[0], "passthrough", "splice", "rule", *by_name, "spliced.test"],
        [origins[0], "intercept", "relay", "default", None, None, "origin.test"]]
    for old, new in zip(before, after):
        assert new["flow_id"] == old["flow_id"]
        for key in ("bytes_toserver", "bytes_toclient", "pkts_toserver", "pkts_toclient"):
            assert new[key] > old[key] > 0, key
        assert new["bytes_toclient"] - old["bytes_toclient"] < 2000
    text = started.ctl("flows").stdout
    assert re.search(r"^TCP .*:%d +\S+:443 +intercept +relay " % intercepted.port, text, re.M)
    assert re.search(r"^TCP .*:%d +\S+:443 +bypass +established .* %s$" %
                     (ignored.port, re.escape(rule)), text, re.M)
    ignored.close()
    wait_for(lambda: ignored.port not in [flow["src_port"] for flow in started.flows()["flows"]], "its end")
    (record,) = wait_ended(started, ignored.port)
    assert record["flow_id"] == after[0]["flow_id"]


def test_what_was_not_decided_yet_is_listed_too(lab, engine):
    started = engine()
    with lab.device.connect(ORIGIN4[0]) as silent:
        port = silent.getsockname()[1]
        silent.send(b"\x16\x03\x01\x01\x00")
        (flow,) = wait_for(lambda: [flow for flow in started.flows()["flows"] if flow["src_port"] == port],
                           "the connection")
        assert flow["state"] == "hello" and "action" not in flow


def test_a_list_is_as_long_as_was_asked_for(lab, engine, talk):
    started = engine(BY_NAME)
    old = [talk(IGNORED[0]) for _ in range(4)] + [talk(ORIGIN4[0]) for _ in range(4)]
    time.sleep(0.1)
    youngest = talk(ORIGIN4[0])
    everything = started.flows()
    assert everything["total"] == len(everything["flows"]) >= len(old) + 1
    assert everything["flows"][0]["src_port"] == youngest.port
    some = started.flows("-n", "3")
    assert some["total"] == everything["total"] and len(some["flows"]) == 3
    assert some["flows"][0]["src_port"] == youngest.port
    assert "and %d more" % (some["total"] - 3) in started.ctl("flows", "-n", "3").stdout
    assert started.ctl("flows", "-n", "0", check=False).returncode == 2


def test_other_questions_are_answered_meanwhile(lab, engine):
    """One socket, many questions: each is answered under its number, those of others do not wait."""
    started = engine(CONFIG)
    with socket.socket(socket.AF_UNIX) as first, socket.socket(socket.AF_UNIX) as second:
        for end in (first, second):
            end.settimeout(10 * PATIENCE)
            end.connect(str(started.directory / "run/control.sock"))
        first.sendall(b"".join(b'{"id":%d,"cmd":"%s"}\n' % (i, cmd) for i, cmd in
                               enumerate([b"flows", b"status", b"cut", b"flows", b"nonsense"])))
        second.sendall(b'{"id":7,"cmd":"status"}\n')
        with first.makefile() as lines, second.makefile() as others:
            next(lines), next(others)
            answers = [json.loads(next(lines)) for _ in range(5)]
            assert json.loads(next(others))["id"] == 7
    assert [answer["id"] for answer in answers] == [0, 1, 2, 3, 4]
    assert [answer["ok"] for answer in answers] == [True, True, True, True, False]
    assert answers[0]["data"]["flows"] == answers[3]["data"]["flows"] == []
    assert answers[2]["data"] == {"intercepted": 0, "passed": 0, "ignored": 0}


# ---- cutting ----

@pytest.mark.parametrize("origins", [ORIGIN4, ORIGIN6], ids=["ipv4", "ipv6"])
def test_a_cut_ends_what_is_decided_otherwise_and_nothing_else(lab, engine, talk, origins):
    def ignoring(*places):
        return {"ignore": {"pattern": ["^%s$" % re.escape(place) for place in places],
                           "match": "address sni"}, "events": {"ignored": "yes"}}

    started = engine(ignoring(origins[1] + ":443", origins[3] + ":443", "spliced.test:443", "stays.test:443"))
    ends = [talk(origins[1]), talk(origins[0], "spliced.test"), talk(origins[2])]
    stays = [talk(origins[3]), talk(origins[0], "stays.test"), talk(origins[0])]
    assert started.cut() == {"intercepted": 0, "passed": 0, "ignored": 0}
    started.reload(ignoring(origins[3] + ":443", "stays.test:443", origins[2] + ":443"))
    for connection in ends + stays:
        connection.get()  # a reload alone cuts none
    assert started.cut() == {"intercepted": 1, "passed": 1, "ignored": 1}
    assert [connection.lives() for connection in ends] == [False, False, False]
    assert [connection.lives() for connection in stays] == [True, True, True]
    assert started.cut() == {"intercepted": 0, "passed": 0, "ignored": 0}
    listed = {flow["src_port"] for flow in started.flows()["flows"]}
    assert {connection.port for connection in stays} == listed

    assert "O = interceptd," in lab.issuer(origins[1])
    assert "interceptd lab" in lab.issuer(origins[2])
    # An origin that has nothing to say learns of it when it has; older kernels wait for that, too.
    os.kill(int((lab.origin_directory / "nginx.pid").read_text()), signal.SIGHUP)
    for record in wait_ended(started, *[connection.port for connection in ends]):
        assert record["intercept"]["ending"] == "cut" and record["flow"]["reason"] == "forced"
    actions = [flow_records(started, connection.port)[0]["intercept"]["action"] for connection in ends]
    assert actions == ["bypass", "passthrough", "intercept"]
    assert "cut: 0 intercepted, 0 passed on, 0 in the kernel" in started.ctl("cut").stdout


def test_a_thousand_are_cut_while_others_come_and_go(lab, engine):
    """By two who ask for it at once: each connection is ended once, and none is missed."""
    network = {"network": {"workers": 1}}
    started = engine(network)
    crowd, stays = peers.Crowd(lab, ORIGIN4[0], 1000), peers.Crowd(lab, ORIGIN4[2], 20)
    stop, cuts, answers = threading.Event(), [], []

    def load():
        while not stop.is_set():
            result = lab.curl("https://origin.test/hello", "-k", origin=ORIGIN4[2], check=False)
            answers.append(result.returncode)

    started.reload({**network, "ignore": {"pattern": r"^203\.0\.113\.1:443$"}})
    loads = [threading.Thread(target=load) for _ in range(3)]
    askers = [threading.Thread(target=lambda: cuts.append(started.cut()["intercepted"])) for _ in range(2)]
    try:
        for thread in loads + askers:
            thread.start()
        for thread in askers:
            thread.join()
    finally:
        stop.set()
        for thread in loads:
            thread.join()
    assert sum(cuts) == crowd.established == 1000
    assert stays.answers() == 20 and set(answers) == {0}
    wait_for(lambda: started.flows()["total"] == 20, "the others to be gone")
    crowd.close()
    stays.close()


class Download:
    """A gigabyte of zeros on its way to the device."""

    def __init__(self, talk, origin):
        self.received, self.ended = 0, False
        self.secure = talk(origin).secure
        self.secure.sendall(b"GET /endless HTTP/1.0\r\n\r\n")
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        with contextlib.suppress(OSError):
            while part := self.secure.recv(65536):
                self.received += len(part)
                time.sleep(0.001)
        self.ended = True


def established(host, address):
    """Connections to this address that the host has open."""
    return len(host.run("ss", "-Htn", "state", "established", "src", bracketed(address)).stdout.splitlines())


@FAMILIES
def test_a_long_download_dies_within_seconds(lab, engine, talk, origin):
    """Both ends learn of it: the device while it reads, the origin while it writes."""
    with open(lab.origin_directory / "www/endless", "wb") as file:
        file.truncate(1 << 30)
    other = ORIGIN6[2] if ":" in origin else ORIGIN4[2]
    stays = "^%s:443$" % re.escape(other)
    started = engine({"ignore": {"pattern": PATTERNS + [stays]}})
    dying, living = Download(talk, origin), Download(talk, other)
    wait_for(lambda: min(dying.received, living.received) > 1 << 20, "the downloads")
    started.reload({"ignore": {"pattern": stays}})
    assert started.cut()["ignored"] == 1
    wait_for(lambda: dying.ended, "the device to learn", 5)
    wait_for(lambda: established(lab.origin, origin) == 0, "the origin to learn", 5)
    before = living.received
    wait_for(lambda: living.received > before + (1 << 20), "the other one to go on")


@pytest.mark.parametrize("speaker", ["device", "origin"])
@FAMILIES
def test_a_connection_that_was_silent_is_cut_when_somebody_speaks(lab, engine, origin, speaker):
    """The kernel does not forget that it was cut, though nothing was sent since."""
    network = {"port": 7443}
    started = engine({"network": network, "ignore": {"pattern": ":7443$"}})
    with lab.origin.listen(origin, 7443) as listener, lab.device.connect(origin, 7443) as device:
        end, _ = listener.accept()
        with end:
            end.settimeout(10 * PATIENCE)
            end.sendall(b"first")
            assert device.recv(100) == b"first"
            started.reload({"network": network})
            assert started.cut()["ignored"] == 1
            time.sleep(1.5)
            (device if speaker == "device" else end).sendall(b"second")
            assert select.select([device], [], [], 10 * PATIENCE)[0]
            with pytest.raises(ConnectionResetError):
                while device.recv(100) == b"second":
                    pass
            with pytest.raises(ConnectionResetError):  # and what is sent to it now is answered
                for _ in range(50):
                    end.sendall(b"third")
                    time.sleep(0.1)
                assert False, "the origin does not learn"


@FAMILIES
def test_the_same_port_is_free_for_the_next_connection(lab, engine, talk, origin):
    started = engine(CONFIG)
    first = talk(origin, "origin.test", 41234)
    assert peers.issuer_of(first.secure) == "interceptd lab"
    started.reload({"events": {"ignored": "yes"}})
    assert started.cut()["ignored"] == 1
    assert not first.lives()
    first.close()
    second = talk(origin, "origin.test", 41234)
    assert peers.issuer_of(second.secure) == "interceptd"
    for _ in range(3):
        second.get()


@FAMILIES
def test_datagrams_are_cut_both_ways(lab, engine, origin):
    for name in ("udp_timeout", "udp_timeout_stream"):
        sysctl(lab, name, 60)
    try:
        started = engine(CONFIG)
        with Udp(lab, origin) as cut:
            assert cut.echo() == b"ping"
            started.reload({})
            assert started.cut() == {"intercepted": 0, "passed": 0, "ignored": 1}
            cut.client.settimeout(1)
            cut.server.sendto(b"from the origin", cut.peer)
            with pytest.raises((socket.timeout, ConnectionRefusedError)):
                cut.client.recv(100)
            with pytest.raises(ConnectionRefusedError):
                cut.client.send(b"anybody there?")
                cut.client.recv(100)
    finally:
        for name in ("udp_timeout", "udp_timeout_stream"):
            sysctl(lab, name, 1)


def test_what_would_not_be_taken_anyway_is_not_cut(lab, engine):
    """It bears our mark, as an excluded device's does; but it is on a port that is not ours."""
    started = engine({"network": {"port": "443"}})
    lab.router.run("nft", "-f", "-", input="""
        table inet others {
            chain before {
                type filter hook prerouting priority -170
                tcp dport 80 ct mark set 0x100
            }
        }
        """)
    try:
        with lab.device.connect(ORIGIN4[0], 80) as connection:
            port = connection.getsockname()[1]
            assert port in [flow["src_port"] for flow in started.flows()["flows"]]
            assert started.cut() == {"intercepted": 0, "passed": 0, "ignored": 0}
            connection.sendall(b"GET /hello HTTP/1.0\r\n\r\n")
            assert b"hello from the origin" in peers.read_all(connection)
    finally:
        lab.router.run("nft", "delete", "table", "inet", "others")


@FAMILIES
def test_without_a_queue_cutting_is_the_same(lab, engine, talk, origin):
    config = {**CONFIG, "network": {"queue": "none"}}
    started = engine(config)
    first = talk(origin)
    wait_for(lambda: len(started.ignored()) == 2, "the kernel to know")
    second = talk(origin)
    started.reload({"network": {"queue": "none"}, "events": {"ignored": "yes"}})
    assert started.cut() == {"intercepted": 0, "passed": 1, "ignored": 1}
    assert not first.lives() and not second.lives()
    assert "O = interceptd," in lab.issuer(origin)
