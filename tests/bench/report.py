# SPDX-License-Identifier: GPL-3.0-or-later
"""What was found, as data, as a table, and as the page that is kept in the tree."""

import datetime
import os
import platform
import statistics
import subprocess
from pathlib import Path

import targets
from targets import OURS

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
    ("deciding", "busy_first_byte", "… beside handshakes: first byte, median", "µs", 0),
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
        for one in rounds:
            for load, found in one[system.name].items():
                for key, value in found.items():
                    figures.setdefault("%s.%s" % (load, key), {"rounds": []})["rounds"].append(value)
        for figure in figures.values():
            figure["median"] = median_of(figure["rounds"])
        results["systems"][system.name] = {"title": system.title, "cannot": system.cannot,
                                           "failed": system.failed,
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
        return "failed" if load in system["failed"] else system["cannot"].get(load, "–")
    text = "%.*f" % (digits, figure["median"])
    return text if "ratio" not in figure else "%s (%.2f)" % (text, figure["ratio"])


def table(results):
    """In Markdown. Behind a figure is its ratio to ours."""
    names = list(results["systems"])
    rows = [["", *(results["systems"][name]["title"] for name in names)]]
    for load, key, title, unit, digits in FIGURES:
        cells = [cell(results["systems"][name], load, key, digits) for name in names]
        if any("%s.%s" % (load, key) in results["systems"][name]["figures"] for name in names):
            rows.append(["%s, %s" % (title, unit), *cells])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["| " + " | ".join(text.ljust(width) for text, width in zip(row, widths)) + " |" for row in rows]
    lines.insert(1, "| " + " | ".join("---" for _ in widths) + " |")
    floor = results["floor"]
    lines += ["", "OpenSSL alone, both halves in one process: %.2f ms a full handshake, "
              "%.2f ms a resumed one, %.2f s a GB." % (
                  floor["full"] * 1e3, floor["resumed"] * 1e3, floor["gigabyte"])]
    return "\n".join(lines)


# ---- what is kept in the tree ----

# The others answer a SYN themselves, so that says nothing of the origin: the first byte does.
NOT_COMPARED = ("connect", "connect_p99", "busy_connect", "busy_p99")

PAGE = Path(__file__).with_name("README.md")
CHART = Path(__file__).with_name("bench.svg")
BEGIN, END = "<!-- results: written by compare.py -->", "<!-- end of results -->"


def is_better(mine, other, unit):
    """Whether the other one's figure is, by more than noise."""
    return other > mine * 1.05 if unit in ("/s", "MB/s", "of 1") else other < mine * 0.95


def where_others_win(results):
    """So that nobody has to look for it."""
    lines, title = [], ""
    for load, key, text, unit, digits in FIGURES:
        title = text if not text.startswith("… ") else title
        full = text if not text.startswith("… ") else "%s (%s)" % (title.split(":")[0], text[2:])
        own = results["systems"][OURS]["figures"].get("%s.%s" % (load, key))
        for name, system in results["systems"].items():
            figure = system["figures"].get("%s.%s" % (load, key))
            if name.startswith((OURS, "plain")) or key in NOT_COMPARED or None in (figure, own):
                continue
            if is_better(own["median"], figure["median"], unit):
                lines.append("- %s: %s has %.*f %s, we have %.*f." % (
                    full, system["title"], digits, figure["median"], unit, digits, own["median"]))
    return lines or ["- Nowhere."]


def command(results):
    return "make bench BENCH='--size %s --rounds %d --publish'" % (results["size"], results["rounds"])


def publish(results):
    """Writes the chart, and the page's part between its two marks."""
    draw(results)
    versions = "; ".join("%s" % text for text in results["versions"].values())
    part = "\n".join([BEGIN, "", "%s; %s; median of %d rounds; `%s`." % (
        results["date"], results["machine"], results["rounds"], command(results)), "", versions + ".", "",
        "![CPU time by system](bench.svg)", "", table(results), "",
        "### What was aimed at", "", targets.table(results), "",
        "### Where others are better", "", *where_others_win(results), "", END])
    page = PAGE.read_text()
    begin, end = page.index(BEGIN), page.index(END) + len(END)
    PAGE.write_text(page[:begin] + part + page[end:])


# ---- the chart ----

PANELS = (("new_full", "cpu", "New connection, CPU ms", "full"),
          ("new_resumed", "cpu", "Later connection, CPU ms", "resumed"),
          ("bulk_down", "cpu", "Download, CPU s a GB", "gigabyte"),
          ("requests", "cpu", "Kept-alive request, CPU µs", None))
OUR_COLOUR, OTHERS_COLOUR, FLOOR_COLOUR = 0x2a6fbb, 0xb8bec6, 0xe3e6ea
CUT = 5  # times ours: a longer bar ends there


def panel(results, load, key, title, floor):
    """A row a system: name, height, figure, colour."""
    own = results["systems"][OURS]["figures"]["%s.%s" % (load, key)]["median"]
    rows = []
    for name, system in results["systems"].items():
        figure = system["figures"].get("%s.%s" % (load, key))
        if name == "plain" or figure is None:
            continue
        value = figure["median"]
        label = ("%.0f" if value >= 100 else "%.3g") % value + (" ↑" if value > own * CUT else "")
        shown = "readers off" if name == "interceptd-tcp" else name
        rows.append('"%s" %g "%s" %d' % (shown, min(value, own * CUT), label,
                                         OUR_COLOUR if name.startswith(OURS) else OTHERS_COLOUR))
    if floor:
        value = results["floor"][floor] * (1 if floor == "gigabyte" else 1e3)
        rows.append('"OpenSSL alone" %g "%.3g" %d' % (value, value, FLOOR_COLOUR))
    return """
$data << EOD
%s
EOD
set title "%s"
set yrange [0:%g]
plot $data using 0:2:4:xtic(1) with boxes lc rgb variable, '' using 0:2:3 with labels offset 0,0.6
""" % ("\n".join(rows), title, own * CUT * 1.12)


def draw(results):
    parts = [panel(results, *one) for one in PANELS
             if "%s.%s" % one[:2] in results["systems"][OURS]["figures"]]
    script = """
set terminal svg size 960,640 font "sans-serif,12" background "#ffffff"
set output "%s"
set encoding utf8
unset key
set boxwidth 0.7
set style fill solid 1
set border 1 lc rgb "#888888"
unset ytics
set xtics nomirror scale 0 rotate by -20
set xrange [-0.6:*]
set rmargin 8
set bmargin 4
set tmargin 3
set multiplot layout 2,2
%s
unset multiplot
""" % (CHART, "\n".join(parts))
    subprocess.run(["gnuplot"], input=script, text=True, check=True)
