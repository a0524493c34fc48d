# SPDX-License-Identifier: GPL-3.0-or-later
"""Patterns mean what they mean to Python's re.search(pattern, text, re.IGNORECASE)."""

import json
import os
import random
import re
import shutil
import subprocess
import time

import pytest

from lab import BUILD, ORIGIN4, PATIENCE
from regex_generator import Generator, python_finds


def explain(tmp_path, patterns, targets):
    """For each target its verdict, and the index of the pattern that decided."""
    config = tmp_path / "interceptd.conf"
    config.write_text("[ignore]\n" + "".join("pattern = %s\n" % pattern for pattern in patterns))
    result = subprocess.run([BUILD / "interceptctl", "explain", "-j", "-c", config, "-"],
                            input="\n".join(targets) + "\n", capture_output=True, text=True,
                            timeout=120 * PATIENCE)
    assert result.returncode == 0, result.stderr
    answers = {}
    for answer in json.loads(result.stdout):
        index = answer["line"] - 2 if answer["verdict"] == "ignore" else None
        answers[answer["target"]] = index
    return answers, result.stderr


# What mitmproxy's documentation of --ignore shows, and what its words there promise.
DOCUMENTED = [
    (r"^example\.com:443$", ["example.com:443", "EXAMPLE.com:443"],
     ["www.example.com:443", "example.com:80", "example.com:4430", "exampleXcom:443"]),
    (r"apple.com:443", ["apple.com:443", "itunes.apple.com:443", "appleXcom:443", "apple.com:4433"],
     ["apple.com:80", "apple.org:443"]),
    (r"^(.+\.)?apple\.com:443$", ["apple.com:443", "itunes.apple.com:443", "a.b.apple.com:443"],
     ["notapple.com:443", "apple.com:80"]),
    (r"^example.com:", ["example.com:443", "example.com:80"], ["www.example.com:443"]),
    (r"^(?!example\.com)(?!mitmproxy\.org)", ["other.org:443", "www.example.com:443"],
     ["example.com:443", "mitmproxy.org:80"]),
    (r"17\.178\.96\.59:443", ["17.178.96.59:443"], ["17.178.96.60:443", "17.178.96.59:80"]),
    (r"17\.178\.\d+\.\d+:443", ["17.178.0.1:443", "17.178.255.255:443"],
     ["17.179.0.1:443", "17.178.0.1:80"]),
]


@pytest.mark.parametrize("pattern,found,not_found", DOCUMENTED, ids=[d[0] for d in DOCUMENTED])
def test_the_documented_examples(tmp_path, pattern, found, not_found):
    answers, _ = explain(tmp_path, [pattern], found + not_found)
    assert answers == {**dict.fromkeys(found, 0), **dict.fromkeys(not_found, None)}
    assert all(python_finds(pattern, text) for text in found)
    assert not any(python_finds(pattern, text) for text in not_found)


@pytest.mark.parametrize("pattern", [r"17\.178\.96\.59:443", r"17\.178\.\d+\.\d+:443"])
def test_the_documented_addresses_are_ignored_on_the_wire(lab, engine, pattern):
    """With an address of the lab's in the example's place."""
    engine({"ignore": {"pattern": pattern.replace(r"17\.178", r"203\.0").replace(r"96\.59", r"113\.2")}})
    assert "interceptd lab" in lab.issuer(ORIGIN4[1])


