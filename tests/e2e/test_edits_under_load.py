# SPDX-License-Identifier: GPL-3.0-or-later
"""A thousand edits of ten thousand patterns, while devices go on connecting: not one decision is wrong."""

import collections
import datetime
import random
import socket
import ssl
import statistics
import threading
import time

import pytest

import peers
from control import Control, Oracle
from lab import ORIGIN4, ORIGIN6, PATIENCE, family_of, wait_for

PATTERNS, EDITS = 10000, 1000
DESTINATIONS = ORIGIN4 + ORIGIN6


def configured_patterns():
    """As long lists have them: addresses for the most part, networks, names; and some for each way of
    matching that name the lab's own destinations."""
    ours = [r"^203\.0\.113\.1:443$", r"^(?=203)203\.0\.113\.2:443$", r"^(2)03\.0\.113\.(?!\1)3:443$",
            r"^203\.0\.113\.[45]:", r"^2001:db8:113::1:443$", r"^\[2001:db8:113::2\]:443$",
            r"^(?!198)203\.0\.113\.4:443$", r"113::[34]:4(4)3$"]
    numbers = random.Random(7)
    patterns = []
    for i in range(PATTERNS - len(ours)):
        if i % 20 == 0:
            patterns.append(r"^(.+\.)?host%d\.example%d\.com:443$" % (i, i % 97))
        elif i % 50 == 1:
            patterns.append(r"^(?=10)10\.%d\.\d+\.%d:443$" % (i % 250, i // 250))
        else:
            patterns.append(r"^10\.%d\.%d\.%d:443$" % (i % 250, i // 250, numbers.randint(0, 255)))
    for index, pattern in enumerate(ours):
        patterns.insert(1000 + index * 1100, pattern)
    return patterns


@pytest.fixture(scope="module")
def long_list(tmp_path_factory):
    path = tmp_path_factory.mktemp("long") / "ignore.list"
    patterns = configured_patterns()
    path.write_text("\n".join(patterns) + "\n")
    return path, patterns


def random_pattern(numbers):
    """About one or some of the lab's destinations, in many forms."""
    last = numbers.randint(1, 9)
    return numbers.choice([
        r"^203\.0\.113\.%d:443$" % last, r"^(?=2)203\.0\.113\.%d:" % last,
        r"^203\.0\.113\.[%d-9]:443$" % last,
        r"^(2)0(?!\1)3\.0\.113\.%d:443$" % last, r"^2001:DB8:113::%d:443$" % last,
        r"^\[2001:db8:113::%d\]:443$" % last, r"113::[%d%d]:443$" % (last, numbers.randint(1, 9)),
        r"^203\.0\.113\.%d:44(?:3|%d)$" % (last, numbers.randint(0, 9)), r"\.%d:443$|::%d:443" % (last, last),
    ])


class Devices:
    """Connections all the time, from several threads: whose certificate each was shown."""

    def __init__(self, lab, threads):
        self.lab, self.stop = lab, threading.Event()
        self.seen, self.failures, self.slowest_syn = [], [], 0.0
        self.context = peers.client_context()
        self.threads = [threading.Thread(target=self.connect_on, args=(i,)) for i in range(threads)]

    def connect(self, address):
        """(source port, intercepted, begun, ended)."""
        begun = time.time()
        with self.lab.device.inside():
            plain = socket.socket(family_of(address), socket.SOCK_STREAM)
        plain.settimeout(20 * PATIENCE)
        at = time.monotonic()
        plain.connect((address, 443))
        self.slowest_syn = max(self.slowest_syn, time.monotonic() - at)
        port = plain.getsockname()[1]
        with self.context.wrap_socket(plain, server_hostname="origin.test") as secure:
            issuer = peers.issuer_of(secure)
        return port, issuer == "interceptd", begun, time.time()

    def connect_on(self, seed):
        numbers = random.Random(seed)
        while not self.stop.is_set():
            address = numbers.choice(DESTINATIONS)
            try:
                self.seen.append((address, *self.connect(address)))
            except (OSError, ssl.SSLError) as failure:
                self.failures.append((address, repr(failure)))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()


class Editor:
    """Makes random edits, and knows what is in the list by now."""

    def __init__(self, control, base):
        self.control, self.numbers = control, random.Random(11)
        self.base = [pattern for pattern in base if "113" in pattern]
        self.out, self.added = set(), []
        self.times = []

    def edit(self):
        begun = time.monotonic()
        answer = self.choose()
        self.times.append(time.monotonic() - begun)
        assert answer["ok"], answer
        return answer

    def choose(self):
        numbers = self.numbers
        kind = numbers.random()
        if kind < 0.25:
            which = numbers.choice(self.base)
            come = which in self.out
            (self.out.discard if come else self.out.add)(which)
            return self.control.ask("ignore.add" if come else "ignore.del", pattern=which)
        if kind < 0.55 and len(self.added) > 6:
            gone = self.added.pop(numbers.randrange(len(self.added)))
            return self.control.ask("ignore.del", pattern=gone)
        new = random_pattern(numbers)
        if new in self.added or new in self.base:
            new = new + "|never%d" % len(self.times)
        if kind < 0.7 and self.added:
            gone = self.added.pop(numbers.randrange(len(self.added)))
            self.added.append(new)
            return self.control.ask("ignore.change", **{"add": [new], "del": [gone]})
        self.added.append(new)
        return self.control.ask("ignore.add", pattern=new)


def check_records(started, oracle):
    """Each decision that was written down is the one that its revision's list gives."""
    events = started.records()
    oracle.read(events)
    checked = {"bypass": 0, "passthrough": 0, "intercept": 0}
    for event in events:
        decision = event["intercept"]
        if event["event_type"] not in ("intercept", "flow") or decision["action"] not in checked:
            continue
        expected = oracle.rule(event["dest_ip"], event["dest_port"], decision["policy_rev"])
        assert decision.get("rule") == expected, (event, expected)
        assert (decision["action"] == "intercept") == (expected is None), event
        checked[decision["action"]] += 1
    return checked


def seconds(text):
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z").timestamp()


def check_devices(started, oracle, devices):
    """What was intercepted was written down; what was not has passed in the kernel, by a pattern that was
    there at the time."""
    taken = collections.defaultdict(list)  # ports are used again
    for event in started.records("flow"):
        if event["intercept"]["action"] == "intercept":
            taken[event["src_port"], event["dest_ip"]].append(seconds(event["flow"]["start"]))
    changes = [(seconds(event["timestamp"]), event["intercept"]["policy_rev"])
               for event in started.records("intercept") if event["intercept"]["action"] == "change"]
    in_kernel = 0
    for address, port, intercepted, begun, ended in devices.seen:
        written = any(begun - 0.01 <= start <= ended + 0.01 for start in taken[port, address])
        assert written == intercepted, (address, port)
        if intercepted:
            continue
        # A change is written down when all threads have it.
        during = [revision for at, revision in changes if begun - 0.5 <= at <= ended + 0.5]
        before = [revision for at, revision in changes if at < begun - 0.5]
        revisions = during + (before[-1:] or [1])
        assert any(oracle.rule(address, 443, revision) for revision in revisions), (address, port, revisions)
        in_kernel += 1
    return in_kernel


def test_a_thousand_edits_of_ten_thousand_patterns_under_load(lab, engine, long_list):
    path, patterns = long_list
    begun = time.monotonic()
    started = engine({"ignore": {"file": path}}, "--ignore", "^never$", wait=False)
    started.wait_ready(seconds=120)  # for the patterns to be compiled
    starting = time.monotonic() - begun
    current = Oracle(patterns + ["^never$"])
    with Control(started.directory / "run/control.sock") as control, Devices(lab, 3) as devices:
        editor = Editor(control, patterns)
        probes = 0
        for number in range(EDITS):
            answer = editor.edit()
            current.apply(answer["rev"], answer["data"]["changes"])
            if number % 10 == 0:  # what is in force is in force for the very next connection
                address = editor.numbers.choice(DESTINATIONS)
                assert devices.connect(address)[1] == (current.rule(address, 443) is None), (address, answer)
                probes += 1
        assert started.status()["policy"]["revision"] == EDITS + 1
    assert devices.failures == []
    wait_for(lambda: started.status()["connections"]["active"] == 0, "the last connections to end")
    oracle = Oracle(patterns + ["^never$"])
    checked = check_records(started, oracle)
    in_kernel = check_devices(started, oracle, devices)
    assert oracle.revisions == current.revisions
    assert started.status()["records"]["lost"] == 0
    print("start %.1f s; %d edits: median %.1f ms, slowest %.1f ms; %d connections, slowest connect %.1f ms; "
          "%s decisions checked, %d connections passed in the kernel, %d probes" % (
              starting, EDITS, statistics.median(editor.times) * 1000, max(editor.times) * 1000,
              len(devices.seen), devices.slowest_syn * 1000, checked, in_kernel, probes))
    assert checked["bypass"] > 100 and checked["intercept"] > 100 and in_kernel > 20
    assert statistics.median(editor.times) < 0.1 * PATIENCE
