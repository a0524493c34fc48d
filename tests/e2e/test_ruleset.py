# SPDX-License-Identifier: GPL-3.0-or-later
"""The ruleset in the kernel is the one in nft/interceptd.nft, and the ways to have it."""

import re
import signal
import subprocess
import threading
import time

import pytest

import peers
from control import Control
from lab import ORIGIN4, ORIGIN6, PATIENCE, ROOT, wait_for

TEXT = ROOT / "nft/interceptd.nft"


def listing(lab):
    """What the kernel has, without what differs from run to run."""
    text = lab.router.run("nft", "list", "table", "inet", "interceptd").stdout
    text = re.sub(r" # progname.*", "", text)
    return [line.strip() for line in text.splitlines()
            if line.strip() and not line.startswith("#") and "flags owner" not in line]


def kernel_has_queue(lab):
    lab.router.run("nft", "add", "table", "inet", "probe")
    lab.router.run("nft", "add", "chain", "inet", "probe", "c")
    has = lab.router.run("nft", "add", "rule", "inet", "probe", "c", "queue", check=False)
    lab.router.run("nft", "delete", "table", "inet", "probe")
    return has.returncode == 0


def text_for(network):
    """The file as its comments say it is for these settings."""
    text = TEXT.read_text()
    changes = []
    if network.get("on-failure") == "closed":
        changes = [("queue flags bypass to 77", "queue to 77"),
                   ("meta mark & 0xf00 == 0xc00 meta mark set meta mark & 0xfffff0ff\n",
                    "meta mark & 0xf00 == 0xc00 drop\n")]
    if network.get("source-address") == "device":
        last = "ct mark & 0xf00 == 0xc00 meta mark set meta mark & 0xfffff0ff | 0xc00 accept\n"
        rule = re.search(r"#     (meta l4proto tcp socket .*)", text).group(1)
        changes = [(last, last + rule + "\n")]
    if network.get("watch-dns") == "yes":
        lines = [line.strip()[1:].strip() for line in re.search(
            r"(?s)there are three chains more.*?\n(.*?)\n\n", text).group(1).splitlines()]
        chains = lines[lines.index("chain dns {"):]
        text = text.rstrip()[:-1] + "\n".join(chains) + "\n}\n"
    for old, new in changes:
        assert text.count(old) == 1
        text = text.replace(old, new)
    return text


@pytest.mark.parametrize("network", [{}, {"on-failure": "closed"}, {"source-address": "device"},
                                     {"watch-dns": "yes"}],
                         ids=["default", "closed", "device", "dns"])
def test_the_text_is_what_the_engine_loads(lab, engine, network):
    text = text_for(network)
    interfaces = re.search(r"elements = \{ (.*) \}.*# the devices' interfaces", text)
    names = interfaces.group(1).replace('"', "").split(", ")
    started = engine({"network": {"lan": names, **network}})
    built = listing(lab)
    started.reload()
    assert listing(lab) == built  # where to forget, it was put together anew
    with Control(started.directory / "run/control.sock") as control:
        control.do("ignored.flush")
        assert listing(lab) == built
        control.do("learned.forget", all=True)  # that is about single devices
        assert listing(lab) == built
    if not kernel_has_queue(lab):
        # The xtables target, as nft translates it (with the help of the iptables package). It cannot be
        # loaded as text: something else stands there.
        queue = "queue num 77" if network.get("on-failure") == "closed" else "queue num 77 bypass"
        assert queue in built
        built = ["continue" if line in (queue, "queue num 78 bypass") else line for line in built]
        text = re.sub("queue .*to 7[78]", "continue", text)
    # The engine's table bears the name; the text is loaded in a host of its own.
    lab.origin.run("nft", "-f", "-", input=text)
    try:
        loaded = lab.origin.run("nft", "list", "table", "inet", "interceptd").stdout
    finally:
        lab.origin.run("nft", "delete", "table", "inet", "interceptd")
    assert built == [line.strip() for line in loaded.splitlines() if line.strip()]


def test_ports_and_interfaces_are_in_the_ruleset(lab, engine):
    engine({"network": {"lan": "eth7, wlan0", "port": ["443", "8000-8100 8050-8200"]}})
    text = " ".join(listing(lab))
    assert 'elements = { "wlan0", "eth7" }' in text or 'elements = { "eth7", "wlan0" }' in text
    assert "elements = { 443, 8000-8200 }" in text


def test_policy_routes_come_and_go(lab, engine):
    started = engine({"network": {"mark": "0x30000/0xf0000", "route-table": "1234"}})
    for family in ("-4", "-6"):
        assert "1234:\tfrom all fwmark 0x30000/0xf0000 lookup 1234" in \
            lab.router.run("ip", family, "rule").stdout
        assert "local default dev lo" in \
            lab.router.run("ip", family, "route", "show", "table", "1234").stdout
    assert "O = interceptd," in lab.issuer(ORIGIN4[0])
    started.stop()
    for family in ("-4", "-6"):
        assert "1234" not in lab.router.run("ip", family, "rule").stdout
        assert lab.router.run("ip", family, "route", "show", "table", "1234",
                              check=False).stdout == ""
    assert "inet interceptd" not in lab.router.run("nft", "list", "tables").stdout


