# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules that change while it runs: each command of interceptctl, with real connections."""

import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

import peers
from control import Control
from lab import BUILD, DEVICE4, ORIGIN4, ORIGIN6, PATIENCE, ROOT, wait_for

FAMILIES = pytest.mark.parametrize("origin,pattern", [
    (ORIGIN4[1], r"^203\.0\.113\.2:443$"), (ORIGIN6[1], r"^\[2001:db8:113::2\]:443$")], ids=["ipv4", "ipv6"])
SOON = "%ds" % (2 * PATIENCE)
SECOND = r"^203\.0\.113\.2:443$"


def is_intercepted(lab, origin):
    return lab.issuer(origin).startswith("O = interceptd,")


def control(started, name="control.sock"):
    return Control(started.directory / "run" / name)


def changes(started, count=0):
    """What was changed, as the records have it; so many events at least, which are written in a moment."""
    def written():
        return [event["intercept"] for event in started.records("intercept")
                if event["intercept"]["action"] == "change"]
    wait_for(lambda: len(written()) >= count, "%d changes in the records" % count)
    return written()


def listed(started, name="ignore"):
    return {pattern["pattern"]: pattern for pattern in json.loads(started.ctl("-j", name, "list").stdout)}


# ---- patterns ----

@FAMILIES
def test_an_added_pattern_holds_from_the_next_connection_on(lab, engine, origin, pattern):
    started = engine()
    assert is_intercepted(lab, origin)
    told = started.ctl("ignore", "add", pattern, "--note", "it breaks").stdout
    assert told.startswith("ignore: nothing -> %s\nundo: interceptctl " % pattern)
    assert not is_intercepted(lab, origin)
    place = started.ignored()[0]["rule"]
    assert re.fullmatch(r"interceptctl:[0-9a-f]{8} " + re.escape(pattern), place)
    started.ctl("undo", "2")
    assert is_intercepted(lab, origin) and started.ignored() == []


def test_edits_hold_where_there_is_no_queue(lab, engine):
    """There the kernel learns from connections that have passed: by the new rules alone."""
    started = engine({"network": {"queue": "none"}})
    assert is_intercepted(lab, ORIGIN4[1])
    started.ctl("ignore", "add", SECOND)
    assert not is_intercepted(lab, ORIGIN4[1])
    wait_for(lambda: len(started.ignored()) == 2, "the kernel's rules for TCP and UDP")
    started.ctl("undo")
    assert started.ignored() == [] and is_intercepted(lab, ORIGIN4[1])


@FAMILIES
def test_a_pattern_of_the_configuration_is_taken_out_and_comes_back(lab, engine, tmp_path, origin, pattern):
    listing = tmp_path / "ignore.list"
    listing.write_text("# it breaks\n%s\n%s|x\n" % (pattern, pattern))
    started = engine({"ignore": {"file": listing}})
    assert not is_intercepted(lab, origin)
    told = started.ctl("ignore", "del", pattern).stdout
    assert "ignore: %s -> nothing" % pattern in told and "to take it out for good: %s:2" % listing in told
    assert not is_intercepted(lab, origin)  # by the other one
    started.ctl("ignore", "del", listed(started)[pattern + "|x"]["id"])
    assert is_intercepted(lab, origin)
    assert [entry["enabled"] for entry in listed(started).values()] == [False, False]
    assert listing.read_text().count("\n") == 3
    started.ctl("ignore", "add", pattern)
    assert not is_intercepted(lab, origin)
    assert listed(started)[pattern]["place"] == "%s:2" % listing


def test_patterns_are_listed_with_where_they_are_from(engine):
    started = engine({"ignore": {"pattern": "^a"}}, "--ignore", "^b")
    started.ctl("ignore", "add", "^c", "--for", "1h", "--note", "for the test")
    started.ctl("ignore", "add", "^d", "--device", "192.0.2.7", "--persist")
    started.ctl("ignore", "del", "^b")
    text = started.ctl("ignore", "list").stdout
    assert re.search(r"^[0-9a-f]{8}  on   \^a  \(%s:2\)$" % re.escape(str(started.config_path)), text, re.M)
    assert re.search(r"^[0-9a-f]{8}  OFF  \^b  \(--ignore\)$", text, re.M)
    from_us = r"\(interceptctl:[0-9a-f]{8}\)"
    assert re.search(r"  on   \^c  %s  for (1h 0m|59m \d+s) more  # for the test$" % from_us, text, re.M)
    assert re.search(r"  on   \^d  \(interceptctl:[0-9a-f]{8}\)  of 192\.0\.2\.7  persists$", text, re.M)
    assert list(json.loads(started.ctl("-j", "ignore", "list", "--device", "192.0.2.7").stdout)[0]) == [
        "id", "pattern", "enabled", "place", "device", "uid", "made", "persist"]


