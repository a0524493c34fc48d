# SPDX-License-Identifier: GPL-3.0-or-later
"""A scanner that others wrote finds nothing worse in front of an intercepted origin than in front of the
origin itself."""

import json
import re

from lab import ORIGIN4

SEVERITIES = ["OK", "INFO", "LOW", "MEDIUM", "HIGH", "CRITICAL"]
OPTIONS = """--quiet --warnings off --color 0 --fast --nodns none --sneaky --protocols --server-defaults
    --server-preference --heartbleed --ccs-injection --ticketbleed --renegotiation --compression --poodle
    --tls-fallback --freak --drown --logjam""".split()


def scan(lab, directory):
    """All findings. What it asks the DNS is refused at once, for it would wait."""
    directory.mkdir()
    report, resolver = directory / "findings.json", directory / "resolv.conf"
    resolver.write_text("nameserver 127.0.0.1\n")
    lab.device.run("sh", "-c", "mount --bind %s /etc/resolv.conf && exec testssl \"$@\"" % resolver, "sh",
                   *OPTIONS, "--jsonfile", report, ORIGIN4[0] + ":443", check=False, input="", timeout=120)
    return json.loads(report.read_text())


def name_of(finding):
    return re.sub(" <cert#.*>", "", finding["id"])


def worst_of(findings):
    """How bad each thing is, by its name. Of two certificates, one for each kind of key, the worse."""
    worst = {}
    for finding in findings:
        name = name_of(finding)
        if finding["severity"] in SEVERITIES:
            worst[name] = max(worst.get(name, 0), SEVERITIES.index(finding["severity"]))
    return worst


def test_V2_V4_a_scanner_finds_nothing_worse(lab, engine, tmp_path):
    direct = scan(lab, tmp_path / "direct")
    started = engine()
    intercepted = scan(lab, tmp_path / "intercepted")
    assert len(direct) > 60 and len(intercepted) > 60 and started.records("flow")
    before, after = worst_of(direct), worst_of(intercepted)
    assert {"TLS1_3", "cert_chain_of_trust", "heartbleed", "LOGJAM"} <= set(before) & set(after)
    assert [finding for finding in intercepted if finding["severity"] in SEVERITIES[2:] and
            after[name_of(finding)] > before.get(name_of(finding), 0)] == []