def test_others_bits_of_the_mark_are_left_alone(lab, engine):
    engine({"ignore": {"pattern": r"^203\.0\.113\.2:"}})
    lab.router.run("nft", "-f", "-", input="""
        table inet others {
            counter kept { packets 0 bytes 0; }
            chain before {
                type filter hook prerouting priority -200
                tcp dport 443 meta mark set 0x5000
            }
            chain after {
                type filter hook prerouting priority -100
                tcp dport 443 tcp flags == syn meta mark & 0xf000 == 0x5000 counter name kept
            }
        }
        """)
    try:
        assert "O = interceptd," in lab.issuer(ORIGIN4[0])
        assert "interceptd lab" in lab.issuer(ORIGIN4[1])
        counter = lab.router.run("nft", "list", "counter", "inet", "others", "kept").stdout
        assert "packets 2 " in counter
    finally:
        lab.router.run("nft", "delete", "table", "inet", "others")


def test_lan_auto_follows_the_default_route(lab, engine):
    started = engine()
    assert started.status()["gate"]["lan"] == "lan0"
    lab.router.run("ip", "link", "add", "lan9", "type", "veth", "peer", "name", "lan9p")
    try:
        wait_for(lambda: set(started.status()["gate"]["lan"].split()) == {"lan0", "lan9", "lan9p"},
                 "a new interface to be noticed")
        assert '"lan9"' in " ".join(listing(lab))
        lab.router.run("ip", "link", "set", "lan9", "up")
        lab.router.run("ip", "link", "set", "lan9p", "up")
        lab.router.run("ip", "route", "add", "default", "dev", "lan9", "metric", "999")
        wait_for(lambda: set(started.status()["gate"]["lan"].split()) == {"lan0", "lan9p"},
                 "a new default route to be noticed")
    finally:
        lab.router.run("ip", "link", "del", "lan9")
    wait_for(lambda: started.status()["gate"]["lan"] == "lan0", "it to be gone again")
    assert "O = interceptd," in lab.issuer(ORIGIN4[0])


@pytest.mark.parametrize("command", [["rule", "del", "pref", "77"], ["route", "flush", "table", "77"]],
                         ids=["rule", "route"])
@pytest.mark.parametrize("family,origin", [("-4", ORIGIN4[0]), ("-6", ORIGIN6[0])], ids=["ipv4", "ipv6"])
def test_policy_routes_that_somebody_removes_are_restored(lab, engine, family, origin, command):
    started = engine()
    lab.router.run("ip", family, *command)
    started.wait_log("warning: somebody has removed the policy routes: they are restored")
    assert "O = interceptd," in lab.issuer(origin)


@pytest.mark.parametrize("origin", [ORIGIN4[1], ORIGIN6[1]], ids=["ipv4", "ipv6"])
def test_a_taken_connection_stays_taken(lab, engine, origin):
    """Its destination is ignored, and the kernel knows, while it is open."""
    started = engine()
    lab.router.run("sysctl", "-qw", "net.ipv4.tcp_early_demux=0")
    try:
        with lab.device.connect(origin) as connection:
            with peers.client_context().wrap_socket(connection) as secure:
                started.reload({"ignore": {"pattern": ["^" + re.escape(origin), r"^203\.0\.113\.2:"]}})
                assert "interceptd lab" in lab.issuer(origin)
                assert started.ignored() != []
                secure.sendall(b"GET /hello HTTP/1.0\r\n\r\n")
                assert b"hello from the origin" in peers.read_all(secure)
                assert peers.issuer_of(secure) == "interceptd"
    finally:
        lab.router.run("sysctl", "-qw", "net.ipv4.tcp_early_demux=1")


# ---- without a queue ----

@pytest.mark.parametrize("origin", [ORIGIN4[1], ORIGIN6[1]], ids=["ipv4", "ipv6"])
def test_without_a_queue_the_kernel_learns_from_the_workers(lab, engine, origin):
    started = engine({"network": {"queue": "none"},
                      "ignore": {"pattern": [r"^203\.0\.113\.2:443$", r"^2001:db8:113::2:443$"]}})
    assert "O = interceptd," in lab.issuer(ORIGIN4[0])
    before = started.counters()["accepted"]
    assert "interceptd lab" in lab.issuer(origin)  # relayed, byte for byte
    assert started.counters()["accepted"] == before + 1
    wait_for(lambda: {entry["protocol"] for entry in started.ignored()} == {"tcp", "udp"},
             "the kernel to know")
    assert "interceptd lab" in lab.issuer(origin)
    assert started.counters()["accepted"] == before + 1