def test_a_bad_pattern_is_refused_with_its_column_and_nothing_changes(engine):
    started = engine({"ignore": {"pattern": "^a"}})
    for pattern, reason in [("a(b", "column 4: missing closing parenthesis in pattern a(b"),
                            ("a)b", "column 2: unmatched closing parenthesis in pattern a)b"),
                            ("^a", "this pattern is there already (%s:2)" % started.config_path),
                            (" a", "a pattern with a blank at an end"), ("#a", "would be a comment"),
                            ("a\nb", "more than a line"), ("", "found everywhere"),
                            ("x" * 9000, "8192 bytes")]:
        result = started.ctl("ignore", "add", pattern, check=False)
        assert result.returncode == 1 and reason in result.stderr, (pattern, result.stderr)
    with control(started) as client:
        answer = client.ask("ignore.change", add=["^good", "a[b"])
        assert not answer["ok"] and answer["code"] == "invalid" and answer["rev"] == 1
        assert answer["data"] == {"index": 1, "column": 4}
    assert started.ctl("ignore", "del", "^nowhere", check=False).returncode == 1
    assert list(listed(started)) == ["^a"] and changes(started) == []


def test_a_pattern_may_be_one_devices(lab, engine):
    """The device has another address in IPv6: there it is not known by the first."""
    started = engine()
    started.ctl("ignore", "add", "113", "--device", DEVICE4)
    assert not is_intercepted(lab, ORIGIN4[2]) and is_intercepted(lab, ORIGIN6[2])
    mac = json.loads(lab.device.run("ip", "-j", "link", "show", "eth0").stdout)[0]["address"]
    started.ctl("ignore", "add", "113::3", "--device", mac.upper())
    assert not is_intercepted(lab, ORIGIN6[2])
    pattern = next(entry for entry in json.loads(started.ctl("-j", "ignore", "list").stdout)
                   if entry["device"] == mac)
    started.ctl("ignore", "del", pattern["id"])  # the id says whose it is
    assert is_intercepted(lab, ORIGIN6[2])


def test_a_devices_section_of_the_configuration_has_patterns_too(lab, engine):
    started = engine({"device cam": {"address": DEVICE4, "pattern": r"113\.3:"}})
    assert not is_intercepted(lab, ORIGIN4[2])
    started.ctl("ignore", "del", r"113\.3:", "-d", "cam")
    started.ctl("ignore", "add", r"113\.4:", "-d", "cam")
    assert is_intercepted(lab, ORIGIN4[2]) and not is_intercepted(lab, ORIGIN4[3])
    assert started.ctl("allow", "add", "x", "-d", "cam", check=False).returncode == 1
    unknown = started.ctl("ignore", "add", "x", "-d", "tv", check=False)
    assert unknown.returncode == 1 and "no device is called tv" in unknown.stderr


def test_allow_is_edited_and_never_left_empty(lab, engine):
    started = engine({"allow": {"pattern": SECOND}})
    assert is_intercepted(lab, ORIGIN4[1]) and not is_intercepted(lab, ORIGIN4[2])
    refused = started.ctl("allow", "del", SECOND, check=False)
    assert refused.returncode == 1 and "everything would be intercepted" in refused.stderr
    started.ctl("allow", "add", r"113\.3:")
    assert is_intercepted(lab, ORIGIN4[2])
    started.ctl("allow", "del", SECOND)
    assert not is_intercepted(lab, ORIGIN4[1])


def test_tcp_is_edited(lab, engine):
    started = engine()
    started.ctl("tcp", "add", SECOND)
    assert started.ctl("tcp", "test", "203.0.113.2:443").stdout.startswith("203.0.113.2:443 is found by ")
    assert "by no pattern" in started.ctl("tcp", "test", "203.0.113.3:443").stdout
    assert is_intercepted(lab, ORIGIN4[1])


def test_one_comes_in_place_of_another_in_one_change(lab, engine):
    started = engine({"ignore": {"pattern": SECOND}})
    started.ctl("ignore", "replace", listed(started)[SECOND]["id"], r"113\.3:443$")
    assert is_intercepted(lab, ORIGIN4[1]) and not is_intercepted(lab, ORIGIN4[2])
    assert len(changes(started, 1)) == 1 and started.status()["policy"]["revision"] == 2
    started.ctl("undo")
    assert not is_intercepted(lab, ORIGIN4[1]) and is_intercepted(lab, ORIGIN4[2])


def test_what_the_list_says_can_be_asked(engine):
    started = engine({"ignore": {"pattern": r"^a\.example:443$", "match": "address dns sni"},
                      "device cam": {"address": "192.0.2.7", "pattern": "^192"}})
    names = ["--name", "b.example", "--name", "a.example"]  # the one that is asked for counts
    told = started.ctl("ignore", "test", "203.0.113.9:443", *names).stdout
    assert told == "203.0.113.9:443 is found by no pattern\n"
    told = started.ctl("ignore", "test", "203.0.113.9:443", "--name", "a.example").stdout
    assert told == r"203.0.113.9:443 is found by ^a\.example:443$ (%s:2)" % started.config_path + "\n"
    assert "no pattern" in started.ctl("ignore", "test", "192.0.2.1:443").stdout
    assert "is found by ^192" in started.ctl("ignore", "test", "192.0.2.1:443", "--device", "cam").stdout
    explained = started.ctl("explain", "203.0.113.9:443", "--name", "a.example").stdout
    assert explained.startswith(r"203.0.113.9:443 ignore by ^a\.example:443$")
    assert "intercept" in started.ctl("explain", "192.0.2.1:443").stdout
    for arguments in (["--device", "cam"], ["--device", "cam", "-c", started.config_path]):
        assert "192.0.2.1:443 ignore by ^192" in started.ctl("explain", "192.0.2.1:443", *arguments).stdout
    assert started.ctl("explain", "192.0.2.1:443", "--device", "nobody", check=False).returncode == 1


