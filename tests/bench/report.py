# SPDX-License-Identifier: GPL-3.0-or-later
"""What was found, as data, as a table, and as the page that is kept in the tree."""

import datetime
import os
import platform
import statistics
import subprocess
from pathlib import Path

OURS = "interceptd"

# Load, figure, title, unit, digits.
FIGURES = (
    ("ignored", "connect", "New ignored connection: connect, median", "µs", 0),
    ("ignored", "connect_p99", "… p99", "µs", 0),
    ("ignored", "first_byte", "… first byte, median", "µs", 0),
    ("ignored", "rate", "… 16 at a time", "/s", 0),
    ("ignored", "cpu", "… CPU each", "µs", 0),
    ("ignored_bulk", "speed", "Ignored download", "MB/s", 0),
    ("ignored_bulk", "cpu", "… CPU a GB", "s", 2),
    ("deciding", "connect", "New destination, many patterns: connect, median", "µs", 0),
    ("deciding", "connect_p99", "… p99", "µs", 0),
    ("deciding", "first_byte", "… first byte, median", "µs", 0),
    ("deciding", "cpu", "… CPU each", "µs", 0),
    ("deciding", "busy_connect", "… beside handshakes: connect, median", "µs", 0),
    ("deciding", "busy_p99", "… beside handshakes: p99", "µs", 0),
    ("deciding", "started_in", "… ready after a restart", "s", 2),
    ("new_full", "cpu", "New intercepted connection, full handshakes: CPU", "ms", 2),
    ("new_full", "rate", "… 8 at a time", "/s", 0),
    ("new_full_12", "cpu", "The same with TLS 1.2: CPU", "ms", 2),
    ("new_resumed", "cpu", "Later connection to the same server: CPU", "ms", 2),
    ("new_resumed", "resumed", "… resumed with the device", "of 1", 2),
    ("new_resumed", "resumed_upstream", "… resumed with the origin", "of 1", 2),
    ("new_resumed_many", "cpu", "The same, 8 at a time: CPU", "ms", 2),
    ("new_resumed_many", "resumed", "… resumed with the device", "of 1", 2),
    ("new_resumed_many", "resumed_upstream", "… resumed with the origin", "of 1", 2),
    ("first_byte", "median", "First byte, warm destination, median", "ms", 2),
    ("first_byte", "p99", "… p99", "ms", 2),
    ("bulk_down", "cpu", "Download: CPU a GB", "s", 2),
    ("bulk_down", "speed", "… speed", "MB/s", 0),
    ("bulk_up", "cpu", "Upload: CPU a GB", "s", 2),
    ("bulk_up", "speed", "… speed", "MB/s", 0),
    ("requests", "cpu", "Kept-alive request: CPU", "µs", 1),
    ("requests", "rate", "… 8 at a time", "/s", 0),
    ("requests", "kept", "… connections kept", "of 1", 2),
    ("forge", "cold", "New host, certificate forged: CPU", "ms", 2),
    ("forge", "warm", "… the second time: CPU", "ms", 2),
    ("forge", "rate", "… new hosts, 8 at a time", "/s", 0),
    ("idle", "kilobytes", "Idle connection: memory", "KB", 0),
    ("idle", "cpu", "… CPU to open it", "ms", 2),
    ("idle", "rest", "Memory at rest", "MB", 0),
)


def first_line(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return (done.stdout + done.stderr).strip().splitlines()[0]
    except (FileNotFoundError, IndexError):
        return "unknown"


def machine():
    info = Path("/proc/cpuinfo").read_text()
    model = next((line.split(":", 1)[1].strip() for line in info.splitlines() if "model name" in line),
                 platform.machine())
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 30
    return "%s, %d cores, %d GB, Linux %s" % (model, os.cpu_count(), memory, platform.release())


def versions():
    return {"OpenSSL": first_line("openssl", "version"), "haproxy": first_line("haproxy", "-v"),
            "sslsplit": first_line("sslsplit", "-V"), "mitmproxy": first_line("mitmdump", "--version"),
            "squid": first_line("squid", "-v"), "nginx": first_line("nginx", "-v")}


def median_of(values):
    return statistics.median(values) if isinstance(values[0], (int, float)) else values[0]


def collect(systems, rounds, floors, arguments):
    """Each figure's median, what each round had, and its ratio to ours."""
    results = {"date": datetime.date.today().isoformat(), "machine": machine(), "versions": versions(),
               "size": arguments.size, "rounds": arguments.rounds, "systems": {},
               "floor": {key: statistics.median(floor[key] for floor in floors) for key in floors[0]}}
    for system in systems:
        figures = {}
        for load, found in rounds[0][system.name].items():
            for key in {key: None for one in rounds for key in one[system.name][load]}:
                values = [one[system.name][load][key] for one in rounds if key in one[system.name][load]]
                figures["%s.%s" % (load, key)] = {"median": median_of(values), "rounds": values}
        results["systems"][system.name] = {"title": system.title, "cannot": system.cannot,
                                           "figures": figures}
    ours = results["systems"].get(OURS, {"figures": {}})["figures"]
    for system in results["systems"].values():
        for key, figure in system["figures"].items():
            own = ours.get(key, {}).get("median")
            if isinstance(own, (int, float)) and own > 0:
                figure["ratio"] = round(figure["median"] / own, 3)
    return results


def cell(system, load, key, digits):
    figure = system["figures"].get("%s.%s" % (load, key))
    if figure is None:
        return system["cannot"].get(load, "–")
    text = "%.*f" % (digits, figure["median"])
    return text if "ratio" not in figure else "%s (%.2f)" % (text, figure["ratio"])


def table(results):
    """In Markdown. Behind a figure is its ratio to ours."""
    names = list(results["systems"])
    rows = [["", *(results["systems"][name]["title"] for name in names)]]
    for load, key, title, unit, digits in FIGURES:
        cells = [cell(results["systems"][name], load, key, digits) for name in names]
        if any(text != "–" for text in cells):
            rows.append(["%s, %s" % (title, unit), *cells])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["| " + " | ".join(text.ljust(width) for text, width in zip(row, widths)) + " |" for row in rows]
    lines.insert(1, "| " + " | ".join("---" for _ in widths) + " |")
    floor = results["floor"]
    lines += ["", "OpenSSL alone, both halves in one process: %.2f ms a full handshake, %.2f ms a resumed one, "
              "%.2f s a GB." % (floor["full"] * 1e3, floor["resumed"] * 1e3, floor["gigabyte"])]
    return "\n".join(lines)