def test_without_a_queue_a_drain_takes_nothing_new(lab, engine):
    started = engine({"network": {"queue": "none"}})
    with lab.device.connect(ORIGIN4[0]) as connection:
        with peers.client_context().wrap_socket(connection) as secure:
            started.signal(signal.SIGTERM)
            started.wait_log("stopping: new connections pass, 1 open ones")
            wait_for(lambda: "interceptd lab" in lab.issuer(ORIGIN6[0]), "new connections to pass")
            accepted = started.counters()["accepted"]
            assert "interceptd lab" in lab.issuer(ORIGIN4[1])
            assert started.counters()["accepted"] == accepted
            secure.sendall(b"GET /hello HTTP/1.0\r\n\r\n")
            assert b"hello from the origin" in peers.read_all(secure)
    assert started.process.wait(timeout=20 * PATIENCE) == 0


def test_without_a_queue_it_ends_well_in_mid_traffic(lab, engine):
    """Workers go on talking to the gate until they end."""
    for _ in range(4):
        started = engine({"network": {"queue": "none"}, "ignore": {"pattern": r"^203\.0\.113\.2:"}})
        stop = threading.Event()

        def load():
            while not stop.is_set():
                lab.curl("https://origin.test/hello", "-k", origin=ORIGIN4[1], check=False)

        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            started.wait_log("ignored 203")
            started.signal(signal.SIGTERM)
            time.sleep(0.2)
            started.signal(signal.SIGTERM)
            started.process.wait(timeout=20 * PATIENCE)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        started.stop()


# ---- somebody else's ruleset ----

def load_external(lab, **changes):
    """nft/interceptd.nft as a user would load it. Without nft_queue, its rule is the xtables target:
    that takes another tool, so there the engine is told to do without a queue."""
    text = TEXT.read_text().replace('"br-lan"', '"lan0"')
    for old, new in changes.items():
        text = text.replace(old.replace("_", " "), new)
    queue = kernel_has_queue(lab)
    if not queue:
        text = text.replace("queue flags bypass to 77",
                            "meta l4proto tcp meta mark set meta mark & 0xfffff0ff | 0xc00 accept")
    lab.router.run("nft", "-f", "-", input=text)
    return {"ruleset": "external", **({} if queue else {"queue": "none"})}


@pytest.fixture
def external(lab):
    yield load_external(lab)
    lab.router.run("nft", "delete", "table", "inet", "interceptd")


def test_a_full_set_costs_nothing_but_speed(lab, engine):
    """The kernel takes no more rules: what is ignored passes all the same."""
    network = load_external(lab, size_131072="size 2")
    try:
        started = engine({"network": network, "ignore": {"pattern": [
            r"^203\.0\.113\.[2-4]:443$", r"^\[2001:db8:113::2\]:443$"]}})
        for origin in ORIGIN4[1:4] * 2:
            assert "interceptd lab" in lab.issuer(origin)
        wait_for(lambda: started.status()["gate"]["kernel_rules_refused"] > 0, "a refusal")
        assert len(started.ignored()) <= 2
        assert "O = interceptd," in lab.issuer(ORIGIN4[0])
        # The other sets have room, and after a flush this one has, too.
        assert "interceptd lab" in lab.issuer(ORIGIN6[1])
        wait_for(lambda: ORIGIN6[1] in str(started.ignored()), "the IPv6 destination")
        assert started.log().count("passed4 is full") == 1
        with Control(started.directory / "run/control.sock") as control:
            control.do("ignored.flush")
        assert "interceptd lab" in lab.issuer(ORIGIN4[3])
        wait_for(lambda: ORIGIN4[3] in str(started.ignored()), "what had no room before")
        started.stop()
    finally:
        lab.router.run("nft", "delete", "table", "inet", "interceptd")


def test_an_external_ruleset_is_used_and_left(lab, engine, external):
    before = listing(lab)
    started = engine({"network": external, "ignore": {"pattern": r"^203\.0\.113\.2:443$"}})
    assert "O = interceptd," in lab.issuer(ORIGIN4[0])
    assert "interceptd lab" in lab.issuer(ORIGIN4[1])
    wait_for(lambda: len(started.ignored()) > 0, "the kernel to know")
    started.stop()
    assert listing(lab) == before  # and the decisions are gone
    assert "interceptd lab" in lab.issuer(ORIGIN4[0])


def test_interfaces_of_an_external_ruleset_are_its_owners(lab, engine, external):
    before = listing(lab)
    started = engine({"network": external})
    assert started.status()["gate"]["lan"] == "as in the external ruleset"
    lab.router.run("ip", "link", "add", "lan9", "type", "veth", "peer", "name", "lan9p")
    try:
        time.sleep(0.3)
        assert listing(lab) == before
    finally:
        lab.router.run("ip", "link", "del", "lan9")


def test_an_external_ruleset_survives_kill_9_harmlessly(lab, engine, external):
    started = engine({"network": external})
    assert "O = interceptd," in lab.issuer(ORIGIN4[0])
    started.kill()
    assert "interceptd lab" in lab.issuer(ORIGIN4[0])


def test_an_external_ruleset_that_is_missing_is_told(lab, engine):
    started = engine({"network": {"ruleset": "external"}}, wait=False)
    assert "table inet interceptd is not there" in started.wait_refused()