# ---- with an editor ----

def editor(tmp_path, script):
    path = tmp_path / "editor"
    path.write_text("#!/bin/sh\nset -eu\n" + script)
    path.chmod(0o755)
    return {**os.environ, "EDITOR": str(path), "VISUAL": "", "TMPDIR": str(tmp_path)}


def test_the_list_is_edited_as_a_file_in_one_change(lab, engine, tmp_path):
    started = engine({"ignore": {"pattern": [SECOND, r"^203\.0\.113\.3:443$"]}})
    script = "cat \"$1\" > %s\nsed -i '/113.\\.2:/d' \"$1\"\n" % (tmp_path / "seen")
    script += "echo '  ^203\\.0\\.113\\.[45]:  ' >> \"$1\"\n"
    edited = started.ctl("ignore", "edit", env=editor(tmp_path, script))
    seen = [line for line in (tmp_path / "seen").read_text().splitlines() if not line.startswith("#")]
    assert seen == [SECOND, r"^203\.0\.113\.3:443$"]
    assert "ignore: %s -> nothing\nignore: nothing -> ^203" % SECOND in edited.stdout
    assert [is_intercepted(lab, origin) for origin in ORIGIN4[1:5]] == [True, False, False, False]
    assert len(changes(started, 1)) == 1
    started.ctl("undo", re.search(r"undo (\d+)$", edited.stdout).group(1))
    assert [is_intercepted(lab, origin) for origin in ORIGIN4[1:5]] == [False, False, True, True]
    assert list(tmp_path.glob("interceptctl-*")) == []


def test_an_edit_that_is_not_good_is_refused_and_not_lost(engine, tmp_path):
    started = engine({"ignore": {"pattern": SECOND}})
    environment = editor(tmp_path, "echo '^fine' >> \"$1\"\necho 'a(b' >> \"$1\"\n")
    refused = started.ctl("ignore", "edit", env=environment, check=False)
    kept = next(tmp_path.glob("interceptctl-ignore.*"))
    assert refused.returncode == 1
    assert "column 4: missing closing parenthesis" in refused.stderr
    assert "line 5 of %s" % kept in refused.stderr
    assert kept.read_text().endswith("^fine\na(b\n") and kept.stat().st_mode & 0o777 == 0o600
    assert list(listed(started)) == [SECOND]
    assert started.ctl("ignore", "edit", env=editor(tmp_path, "exit 1\n"), check=False).returncode == 1
    assert "nothing was changed" in started.ctl("ignore", "edit", env=editor(tmp_path, "true\n")).stdout
    assert changes(started) == []


def test_an_edit_loses_to_a_change_that_was_made_meanwhile(engine, tmp_path):
    started = engine({"ignore": {"pattern": SECOND}})
    script = "echo '^mine' >> \"$1\"\n%s -s %s ignore add '^theirs'\n" % (
        BUILD / "interceptctl", started.directory / "run/control.sock")
    refused = started.ctl("ignore", "edit", env=editor(tmp_path, script), check=False)
    assert refused.returncode == 6 and "revision is 2 by now, and not 1" in refused.stderr
    assert list(listed(started)) == [SECOND, "^theirs"]


# ---- time ----

def test_a_change_expires_by_itself_and_takes_the_kernels_rules_with_it(lab, engine):
    started = engine({"ignore": {"pattern": r"^203\.0\.113\.3:443$"}})
    started.ctl("ignore", "add", SECOND, "--for", SOON)
    started.ctl("ignore", "del", r"^203\.0\.113\.3:443$", "--for", SOON)
    started.ctl("set", "tls.upstream", "verify", "--for", SOON)
    assert not is_intercepted(lab, ORIGIN4[1]) and is_intercepted(lab, ORIGIN4[2])
    assert len(started.ignored()) == 1
    wait_for(lambda: started.status()["policy"]["edits"] == 0, "the expiry")
    assert started.ignored() == [] and len(listed(started)) == 1
    assert is_intercepted(lab, ORIGIN4[1]) and not is_intercepted(lab, ORIGIN4[2])
    assert "mirror" in started.ctl("get", "tls.upstream").stdout
    expired = [change for event in changes(started) if event["reason"] == "expiry"
               for change in event["changes"]]
    assert {"what": "ignore", "old": SECOND} in expired
    assert {"what": "tls.upstream", "old": "verify", "new": "mirror"} in expired
    assert all("by" not in event for event in changes(started) if event["reason"] == "expiry")


def test_what_expires_does_so_where_nothing_can_be_written(lab, engine):
    """A full disk must not let pass for ever what was to pass for an hour."""
    started = engine()
    state = started.directory / "state"
    started.ctl("ignore", "add", SECOND, "--for", SOON, "--persist")
    assert not is_intercepted(lab, ORIGIN4[1])
    state.chmod(0o1750)  # the engine's group may not write there any more
    try:
        wait_for(lambda: listed(started) == {}, "the expiry")
    finally:
        state.chmod(0o1770)
    assert is_intercepted(lab, ORIGIN4[1])
    started.wait_log(r"runtime\.json: Permission denied: what has expired still stands there")


