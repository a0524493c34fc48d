# SPDX-License-Identifier: GPL-3.0-or-later
"""Many patterns: how long until a start is ready, and what SYNs wait for while a reload or an edit goes
on."""

import contextlib
import re
import signal
import subprocess
import threading
import time

from alone import Probes, beside, merged, patterns, tell
from control import Control
from lab import wait_for
from systems import FULL

AT_A_TIME = 16
EDITS_RATE = 10  # a second


def seconds_to_start(alone, ignored):
    begun = time.monotonic()
    with alone.running(ignored):
        return time.monotonic() - begun


def restart(alone, size):
    ignored = patterns(size["patterns"])
    seconds_to_start(alone, patterns(1))  # keys are made
    rows = [("with nothing on disk", {"seconds": seconds_to_start(alone, ignored)})]
    rows += [("with the compiled patterns on disk", {"seconds": seconds_to_start(alone, ignored)})
             for _ in range(size["rounds"])]
    tell("A restart with %d patterns until it is ready (target: 0.3 s with them on disk)" % len(ignored),
         rows, (("seconds", "s", 3),))
    return rows


@contextlib.contextmanager
def over_and_over(act):
    """In a thread of its own; the list has the seconds that each took."""
    stop, times, failures = threading.Event(), [], []

    def loop():
        try:
            while not stop.is_set():
                begun = time.monotonic()
                act(len(times))
                times.append(time.monotonic() - begun)
        except (AssertionError, OSError) as failure:
            failures.append(failure)

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield times
    finally:
        stop.set()
        thread.join()
    assert not failures, failures


class Reloads:
    """What goes on meanwhile."""

    def __init__(self, alone, ignored):
        self.alone, self.ignored = alone, ignored
        self.seen = 0

    def nothing(self, _):
        time.sleep(0.1)

    def other(self, _):
        """A processor is busy as with a reload, but with a program that has nothing to do with us."""
        with subprocess.Popen(["sh", "-c", "while :; do :; done"]) as program:
            time.sleep(1)
            program.kill()

    def same(self, _):
        """A reload of what has not changed."""
        self.alone.engine.signal(signal.SIGHUP)
        self.wait_reloaded()
        time.sleep(0.2)

    def changed(self, number):
        """A reload with one pattern more: all of them are compiled."""
        more = r"^192\.0\.2\.%d:%d$" % (number % 250, time.monotonic_ns() % 60000)
        self.alone.engine.write_config({"ignore": {"pattern": [*self.ignored, more]}})
        self.same(number)

    def wait_reloaded(self):
        seen = self.seen

        def reloaded():
            self.seen = len(re.findall("reloaded", self.alone.engine.log()))
            return self.seen > seen
        wait_for(reloaded, "the reload", 300)

    @contextlib.contextmanager
    def edits(self):
        with Control(self.alone.directory / "patterns/run/control.sock") as control:
            def edits(_):
                for command in "ignore.add", "ignore.del":
                    begun = time.monotonic()
                    control.do(command, pattern=r"^203\.0\.113\.250:1$")
                    time.sleep(max(1 / EDITS_RATE - (time.monotonic() - begun), 0))
            yield edits


def measure(probes, seconds, act, load):
    """What the probes wait for, and what new handshakes do."""
    device = probes.device
    handshakes = beside(device, seconds, FULL, *device.tls(), "-n", 10 ** 9, "-c", AT_A_TIME) if load \
        else contextlib.nullcontext()
    with handshakes as busy, over_and_over(act) as times:
        found = probes.run(seconds)
    if load:
        found["handshakes_p99"] = busy["connect_us"]["p99"]
        found["rate"] = busy["connections"] / busy["seconds"]
    return {**found, "usual_max": found["max"], "times": len(times), "longest": max(times, default=0)}


FIGURES = (("median", "SYN, median, µs", 0), ("p99", "p99, µs", 0), ("max", "max, µs", 0),
           ("usual_max", "max of a round, µs", 0), ("handshakes_p99", "taken SYN, p99, µs", 0),
           ("rate", "handshakes/s", 0), ("times", "times", 0), ("longest", "longest, s", 2))


def reload(alone, size):
    """By turns: nothing, another program, a reload of the same, of a pattern more, and edits; with the
    workers idle, and with all that they can do in handshakes."""
    ignored = patterns(size["patterns"])
    found = {}
    with alone.running(ignored) as device:
        probes, reloads = Probes(device), Reloads(alone, ignored)
        reloads.changed(0)
        begun = time.monotonic()
        reloads.changed(0)
        compiling = int(time.monotonic() - begun)
        with reloads.edits() as edit:
            acts = (("nothing", reloads.nothing), ("another program", reloads.other),
                    ("reload, the same", reloads.same), ("reload, one pattern more", reloads.changed),
                    ("edits, %d/s" % EDITS_RATE, edit))
            for _ in range(size["rounds"]):
                for load in (False, True):
                    for label, act in acts:
                        seconds = size["seconds"] + (2 * compiling if act == reloads.changed else 0)
                        row = label + (", handshakes" if load else "")
                        found.setdefault(row, []).append(measure(probes, seconds, act, load))
    rows = [(label, merged(each)) for label, each in found.items()]
    for title, part in (("workers idle", rows[:len(acts)]),
                        ("workers busy with handshakes", rows[len(acts):])):
        tell("New destinations' SYNs with %d patterns, %s (target: a reload delays none by more than 1 ms)"
             % (len(ignored), title), part, FIGURES)
        base = part[0][1]
        for label, row in part[1:]:
            print("  %s: p99 %+.2f ms, max of a round %+.2f ms, of all %+.2f ms" %
                  (label, *((row[key] - base[key]) / 1e3 for key in ("p99", "usual_max", "max"))))
    return rows