def test_a_name_is_noted_as_unseen(tmp_path):
    config = tmp_path / "interceptd.conf"
    config.write_text("[ignore]\npattern = ^example\\.com:443$\n")
    command = [BUILD / "interceptctl", "explain", "-c", config, "example.com:443", "192.0.2.1:443"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.stdout == ("example.com:443 ignore by ^example\\.com:443$ (%s:2)\n"
                             "192.0.2.1:443 intercept (no ignore pattern is found in it); "
                             "upstream = mirror [tls]\n" % config)
    assert "note: example.com:443 is a name" in result.stderr
    config.write_text("[ignore]\npattern = ^example\\.com:443$\nmatch = address sni\n")
    assert "note" not in subprocess.run(command, capture_output=True, text=True).stderr


@pytest.mark.parametrize("pattern", [r"^2001:db8::1:443$", r"^\[2001:db8::1\]:443$"])
def test_ipv6_has_two_forms(tmp_path, pattern):
    """mitmproxy's, without brackets, and everybody else's."""
    answers, _ = explain(tmp_path, [pattern], ["2001:db8::1:443", "[2001:db8::1]:443",
                                               "[2001:DB8:0:0::1]:443", "[2001:db8::2]:443"])
    assert list(answers.values()) == [0, 0, 0, None]


def test_the_first_pattern_in_order_decides(tmp_path):
    patterns = ["b", "(?=a)", r"(a)\1", "a"]
    answers, _ = explain(tmp_path, patterns, ["a:1", "aa:1", "ba:1", "c:1"])
    assert answers == {"a:1": 1, "aa:1": 1, "ba:1": 0, "c:1": None}


# Findings of the comparison with Python below, kept by name.
FINDINGS = [
    (r"(\b)b\1{2}", ".00--bcb:1", "Hyperscan repeats a referenced assertion"),
    (r"(?=a(?=b))(c?a).", "zab:1", "PCRE2 10.42 optimizes the start away"),
    (r"(?u)[^a-c\x62b]{1,}[b]|x*+y", "A0BaBAbc.:1", "an empty option setting resets the others"),
    (r"a{,2}b", "aab:1", "{,n} is a quantifier in Python only"),
    (r"b:1\Z", "ab:1", r"\Z is the very end"),
    (r"[[:alpha:]", "a:1", "a class with a bracket in it, no POSIX class"),
    (r"[..]b", ".b:1", "the same with dots"),
    (r"\u0061b", "ab:1", r"\uXXXX"),
    (r"(?a)\d:1", "5:1", "a flag that PCRE2 does not know"),
    (r"(?x)a b # comment", "ab:1", "verbose patterns"),
    (r"(?P<n>a)(?P=n)", "aa:1", "named references"),
    (r"a++b", "aab:1", "possessive"),
    (r"(?>a|ab)c", "ac:1", "atomic"),
    (r"(a)?(?(1)b|c)", "ab:1", "conditional"),
    (r"(?<=a)b", "ab:1", "lookbehind"),
    (r"", "anything:1", "nothing at all is found everywhere"),
]


@pytest.mark.parametrize("pattern,text,why", [f for f in FINDINGS if f[0]], ids=lambda value: value)
def test_differences_between_languages(tmp_path, pattern, text, why):
    answers, _ = explain(tmp_path, [pattern], [text])
    assert python_finds(pattern, text) and answers == {text: 0}, why


def test_thousands_of_generated_pairs_agree_with_python(tmp_path):
    """Each pattern by itself. A pattern that runs into the limit is told, and counts as not found."""
    seed = int(os.environ.get("INTERCEPTD_SEED", "20261123"))
    generator = Generator(seed)
    pairs = found = limited = 0
    for _ in range(400):
        pattern = generator.pattern()
        targets = sorted({generator.subject() for _ in range(25)})
        answers, told = explain(tmp_path, [pattern], targets)
        for target in targets:
            expected = python_finds(pattern, target)
            if expected and answers[target] is None and "takes too long" in told:
                limited += 1
                continue
            assert (answers[target] is not None) == expected, \
                "seed %d: %r in %r: Python says %s" % (seed, pattern, target, expected)
            pairs += 1
            found += expected
    assert pairs > 9000 and found > 2000 and pairs - found > 2000 and limited < 20


def test_many_patterns_together_agree_with_python(tmp_path):
    """All in one database: the first that Python finds must be the one that decides."""
    generator = Generator(77)
    compared = 0
    for _ in range(10):
        patterns = []
        while len(patterns) < 60:
            pattern = generator.pattern()
            if sum(python_finds(pattern, generator.subject()) for _ in range(20)) <= 2:
                patterns.append(pattern)
        targets = sorted({generator.subject() for _ in range(120)})
        answers, told = explain(tmp_path, patterns, targets)
        if "takes too long" in told:
            continue
        for target in targets:
            expected = next((index for index, pattern in enumerate(patterns)
                             if python_finds(pattern, target)), None)
            assert answers[target] == expected, (target, expected, answers[target])
            compared += 1
    assert compared > 500


def test_a_pattern_that_never_ends_is_cut_short(tmp_path):
    begun = time.monotonic()
    answers, told = explain(tmp_path, [r"^(?=((a+)+)+b)\1"], ["a" * 60 + ":443"])
    assert list(answers.values()) == [None]
    assert "takes too long" in told and time.monotonic() - begun < 5 * PATIENCE


# ---- the compiled database ----

def numbered_patterns(count):
    numbers = random.Random(1)
    return [r"^host%d\.(?:a|b)%d\.example\.com:443$" % (i, numbers.randint(0, 9999))
            for i in range(count)]


def test_the_compiled_database_is_kept_and_used_again(lab, engine):
    config = {"ignore": {"pattern": numbered_patterns(2000) + [r"^203\.0\.113\.2:443$"]}}
    first = engine(config)
    database = first.directory / "state/ignore.hsdb"
    content = database.read_bytes()
    assert len(content) > 10000 and database.stat().st_mode & 0o777 == 0o644
    first.stop()
    written = database.stat().st_mtime_ns
    again = engine({**config, "control": {"state": first.directory / "state"}})
    assert database.stat().st_mtime_ns == written
    assert "interceptd lab" in lab.issuer(ORIGIN4[1])
    other = {"ignore": {"pattern": "other"}, "control": {"state": first.directory / "state"}}
    again.reload(other)  # by then it is not root any more, and this file is
    assert database.stat().st_mtime_ns == written and "O = interceptd," in lab.issuer(ORIGIN4[1])
    assert "could not be kept" not in again.log()
    again.stop()
    engine(other)
    assert database.stat().st_mtime_ns != written and "O = interceptd," in lab.issuer(ORIGIN4[1])


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "nonsense"])
def test_a_damaged_database_is_made_anew(lab, engine, damage):
    config = {"ignore": {"pattern": [r"^203\.0\.113\.2:443$", "(?!x)y{3}"]}}
    first = engine(config)
    database = first.directory / "state/ignore.hsdb"
    good = database.read_bytes()
    first.stop()
    database.write_bytes({"truncated": good[:-10], "flipped": good[:-9] + bytes([good[-9] ^ 1]) + good[-8:],
                          "empty": b"", "nonsense": b"x" * len(good)}[damage])
    engine({**config, "control": {"state": first.directory / "state"}})
    assert database.read_bytes() == good
    assert "interceptd lab" in lab.issuer(ORIGIN4[1])
    shutil.rmtree(first.directory / "state", ignore_errors=True)