def test_what_expires_gives_way_to_what_was_there_before(engine):
    started = engine({"ignore": {"match": "address"}})
    started.ctl("set", "ignore.match", "sni")
    started.ctl("set", "ignore.match", "host", "--for", "1s")
    assert "host" in started.ctl("get", "ignore.match").stdout
    wait_for(lambda: " sni " in started.ctl("get", "ignore.match").stdout, "the expiry")
    bad = started.ctl("ignore", "add", "x", "--for", "5 parsecs", check=False)
    assert bad.returncode == 1 and "expected a time from 1s" in bad.stderr


# ---- restarts and reloads ----

def test_what_persists_survives_a_restart_and_nothing_else_does(lab, engine):
    started = engine({"ignore": {"pattern": [r"^203\.0\.113\.3:443$", r"^203\.0\.113\.4:443$"]}})
    started.ctl("ignore", "add", SECOND, "--persist", "--note", "for ever")
    started.ctl("ignore", "add", "^one hour$", "--persist", "--for", "1h")
    started.ctl("ignore", "add", "^one second$", "--persist", "--for", "1s")
    started.ctl("ignore", "add", "^gone$")
    started.ctl("ignore", "del", r"^203\.0\.113\.3:443$", "--persist")
    started.ctl("ignore", "del", r"^203\.0\.113\.4:443$")
    started.ctl("set", "ignore.learn", "suggest", "--persist")
    started.ctl("device", "set", "192.0.2.7", "intercept=no", "--persist")
    ids = {text: pattern["id"] for text, pattern in listed(started).items()}
    kept = started.directory / "state/runtime.json"
    assert kept.stat().st_mode & 0o777 == 0o640 and "gone" not in kept.read_text()
    time.sleep(1.1)
    started.stop()
    again = engine({"ignore": {"pattern": [r"^203\.0\.113\.3:443$", r"^203\.0\.113\.4:443$"]},
                    "control": {"state": started.directory / "state"}})
    assert [is_intercepted(lab, origin) for origin in ORIGIN4[1:4]] == [False, True, False]
    patterns = listed(again)
    assert sorted(patterns) == [*(r"^203\.0\.113\.%d:443$" % i for i in (2, 3, 4)), "^one hour$"]
    assert patterns[SECOND]["note"] == "for ever" and 3500 < patterns["^one hour$"]["expires"] <= 3600
    assert all(ids[text] == pattern["id"] for text, pattern in patterns.items())
    assert "suggest" in again.ctl("get", "ignore.learn").stdout
    assert "intercept  no" in again.ctl("device", "show", "192.0.2.7").stdout
    assert changes(again, 1)[0]["reason"] == "start" and len(changes(again)[0]["changes"]) == 5
    again.ctl("ignore", "del", SECOND)
    left = [edit["pattern"] for edit in json.loads(kept.read_text())["edits"] if edit.get("present")]
    assert left == ["^one hour$"]


@pytest.mark.parametrize("content,reason", [
    ("nonsense", "it is no JSON"), ("{}", "it is of another version"),
    ('{"version": 1, "edits": [{"list": "ignore"}]}', "no list of edits"),
    ('{"version": 1, "edits": [{"list": "ignore", "pattern": "(", "present": true}]}',
     "missing closing parenthesis")])
def test_what_cannot_be_restored_is_told_and_the_rest_works(lab, engine, tmp_path, content, reason):
    state = tmp_path / "state"
    state.mkdir()
    (state / "runtime.json").write_text(content)
    started = engine({"control": {"state": state}})
    assert reason in started.log() and "what was changed at run time is not restored" in started.log()
    assert is_intercepted(lab, ORIGIN4[1])
    started.ctl("ignore", "add", SECOND, "--persist")
    assert json.loads((state / "runtime.json").read_text())["edits"][0]["pattern"] == SECOND


def test_a_change_that_cannot_be_kept_is_none(engine):
    started = engine()
    state = started.directory / "state"
    state.chmod(0o1750)  # the engine's group may not write there any more
    try:
        refused = started.ctl("ignore", "add", SECOND, "--persist", check=False)
    finally:
        state.chmod(0o1770)
    assert refused.returncode == 1 and "runtime.json: Permission denied" in refused.stderr
    assert listed(started) == {} and started.status()["policy"]["revision"] == 1


def test_edits_survive_a_reload_and_give_way_to_what_was_written_down(lab, engine):
    started = engine({"ignore": {"pattern": [SECOND, "^a"]}})
    started.ctl("ignore", "del", SECOND)
    started.ctl("ignore", "add", r"^203\.0\.113\.3:443$")
    started.reload({"ignore": {"pattern": ["^b", SECOND, r"^203\.0\.113\.3:443$"]}})
    assert is_intercepted(lab, ORIGIN4[1]) and not is_intercepted(lab, ORIGIN4[2])
    assert listed(started)[r"^203\.0\.113\.3:443$"]["place"] == "%s:4" % started.config_path
    assert [listed(started)[text]["enabled"] for text in ("^b", SECOND)] == [True, False]


def test_a_reload_is_answered_when_it_is_in_force_or_with_what_is_wrong(lab, engine):
    started = engine()
    started.write_config({"ignore": {"pattern": SECOND}, "network": {"listen-port": "9443"}})
    told = started.ctl("reload")
    assert not is_intercepted(lab, ORIGIN4[1])
    assert told.stdout == "reloaded %s\n" % started.config_path
    assert "warning: [network] listen-port has changed: that takes effect after a restart" in told.stderr
    started.write_config({"ignore": {"pattern": "(bad"}, "tls": {"min-version": "7"}})
    refused = started.ctl("reload", check=False)
    assert refused.returncode == 1 and "was not reloaded: the old policy stays" in refused.stderr
    assert "%s:2:15: missing closing parenthesis" % started.config_path in refused.stderr
    assert "[tls] min-version = 7" in refused.stderr
    started.write_config({"tls": {"trust": "/nowhere"}})
    refused = started.ctl("reload", check=False)
    assert refused.returncode == 1 and "[tls] trust = /nowhere: no certificates" in refused.stderr
    assert not is_intercepted(lab, ORIGIN4[1])


