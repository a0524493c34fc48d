# SPDX-License-Identifier: GPL-3.0-or-later
"""What interceptd is to be, beside the others: what was found is held against it. Each is an upper limit."""

OURS = "interceptd"


def ratio(own, other):
    return own / other if other else None


def difference(own, other):
    return own - other


# What, limit, how two figures are compared, ours (system, figure), and the other one.
COMPARED = (
    ("Ignored: median connect, of plain forwarding's", 1.03, ratio,
     (OURS, "ignored.connect"), ("plain", "ignored.connect")),
    ("Ignored: plain forwarding's connections/s, of ours", 1.03, ratio,
     ("plain", "ignored.rate"), (OURS, "ignored.rate")),
    ("Ignored: plain forwarding's download speed, of ours", 1.03, ratio,
     ("plain", "ignored_bulk.speed"), (OURS, "ignored_bulk.speed")),
    ("New destination: median connect over plain forwarding's, µs", 30, difference,
     (OURS, "deciding.connect"), ("plain", "deciding.connect")),
    ("New destination: p99 of connect over plain forwarding's, µs", 150, difference,
     (OURS, "deciding.connect_p99"), ("plain", "deciding.connect_p99")),
    ("New destination beside handshakes: p99 of connect over plain forwarding's, µs", 1000, difference,
     (OURS, "deciding.busy_p99"), ("plain", "deciding.busy_p99")),
    ("New intercepted connection: CPU, of sslsplit's", 0.5, ratio,
     (OURS, "new_full.cpu"), ("sslsplit", "new_full.cpu")),
    ("… of mitmproxy's", 0.2, ratio, (OURS, "new_full.cpu"), ("mitmproxy", "new_full.cpu")),
    ("… of haproxy's", 0.9, ratio, (OURS, "new_full.cpu"), ("haproxy", "new_full.cpu")),
    ("Later connection: CPU, of haproxy's for a new one", 0.5, ratio,
     (OURS, "new_resumed.cpu"), ("haproxy", "new_full.cpu")),
    ("First byte, warm destination: median, of haproxy's", 1.3, ratio,
     (OURS, "first_byte.median"), ("haproxy", "first_byte.median")),
    ("Download: CPU, of haproxy's", 1.0, ratio, (OURS, "bulk_down.cpu"), ("haproxy", "bulk_down.cpu")),
    ("… of sslsplit's", 0.4, ratio, (OURS, "bulk_down.cpu"), ("sslsplit", "bulk_down.cpu")),
    ("Upload: CPU, of haproxy's", 1.0, ratio, (OURS, "bulk_up.cpu"), ("haproxy", "bulk_up.cpu")),
    ("… of sslsplit's", 0.4, ratio, (OURS, "bulk_up.cpu"), ("sslsplit", "bulk_up.cpu")),
    ("Kept-alive request, readers off: CPU, of haproxy's", 1.0, ratio,
     ("interceptd-tcp", "requests.cpu"), ("haproxy", "requests.cpu")),
    ("… with readers and eve.json, of haproxy's", 1.25, ratio,
     (OURS, "requests.cpu"), ("haproxy", "requests.cpu")),
)
# And what stands for itself.
ABSOLUTE = (
    ("Ignored download: CPU a GB, s", 0.004, "ignored_bulk.cpu"),
    ("Idle intercepted connection: KB", 50, "idle.kilobytes"),
)


def short(value):
    return ("%.0f" if abs(value) >= 100 else "%.3g") % value


def table(results):
    """In Markdown: those targets for which there are figures."""
    def median(system, figure):
        return results["systems"].get(system, {"figures": {}})["figures"].get(figure, {}).get("median")

    found = []
    for what, limit, compare, own, other in COMPARED:
        figures = median(*own), median(*other)
        found.append((what, limit, None if None in figures else compare(*figures)))
    found += [(what, limit, median(OURS, figure)) for what, limit, figure in ABSOLUTE]
    lines = ["| %s | %s | %s | %s |" % (what, short(limit), short(value),
                                       "yes" if value <= limit else "**no**")
             for what, limit, value in found if value is not None]
    return "\n".join(["| Target | at most | found | reached |", "| --- | --- | --- | --- |", *lines]) \
        if lines else ""
