# SPDX-License-Identifier: GPL-3.0-or-later
"""New hosts, each with a certificate to forge, as fast as they come: what everybody else's SYNs wait for
meanwhile."""

from alone import Probes, beside, merged, patterns, tell
from systems import FULL, NAMED

ASKED = 1000  # new hosts a second

FIGURES = (("median", "SYN, median, µs", 0), ("p99", "p99, µs", 0), ("max", "max, µs", 0),
           ("rate", "handshakes/s", 0))
BESIDE = (("nothing else", None, ()), ("handshakes with one host", FULL, ()),
          ("handshakes, a new host each", NAMED, ("-S", "n%u.origin.test")))


def measure(device, size, address, options):
    """Probes for a second, which is as long as the names would last if all came that are asked for."""
    probes = Probes(device)
    if address is None:
        return probes.run(size["names"] // ASKED or 1)
    device.run(FULL, *device.tls(), "-n", 8)
    with beside(device, size["seconds"], address, *device.tls(), *options, "-R", ASKED, "-c", 64, "-n",
                size["names"]) as meanwhile:
        found = probes.run(size["names"] // ASKED or 1)
    return {**found, "rate": meanwhile["connections"] / meanwhile["seconds"]}


def forging(alone, size):
    """Beside handshakes for which nothing has to be forged, too: the difference is what forging does. An
    engine is started for each, so that it knows no host."""
    found = {}
    for _ in range(size["rounds"]):
        for label, address, options in BESIDE:
            with alone.running(patterns(100)) as device:
                found.setdefault(label, []).append(measure(device, size, address, options))
    rows = [(label, merged(rounds)) for label, rounds in found.items()]
    tell("New destinations' SYNs while %d handshakes/s are asked for (target: none starves)" % ASKED, rows,
         FIGURES)
    return rows