def test_edits_do_not_wait_for_a_reload_that_compiles(engine, tmp_path):
    listing = tmp_path / "long.list"
    listing.write_text("^a$\n")
    started = engine({"ignore": {"file": listing}})
    listing.write_text("".join("^host%d\\.(?:a|b)%d\\.example\\.com:443$\n" % (i, i * 7)
                               for i in range(3000)))
    with control(started) as slow, control(started) as quick:
        slow.send("reload")
        for i in range(5):
            assert quick.do("ignore.add", pattern="^%d$" % i)["rev"] == 2 + i
        answer = slow.line()
        assert answer["ok"] and answer["rev"] == 7
    assert len(listed(started)) == 3005
    assert [event["reason"] for event in changes(started, 6)] == ["operator"] * 5 + ["reload"]


def test_nothing_is_read_again_for_an_edit_and_no_connection_is_dropped(lab, engine, tmp_path):
    trust = tmp_path / "trust.pem"
    trust.write_bytes(lab.origin_ca.read_bytes())
    started = engine({"tls": {"trust": trust}, "ignore": {"pattern": "^x$"}})
    context = peers.client_context()
    with lab.device.connect(ORIGIN4[1]) as first, lab.device.connect(ORIGIN4[2]) as second:
        with context.wrap_socket(first) as taken, context.wrap_socket(second) as other:
            trust.unlink()
            for i in range(20):
                started.ctl("ignore", "add", r"^203\.0\.113\.%d:443$" % (i + 2))
            for secure in (taken, other):
                secure.sendall(b"GET /hello HTTP/1.0\r\n\r\n")
                assert b"hello from the origin" in peers.read_all(secure)
    assert {flow["intercept"]["policy_rev"] for flow in started.wait_records("flow", 2)} == {1}


# ---- settings and devices ----

def test_settings_hold_from_the_next_connection_on(lab, engine):
    started = engine({"ignore": {"pattern": r"^origin\.test:443$"}})
    assert is_intercepted(lab, ORIGIN4[0])
    assert started.ctl("set", "ignore.match", "address sni").stdout.startswith(
        "ignore.match: address -> address sni\nundo: ")
    assert not is_intercepted(lab, ORIGIN4[0])
    told = json.loads(started.ctl("-j", "get", "ignore.match").stdout)[0]
    assert (told["value"], told["from"], told["live"]) == ("address sni", "interceptctl", True)
    started.ctl("unset", "ignore.match")
    assert is_intercepted(lab, ORIGIN4[0])
    for arguments, reason in [(["ignore.match", "moon"], "ignore.match = moon: expected some of address"),
                              (["network.port", "80"], "network.port = 80: it cannot be set at run time"),
                              (["no.such", "1"], "there is no setting no.such")]:
        refused = started.ctl("set", *arguments, check=False)
        assert refused.returncode == 1 and reason in refused.stderr
    whole = {entry["key"]: entry for entry in json.loads(started.ctl("-j", "get").stdout)}
    assert whole["control.socket"]["from"].startswith("%s:" % started.config_path)
    assert whole["network.port"] == {"key": "network.port", "value": "443", "live": False, "from": "default"}


def test_devices_are_excluded_and_named_while_it_runs(lab, engine):
    started = engine({"device cam": {"address": DEVICE4}})
    mac = json.loads(lab.device.run("ip", "-j", "link", "show", "eth0").stdout)[0]["address"]
    told = started.ctl("device", "set", "cam", "intercept=no").stdout
    assert told.startswith("intercept of cam: yes -> no\n")
    assert not is_intercepted(lab, ORIGIN4[0]) and is_intercepted(lab, ORIGIN6[0])
    started.ctl("device", "set", mac, "intercept=yes", "quic=pass")  # goes before the file's
    assert is_intercepted(lab, ORIGIN4[0])
    started.ctl("device", "name", mac, "the phone")
    started.ctl("device", "set", "the phone", "intercept=no")
    assert not is_intercepted(lab, ORIGIN6[0])
    sections = json.loads(started.ctl("-j", "device", "list").stdout)
    assert [(section["device"], section["name"]) for section in sections] == [
        (mac, "the phone"), ("cam", "cam")]
    assert sections[0]["settings"]["quic"] == {"value": "pass", "from": "interceptctl", "persist": False}
    started.ctl("device", "set", "the phone", "intercept=", "quic=")
    assert is_intercepted(lab, ORIGIN6[0]) and not is_intercepted(lab, ORIGIN4[0])
    for arguments, reason in [(["cam", "mac=02:00:00:00:00:01"], "stands in the configuration"),
                              (["cam", "colour=red"], "there is no colour of a device"),
                              (["tv", "intercept=no"], "say what it is known by"),
                              (["cam", "intercept=maybe"], "intercept = maybe: expected yes or no")]:
        refused = started.ctl("device", "set", *arguments, check=False)
        assert refused.returncode == 1 and reason in refused.stderr
    started.ctl("device", "set", "tv", "address=%s" % DEVICE4, "intercept=yes")
    assert is_intercepted(lab, ORIGIN4[0])