def test_patterns_from_files_tell_their_lines(lab, engine, tmp_path):
    listed = tmp_path / "ignore.list"
    listed.write_text("# comment\n\n  ^203\\.0\\.113\\.2:443$  \n")
    started = engine({"ignore": {"file": listed}})
    assert "interceptd lab" in lab.issuer(ORIGIN4[1])
    started.wait_log(r"^ignored 203\.0\.113\.2:443 by \^203\\.0\\.113\\.2:443\$ \(%s:3\)$"
                     % re.escape(str(listed)))


def test_mitmproxys_patterns_can_be_taken_over(tmp_path):
    """What its configuration ignores is ignored by the list that is made of it."""
    theirs, ours = tmp_path / "config.yaml", tmp_path / "interceptd.conf"
    theirs.write_text("mode: transparent\nignore_hosts:\n- ^203\\.0\\.113\\.2:443$\n- '#x'\n"
                      "allow_hosts: [\"^192\\\\.\", '(?!a)b']\n")
    for option, patterns in [("ignore_hosts", ["^203\\.0\\.113\\.2:443$", "\\#x"]),
                             ("allow_hosts", ["^192\\.", "(?!a)b"])]:
        imported = subprocess.run([BUILD / "interceptctl", "import", theirs, option], capture_output=True,
                                  text=True, check=True).stdout
        assert imported == "# %s of %s\n%s\n" % (option, theirs, "\n".join(patterns))
        (tmp_path / option).write_text(imported)
    ours.write_text("[ignore]\nfile = ignore_hosts\n")
    explained = subprocess.run([BUILD / "interceptctl", "explain", "-c", ours, "203.0.113.2:443", "#x:1"],
                               capture_output=True, text=True, check=True).stdout.splitlines()
    assert [line.split()[1] for line in explained] == ["ignore", "ignore"]


@pytest.mark.parametrize("text,reason", [
    ("ignore_hosts: x\n", ":1: expected a list of patterns"),
    ("mode: a\nignore_hosts:\n- {a: b}\n", ":3: expected a pattern"),
    ("ignore_hosts:\n- a\n- ' b'\n", ":3: a pattern with a blank at an end: write [ ] for it"),
    ("ignore_hosts: ['']\n", ":1: a pattern that is empty, or more than a line"),
    ("ignore_hosts: [\"a\\0b\"]\n", ":1: a pattern that is empty, or more than a line"),
    ("ignore_hosts: [\n", ":2: did not find expected node content"),
    ("- a\n", ":1: expected options, a `name: value` each"),
    ("", ":1: expected options, a `name: value` each"),
    ("mode: a\n", ": there is no ignore_hosts in it"),
    (None, ": No such file or directory"),
])
def test_what_cannot_be_taken_over_is_told(tmp_path, text, reason):
    theirs = tmp_path / "config.yaml"
    if text is not None:
        theirs.write_text(text)
    result = subprocess.run([BUILD / "interceptctl", "import", theirs], capture_output=True, text=True)
    assert result.returncode == 1 and result.stderr == "interceptctl: %s%s\n" % (theirs, reason)
