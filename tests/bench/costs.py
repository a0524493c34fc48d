# SPDX-License-Identifier: GPL-3.0-or-later
"""That cost grows with work, and not with what else there is: connections that are open, destinations that
are decided, patterns. Of each a few, and many, and the ratios between."""

import contextlib
import json
import subprocess

import origin
from alone import Probes, patterns, tell
from lab import wait_for
from systems import CONNECTIONS, FULL

FIGURES = (("cpu", "CPU each, ms", 3), ("first_byte", "first byte, ms", 2), ("connect", "new SYN, µs", 0),
           ("decided", "decided SYN, µs", 0))
TARGET = "(target: flat, ratios near 1)"


def look(device, size):
    """What a new intercepted connection costs now, and what SYNs wait for: of a new destination that will
    be ignored, and of one that is."""
    device.run(FULL, *device.tls(), "-n", 8)
    taken = device.run(FULL, *device.tls(), "-n", size["connections"], "-c", 8)
    alone = device.run(FULL, *device.tls(), "-n", size["connections"] // 10)
    found = {"cpu": taken["cpu"] / taken["connections"] * 1e3,
             "first_byte": alone["first_byte_us"]["median"] / 1e3}
    probes = Probes(device, 1 << 24)
    found["connect"] = probes.run(size["seconds"])["median"]
    device.run(origin.MANY % "0:1", "-n", 1)
    found["decided"] = device.run(origin.MANY % "0:1", "-n", size["connections"])["connect_us"]["median"]
    return found


@contextlib.contextmanager
def held(device, count):
    """So many connections that are open after one request, with nothing to do."""
    with subprocess.Popen(device.command(FULL, *device.tls(), "-n", count, "-c", 16, "-H"),
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        try:
            assert device.check(json.loads(client.stdout.readline()))["connections"] == count
            yield
            client.stdin.close()
        finally:
            client.kill()


def concurrency(alone, size):
    rows = []
    with alone.running(patterns(100)) as device:
        for count in (min(each, CONNECTIONS) for each in size["idle"]):
            with held(device, count):
                rows.append(("%d idle beside" % count, look(device, size)))
            wait_for(lambda: alone.engine.status()["connections"]["active"] == 0, "the idle ones to end")
    tell("A connection beside idle ones " + TARGET, rows, FIGURES)
    return rows


def destinations(alone, size):
    """Each is decided as a device would have it: by a connection."""
    rows = []
    for count in size["destinations"]:
        with alone.running(patterns(100)) as device:
            device.run(origin.MANY % "0:1", "-a", "-n", count, "-c", 16)
            known = len(alone.engine.ignored())
            assert known == count, "%d of %d are decided" % (known, count)
            rows.append(("%d decided destinations" % count, look(device, size)))
    tell("A connection beside decided destinations " + TARGET, rows, FIGURES)
    return rows


def patterns_count(alone, size):
    rows = []
    for count in size["pattern_counts"]:
        with alone.running(patterns(count)) as device:
            rows.append(("%d patterns" % count, look(device, size)))
    tell("A connection by the number of patterns " + TARGET, rows, FIGURES)
    return rows