def test_only_listed_devices(lab, engine):
    started = engine()
    started.ctl("set", "network.devices", "listed")
    assert not is_intercepted(lab, ORIGIN4[0])
    started.ctl("device", "set", DEVICE4, "intercept=yes")
    assert is_intercepted(lab, ORIGIN4[0]) and not is_intercepted(lab, ORIGIN6[0])


def test_the_kernels_rules_are_forgotten_when_told(lab, engine):
    started = engine({"ignore": {"pattern": SECOND}})
    lab.issuer(ORIGIN4[1])
    assert len(started.ignored()) == 1 and started.counters()["packets"] == 1
    started.ctl("ignored", "flush")
    assert started.ignored() == []
    lab.issuer(ORIGIN4[1])
    assert len(started.ignored()) == 1 and started.counters()["packets"] == 2
    assert changes(started, 1)[0]["changes"] == [{"what": "kernel rules", "new": "none"}]


def test_the_log_says_more_or_less_when_told(lab, engine):
    started = engine()
    assert started.ctl("log-level").stdout == "verbose\n"
    assert started.ctl("log-level", "info").stdout == "log-level: verbose -> info\n"
    lab.issuer(ORIGIN4[0])
    assert "clientconnect" not in started.log()
    started.ctl("log-level", "verbose")
    lab.issuer(ORIGIN4[0])
    started.wait_log("clientconnect")
    assert started.ctl("log-level", "shouting", check=False).returncode == 1


# ---- who may, and who did ----

def as_nobody(started, *arguments):
    return subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                           BUILD / "interceptctl", "-s", started.directory / "run/control.sock", *arguments],
                          capture_output=True, text=True, timeout=20 * PATIENCE)


def test_who_may_only_ask_changes_nothing(engine):
    started = engine({"ignore": {"pattern": "^a"}})
    with control(started, "control-ro.sock") as client:
        assert client.greeting["read_only"] is True
        commands = client.do("command-list")["data"]["commands"]
        changing = [command["name"] for command in commands if command["changes"]]
        assert {"ignore.add", "ignore.change", "set", "device.set", "undo", "reload",
                "ignored.flush"} < set(changing)
        for name in changing:
            assert client.ask(name, pattern="^b")["code"] == "permission", name
        assert client.ask("log-level", level="error")["code"] == "permission"
        assert client.do("ignore.list")["data"][0]["pattern"] == "^a"
        assert client.do("status")["rev"] == 1
    assert list(listed(started)) == ["^a"] and started.status()["policy"]["revision"] == 1


def test_a_stranger_may_ask_how_it_is_and_not_what_devices_do(engine):
    started = engine()
    assert os.stat(started.directory / "run/control-ro.sock").st_mode & 0o777 == 0o666
    assert as_nobody(started, "status").returncode == 0
    assert as_nobody(started, "ignore", "list").returncode == 0
    for arguments in (["ignore", "add", "^a"], ["reload"], ["ignore", "edit"]):
        assert as_nobody(started, *arguments).returncode == 4, arguments
    for arguments in (["ignored"], ["flows", "--follow"]):
        refused = as_nobody(started, *arguments)
        assert refused.returncode == 4 and "those who may read the records" in refused.stderr
    started.stop()
    assert not (started.directory / "run/control-ro.sock").exists()


@pytest.mark.parametrize("command", ["explain", "ignore.test"])
def test_a_stranger_may_ask_so_much_at_once(engine, command):
    """Answers take memory for as long as nobody reads them."""
    started = engine({"ignore": {"pattern": "^a"}})
    with control(started, "control-ro.sock") as client:
        assert len(client.do(command, targets=["a:1"] * 1000)["data"]) == 1000
        refused = client.ask(command, targets=["a:1"] * 1001)
        assert refused["code"] == "request" and refused["error"] == "more than 1000 targets at once"
    with control(started) as client:
        assert len(client.do(command, targets=["a:1"] * 1001)["data"]) == 1001


def test_the_socket_for_those_who_ask_may_be_elsewhere(engine, tmp_path):
    path = tmp_path / "ask/ask.sock"
    started = engine({"control": {"read-socket": path}})
    with Control(path) as client:
        assert client.do("status")["data"]["pid"] == started.pid()
    assert not (started.directory / "run/control-ro.sock").exists()


def test_a_long_path_of_the_socket_leaves_no_room_for_another_one(engine, tmp_path):
    """It is as good as it was before there was another one."""
    folder = tmp_path / "made"
    path = folder / ("s" * (107 - len(str(folder)) - 1))
    started = engine({"control": {"socket": path}})
    started.wait_log("there is no socket for those who may only ask: the path of the other one is too long")
    with Control(path) as client:
        assert client.do("ignore.add", pattern="^a")["rev"] == 2
        os.kill(client.do("status")["data"]["pid"], signal.SIGTERM)
    started.process.wait(timeout=20 * PATIENCE)


