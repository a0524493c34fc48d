# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory: at rest, and after very many connections that have come and gone."""

import time

from alone import patterns, tell
from systems import RESUMING

AT_A_TIME = 8
FIGURES = (("megabytes", "RSS, MB", 1), ("rate", "connections/s", 0), ("resumed", "resumed, of 1", 2))


def steps_to(count):
    """Where to look on the way. What comes before the tenth part is a start: caches fill."""
    return sorted({max(count * part // 30, AT_A_TIME) for part in (1, 3, 10, 20, 30)})


def grow(device, steps, rows, *options):
    done = 0
    for step in steps:
        result = device.run(RESUMING, *device.tls(), "-s", "-c", AT_A_TIME, "-n", step - done, *options)
        done = step
        time.sleep(1)
        rows.append(("after %d connections" % step, {
            "megabytes": device.system.resident() / 1e6, "rate": result["connections"] / result["seconds"],
            "resumed": result["resumed"] / result["connections"]}))


def slope(steps, rows):
    """Bytes a connection, since the tenth part of them."""
    by_step = dict(zip(steps, (found["megabytes"] for _, found in rows[-len(steps):])))
    base = steps[-1] // 10
    return (by_step[steps[-1]] - by_step[base]) * 1e6 / (steps[-1] - base)


def memory(alone, size):
    """RSS at rest with 100 patterns, and on the way through so many intercepted connections: those of one
    server, most of them resumed, and those of as many names as there are connections."""
    found = {}
    for what, options in (("one server's name", ()), ("a name each", ("-S", "n%u.origin.test"))):
        count = size["count"] if not options else max(size["count"] // 10, 300)
        steps, rows = steps_to(count), []
        with alone.running(patterns(100)) as device:
            time.sleep(2)
            rows.append(("at rest, 100 patterns", {"megabytes": alone.resident() / 1e6}))
            grow(device, steps, rows, *options)
        tell("Memory over %d intercepted connections, %s (targets: below 40 MB at rest, and flat)"
             % (count, what), rows, FIGURES)
        found[what] = {"rows": rows, "slope": slope(steps, rows)}
        print("  %.1f bytes a connection, from %d to %d" % (found[what]["slope"], count // 10, count))
    return found