def test_the_records_and_the_log_tell_who_changed_what(engine):
    started = engine({"ignore": {"pattern": "^a"}})
    with control(started) as client:
        client.do("ignore.change", add=["^b"], **{"del": ["^a"]}, note="because", persist=True)
    event = changes(started, 1)[0]
    assert event["by"] == {"uid": os.getuid(), "pid": os.getpid()} and event["policy_rev"] == 2
    assert event["reason"] == "operator" and event["changes"] == [
        {"what": "ignore", "old": "^a", "note": "because", "persist": True},
        {"what": "ignore", "new": "^b", "note": "because", "persist": True}]
    started.wait_log(r"^changed ignore: \^a -> nothing, by user 0 \(process %d\): because$" % os.getpid())
    assert set(started.records("intercept")[0]) == {"timestamp", "event_type", "intercept"}


def test_a_change_is_for_one_revision_if_that_is_said(engine):
    started = engine()
    with control(started) as client:
        assert client.ask("ignore.add", if_rev=1, pattern="^a")["rev"] == 2
        refused = client.ask("ignore.add", if_rev=1, pattern="^b")
        assert not refused["ok"] and refused["code"] == "conflict" and refused["rev"] == 2
        assert client.ask("status", if_rev=1)["code"] == "conflict"
    assert started.ctl("ignore", "add", "^b", "--if-rev", "1", check=False).returncode == 6
    assert started.ctl("ignore", "add", "^b", "--if-rev", "2").returncode == 0


def test_whatever_is_for_another_revision_is_not_done(engine):
    started = engine()
    with control(started) as client:
        client.do("ignore.add", pattern="^a")
        commands = client.do("command-list")["data"]["commands"]
        for name in [command["name"] for command in commands if command["changes"]]:
            refused = client.ask(name, if_rev=1, all=True)
            assert refused.get("code") == "conflict", (name, refused)
            assert refused["error"] == "the policy's revision is 2 by now, and not 1"
        assert client.do("status")["rev"] == 2
    assert started.ctl("reload", "--if-rev", "1", check=False).returncode == 6


def test_of_two_who_change_the_same_revision_one_wins(engine):
    started = engine()
    clients = [control(started) for _ in range(8)]
    for number, client in enumerate(clients):
        client.send("ignore.add", if_rev=1, pattern="^%d" % number)
    answers = [client.line() for client in clients]
    assert sorted(answer["ok"] for answer in answers) == [False] * 7 + [True]
    assert {answer.get("code") for answer in answers} == {None, "conflict"}
    for client in clients:
        client.close()


def test_what_was_changed_again_since_is_not_taken_back(engine):
    started = engine({"ignore": {"pattern": ["^a", "^b"]}})
    started.ctl("set", "ignore.learn", "suggest")
    started.ctl("ignore", "del", "^a")
    started.ctl("set", "ignore.learn", "auto")
    refused = started.ctl("undo", "2", check=False)
    assert refused.returncode == 6 and "ignore.learn has been changed again since" in refused.stderr
    started.ctl("undo", "3")
    assert listed(started)["^a"]["enabled"]
    started.ctl("undo")  # the last one that was not taken back
    assert "suggest" in started.ctl("get", "ignore.learn").stdout
    started.ctl("undo")
    assert "off" in started.ctl("get", "ignore.learn").stdout
    assert started.ctl("undo", check=False).returncode == 1
    assert started.ctl("undo", "99", check=False).returncode == 1


# ---- following ----

class Followed:
    """interceptctl flows --follow, and what it has printed."""

    def __init__(self, lab, started, *arguments):
        self.process = lab.router.spawn(BUILD / "interceptctl", "-s", started.directory / "run/control.sock",
                                        "flows", "--follow", *arguments, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.lines = []
        self.thread = threading.Thread(target=lambda: self.lines.extend(self.process.stdout))
        self.thread.start()

    def wait(self, pattern):
        wait_for(lambda: any(re.search(pattern, line) for line in self.lines),
                 "%r in %r" % (pattern, self.lines))

    def stop(self):
        self.process.terminate()
        self.thread.join()
        return self.lines


def test_flows_are_followed_as_they_happen(lab, engine):
    started = engine({"ignore": {"pattern": SECOND}})
    all_lines = Followed(lab, started)
    some = Followed(lab, started, "~d", "ORIGIN.test", "&", "!~dst", r"113\.2:")
    as_json = Followed(lab, started, "-j", "~dst 203.0.113.2")
    wait_for(lambda: following(lab, started) == 3, "three followers")
    lab.issuer(ORIGIN4[0])
    lab.issuer(ORIGIN4[1])
    device = r"10\.77\.0\.2:\d+"
    all_lines.wait(r"intercept bypass      %s -> 203\.0\.113\.2:443  \^203.* \(.*\.conf:2\)" % device)
    all_lines.wait(r"flow      intercept   %s -> 203\.0\.113\.1:443 origin\.test  device_no_data, " % device)
    started.ctl("ignore", "add", "^x")
    all_lines.wait(r"change    revision 2: ignore: nothing -> \^x")
    as_json.wait('"bypass"')
    assert all("203.0.113.1:443 origin.test" in line for line in some.stop()) and len(some.lines) == 3
    assert "interceptd: our CA is not on the device" in some.lines[1]
    assert all(json.loads(line)["dest_ip"] == "203.0.113.2" for line in as_json.stop())
    assert len(all_lines.stop()) == 5


def following(lab, started):
    """Connections to the control socket that the engine has."""
    table = lab.router.run("ss", "-xH").stdout
    return len(re.findall(r"ESTAB.*%s/run/control\.sock " % re.escape(str(started.directory)), table))


def test_events_are_followed_where_none_are_written(lab, engine):
    started = engine({"events": {}})
    started.write_config({})
    text = started.config_path.read_text()
    started.config_path.write_text(text[:text.index("[events]")])
    started.ctl("reload")
    with control(started) as client:
        client.do("events.follow")
        lab.issuer(ORIGIN4[0])
        types = [client.line()["event_type"] for _ in range(4)]
        assert types == ["intercept", "tls", "alert", "flow"]
        client.do("status")
    size = started.events_path.stat().st_size
    written = started.status()["records"]["written"]
    lab.issuer(ORIGIN4[0])
    started.wait_log("clientdisconnect", 2)
    assert started.events_path.stat().st_size == size
    assert started.status()["records"]["written"] - written <= 3  # the log's own lines, and no events


def test_a_slow_follower_is_told_what_it_has_missed(lab, engine):
    """And nobody waits for it."""
    started = engine()
    with control(started) as slow, control(started) as quick:
        slow.do("events.follow")
        many = ["^%d$%s" % (i, "x" * 150) for i in range(4000)]
        for at in range(0, 4000, 1000):
            begun = time.monotonic()
            quick.send("ignore.change", add=many[at:at + 1000])
            assert json.loads(quick.stream.readline())["ok"]
            assert time.monotonic() - begun < 30 * PATIENCE
            if at == 0:
                wait_for(lambda: len(changes(started)) > 0, "the events")
        assert is_intercepted(lab, ORIGIN4[0])
        seen = gaps = 0
        slow.socket.settimeout(2)
        try:
            while True:
                line = slow.line()
                gaps += line.get("gap", 0)
                seen += "gap" not in line
        except socket.timeout:
            pass
    assert seen > 0 and gaps > 0
    assert seen + gaps == len(started.records())


@pytest.mark.parametrize("expression,column,reason", [
    ("~d", 3, "expected a regular expression"), ("~zz x", 1, "unknown operator"), ("(~e", 1, "not closed"),
    ("~d a) ", 5, "not opened"), ("~d 'a(b'", 8, "missing closing parenthesis"),
    ("~c x", 4, "a status code")])
def test_a_bad_filter_is_told_with_its_column(engine, expression, column, reason):
    started = engine()
    refused = started.ctl("flows", "--follow", expression, check=False)
    assert refused.returncode == 2 and reason in refused.stderr
    assert refused.stderr.startswith("interceptctl: column %d of the filter: " % column)


# ---- completion ----

def completions(line, path):
    """What bash offers for the last word of a line."""
    script = "source %s; COMP_WORDS=(%s); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _interceptctl; " \
        "printf '%%s\\n' \"${COMPREPLY[@]}\"" % (ROOT / "scripts/install/interceptctl.bash", line)
    result = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True,
                            env={"PATH": "%s:/usr/bin:/bin" % path})
    return [word for word in result.stdout.splitlines() if word]


def test_words_are_completed_by_what_the_daemon_knows(engine):
    started = engine({"device cam": {"address": "192.0.2.7"}})
    at = "interceptctl -s %s " % (started.directory / "run/control.sock")
    assert completions(at + "ign", BUILD) == ["ignore", "ignored"]
    assert {"list", "add", "del", "edit", "test", "replace"} == set(completions(at + "ignore ''", BUILD))
    assert "--persist" in completions(at + "ignore add x --", BUILD)
    assert completions(at + "set tls.up", BUILD) == ["tls.upstream"]
    assert completions(at + "ignore add x --device c", BUILD) == ["cam"]
    assert completions(at + "log-level v", BUILD) == ["verbose"]
    assert completions("interceptctl -s /nowhere ign", BUILD) == ["ignore", "ignored"]  # without the daemon
    assert "add" in completions("interceptctl -s /nowhere ignore ''", BUILD)


def test_a_word_of_the_daemons_is_no_command(engine, tmp_path, monkeypatch):
    """Whoever may name a device does not become who completes words: root, perhaps."""
    monkeypatch.chdir(tmp_path)
    started = engine({"device cam": {"address": "192.0.2.7"}})
    with control(started) as client:
        for name in ("$(touch made)", "living room", "`touch made`"):
            client.do("device.set", device=name, set={"address": "192.0.2.8"})
    at = "interceptctl -s %s ignore add x --device " % (started.directory / "run/control.sock")
    assert completions(at + "'$'", BUILD) == [r"\$\(touch\ made\)"]
    assert completions(at + "'`'", BUILD) == [r"\`touch\ made\`"]
    assert len(completions(at + "''", BUILD)) == 4
    assert completions(at + "liv", BUILD) == [r"living\ room"]
    assert completions(at + r"'living\ r'", BUILD) == [r"living\ room"]
    assert not (tmp_path / "made").exists()


def test_the_manual_has_every_command(engine):
    started = engine()
    page = ROOT / "scripts/install/man/interceptctl.8"
    manual = re.sub(".\b", "", subprocess.run(["mandoc", "-T", "utf8", page], capture_output=True,
                                              text=True).stdout)
    for line in started.ctl("command-list").stdout.splitlines():
        words = [word for word in line.split() if word.islower() and not word.startswith("-")]
        assert all(word in manual for word in words), line
        assert all(word in manual for word in re.findall(r"--[a-z-]+", line)), line
