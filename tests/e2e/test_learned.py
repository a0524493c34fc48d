# SPDX-License-Identifier: GPL-3.0-or-later
"""Pinned apps: devices that refuse our certificate where they accept others of ours."""

import json
import os
import re
import ssl
import time

import pki
import peers
import pytest

from lab import DEVICE4, ENGINE_USER, ORIGIN4, ORIGIN6, bracketed, wait_for

AUTO = {"ignore": {"learn": "auto", "after-rejections": 2}}
PINNED4, PINNED6 = ORIGIN4[0], ORIGIN6[0]
FAMILIES = pytest.mark.parametrize("origin", [PINNED4, PINNED6], ids=["ipv4", "ipv6"])


def wget(lab, ca=None, origin=PINNED4, host=None):
    """An app that trusts one CA alone, its origin's: it closes after the handshake with us, without a word."""
    resolved = "%s origin.test" % origin
    return (host or lab.device).run(
        "unshare", "-m", "sh", "-c",
        "echo %s > /tmp/hosts.$$ && mount --bind /tmp/hosts.$$ /etc/hosts && rm /tmp/hosts.$$ && "
        "exec wget -q -T 10 -t 1 -O - --no-hsts --ca-certificate %s https://origin.test/hello"
        % ("'%s'" % resolved, ca or lab.origin_ca), check=False)


def accept(lab, started, origin=ORIGIN4[8]):
    """Another app on the device, elsewhere, takes our certificate: our CA is there."""
    lab.curl("https://origin.test/hello", origin=origin, ca=started.ca)


def refuse(lab, started, count, origin=PINNED4, host=None):
    for _ in range(count):
        seen = len(started.records("flow"))
        assert wget(lab, origin=origin, host=host).returncode == 5
        started.wait_records("flow", seen + 1)


def learned(started):
    return json.loads(started.ctl("-j", "learned").stdout)


def restart(engine, started, config=None):
    """Another engine, where the first one was."""
    started.stop()
    state = started.directory / "state"
    return engine({**(config or AUTO), "control": {"state": state}, "tls": {"ca": state / "ca.pem"}})


def last_flow(started):
    return started.records("flow")[-1]["intercept"]


@FAMILIES
def test_E5_a_pinned_app_passes_where_the_device_has_our_ca(lab, engine, origin):
    """Data counts, and handshakes do not: wget finishes them."""
    started = engine(AUTO)
    accept(lab, started)
    refuse(lab, started, 2, origin)
    line = started.wait_log(r"^.*an app is pinned there; its connections pass from now on.*$").group(0)
    assert "origin.test:443 (without a word 2 times)" in line
    seen = len(started.records("flow"))
    assert wget(lab, origin=origin).stdout == "hello from the origin\n"
    passed = started.wait_records("flow", seen + 1)[-1]["intercept"]
    assert (passed["action"], passed["reason"]) == ("passthrough", "pinned")
    assert passed["evidence"] == "without a word 2 times" and passed["learned"] == 1
    (event,) = [record["intercept"] for record in started.records("intercept")
                if record["intercept"]["action"] == "learned"]
    assert event["evidence"] == "without a word 2 times" and event["learned"] == 1
    # Other names are not meant, nor is the same name on another port.
    assert "O = interceptd," in lab.issuer(origin, 443, "-servername", "other.test")


@FAMILIES
def test_E5_a_finding_is_for_its_device_and_said_everywhere(lab, engine, origin):
    """Another device's app may not be pinned there."""
    pinned, other = lab.add_device(), lab.add_device()
    started = engine(AUTO)
    try:
        def get(device):
            return device.run("curl", "-sS", "--cacert", started.ca, "--resolve",
                              "origin.test:443:" + bracketed(origin), "https://origin.test/hello", check=False)
        for device in pinned, other:
            device.run("curl", "-sS", "--cacert", started.ca, "--resolve", "origin.test:443:" + ORIGIN4[8],
                       "https://origin.test/hello")
        refuse(lab, started, 2, origin, pinned)
        assert get(pinned).returncode == 60 and get(other).stdout == "hello from the origin\n"
        evidence = "without a word 2 times"
        # By MAC address and by IP address.
        for name in pinned.mac, pinned.address4:
            told = started.ctl("explain", "--device", name, "--name", "origin.test", bracketed(origin) + ":443").stdout
            assert "ignore (its app is pinned; learned 1: %s)" % evidence in told
        assert "intercept" in started.ctl("explain", "--device", other.mac, "--name", "origin.test",
                                          bracketed(origin) + ":443").stdout
        assert "2x closed without a word" in started.ctl("learned").stdout
        assert {started.devices()[device.mac]["ca"] for device in (pinned, other)} == {"trusted"}
        (finding,) = learned(started)["findings"]
        assert finding["device"]["mac"] == pinned.mac
    finally:
        lab.remove_device(pinned)
        lab.remove_device(other)


def test_E5_alerts_are_evidence(lab, engine):
    started = engine(AUTO)
    accept(lab, started)
    for _ in range(2):
        seen = len(started.records("flow"))
        assert lab.curl("https://origin.test/hello", check=False).returncode == 60  # trusts its origin's CA alone
        started.wait_records("flow", seen + 1)
    (finding,) = learned(started)["findings"]
    assert finding["state"] == "found" and finding["host"] == "origin.test" and finding["port"] == 443
    assert finding["evidence"]["refusals"] == 2
    assert finding["evidence"]["alerts"] == [{"number": 48, "name": "unknown CA", "count": 2}]
    table = started.ctl("learned").stdout
    assert "origin.test:443" in table and "2x unknown CA (48)" in table
    assert lab.curl("https://origin.test/hello").stdout == "hello from the origin\n"


def test_E5_a_device_without_our_ca_teaches_nothing_and_that_is_said_once(lab, engine):
    started = engine(AUTO)
    refuse(lab, started, 5)
    line = started.wait_log(r"^.*has never accepted one.*$").group(0)
    assert DEVICE4 in line and str(started.ca) in line
    assert len(re.findall("has never accepted one", started.log())) == 1
    told = learned(started)
    assert told["findings"] == [] and told["devices"][0]["refusals"] == 5
    assert "our CA is missing on it" in started.ctl("learned").stdout
    assert "missing" in {device["ca"] for device in started.devices().values()}
    assert last_flow(started)["action"] == "intercept"
    accept(lab, started)  # now it is installed: from here on it counts
    refuse(lab, started, 2)
    assert wget(lab).stdout == "hello from the origin\n"


def test_E5_a_suggestion_comes_with_the_pattern_to_use(lab, engine):
    started = engine({"ignore": {"learn": "suggest", "after-rejections": 2}})
    accept(lab, started)
    refuse(lab, started, 4)
    line = started.wait_log(r"^.*to let it pass: pattern = (\S+), or interceptctl learned keep 1").group(1)
    assert line == r"^203\.0\.113\.1:443$"
    assert len(re.findall("to let it pass", started.log())) == 1
    assert last_flow(started)["action"] == "intercept"
    started.ctl("learned", "keep", "1")
    assert wget(lab).stdout == "hello from the origin\n"


def test_E5_a_suggestion_is_by_name_where_names_are_looked_at(lab, engine):
    started = engine({"ignore": {"learn": "suggest", "after-rejections": 1, "match": "address sni"}})
    accept(lab, started)
    refuse(lab, started, 1)
    assert started.wait_log(r"to let it pass: pattern = (\S+),").group(1) == r"^origin\.test:443$"


def test_E5_an_acceptance_starts_the_count_again(lab, engine):
    started = engine(AUTO)
    for _ in range(3):
        refuse(lab, started, 1)
        accept(lab, started, PINNED4)
        refuse(lab, started, 1)
        accept(lab, started, PINNED4)
    assert "an app is pinned" not in started.log() and learned(started)["findings"] == []


def connected(lab):
    return peers.client_context().wrap_socket(lab.device.connect(PINNED4), server_hostname="origin.test")


def test_E5_an_acceptance_counts_while_its_connection_lasts(lab, engine):
    """One that lasts, begun before the refusals, excuses none of them when it ends."""
    started = engine(AUTO)
    with connected(lab) as lasting:
        lasting.sendall(b"GET /hello HTTP/1.1\r\nHost: origin.test\r\n\r\n")
        assert lasting.recv(1000)
        connected(lab).close()
        started.wait_records("flow", 1)
    started.wait_records("flow", 2)
    connected(lab).close()
    started.wait_log("an app is pinned there")


def test_E5_an_acceptance_is_known_before_its_connection_ends(lab, engine):
    started = engine(AUTO)
    accept(lab, started)
    connected(lab).close()
    started.wait_records("flow", 2)
    with connected(lab) as lasting:
        lasting.sendall(b"GET /hello HTTP/1.1\r\nHost: origin.test\r\n\r\n")
        assert lasting.recv(1000)
        connected(lab).close()
        started.wait_records("flow", 3)
        with connected(lab) as third:  # left open: its end would be another refusal
            assert peers.issuer_of(third) == "interceptd"
            assert "an app is pinned" not in started.log()


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_E5_a_resumed_session_shows_no_certificate_to_refuse(lab, engine, version):
    started = engine({"ignore": {"learn": "auto", "after-rejections": 1}})
    context = peers.client_context()
    context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, version)
    with context.wrap_socket(lab.device.connect(PINNED4), server_hostname="origin.test") as first:
        first.sendall(b"GET /hello HTTP/1.1\r\nHost: origin.test\r\n\r\n")
        assert first.recv(1000)
        session = first.session
    with context.wrap_socket(lab.device.connect(PINNED4), server_hostname="origin.test",
                             session=session) as again:
        assert again.session_reused
    (resumed,) = [flow["intercept"] for flow in started.wait_records("flow", 2)
                  if flow["intercept"]["client"].get("resumed")]
    assert resumed["ending"] != "device_no_data" and resumed["phase"] == "after_handshake"
    assert learned(started)["findings"] == []


def test_E5_what_the_device_would_have_refused_anyway_does_not_count(lab, engine, tmp_path):
    started = engine({"ignore": {"learn": "auto", "after-rejections": 1}, "network": {"port": "443 4433"}})
    accept(lab, started)
    certificate, key = pki.make().write(tmp_path, "self-signed")
    server = peers.s_server(lab, 4433, "-www", "-cert", certificate, "-key", key)
    try:
        for count in range(1, 4):
            assert lab.curl("https://origin.test:4433/", ca=started.ca, check=False).returncode == 60
            assert started.wait_records("flow", count + 1)[-1]["intercept"]["action"] == "intercept"
    finally:
        server.kill()
        server.wait()
    assert learned(started)["findings"] == []


def test_E5_refusals_count_within_the_time_only(lab, engine):
    started = engine({"ignore": {"learn": "auto", "after-rejections": 2, "rejections-within": "1s"}})
    accept(lab, started)
    for _ in range(3):
        refuse(lab, started, 1)
        time.sleep(2.1)
    assert "an app is pinned" not in started.log()


def test_E5_a_finding_expires(lab, engine):
    started = engine({"ignore": {"learn": "auto", "after-rejections": 2, "learned-for": "5s"}})
    accept(lab, started)
    refuse(lab, started, 2)
    assert wget(lab).returncode == 0
    wait_for(lambda: learned(started)["findings"] == [], "it to be forgotten", 15)
    assert wget(lab).returncode == 5


def test_E5_one_command_takes_a_finding_back(lab, engine):
    started = engine(AUTO)
    accept(lab, started)
    refuse(lab, started, 2)
    assert wget(lab).returncode == 0
    started.ctl("learned", "forget", "1")
    assert wget(lab).returncode == 5
    refused = started.ctl("learned", "forget", "1", check=False)
    assert refused.returncode == 1 and "there is no such finding" in refused.stderr
    for wrong in (["forget"], ["forget", "x"], ["keep"], ["what"], ["forget", "1", "2"]):
        assert started.ctl("learned", *wrong, check=False).returncode == 2
    refuse(lab, started, 1)
    started.ctl("learned", "forget", "all")
    assert learned(started)["findings"] == []


@pytest.mark.parametrize("keep", [False, True])
def test_E5_findings_outlive_a_reload_and_a_restart(lab, engine, keep):
    config = {"ignore": {"learn": "auto", "after-rejections": 2, "learned-for": "1h"}}
    started = engine(config)
    accept(lab, started)
    refuse(lab, started, 2)
    if keep:
        started.ctl("learned", "keep", "1")
    before = learned(started)["findings"]
    assert before[0]["state"] == ("kept" if keep else "found")
    started.reload(config)
    assert learned(started)["findings"] == before
    again = restart(engine, started, config)
    assert learned(again)["findings"] == before
    assert wget(lab).stdout == "hello from the origin\n"
    mode = (started.directory / "state/learned.json").stat().st_mode & 0o777
    assert mode == 0o600


@pytest.mark.parametrize("text", ["", "{", '{"version":9}', '{"version":1,"findings":[{"id":1}],"devices":[]}',
                                  "\0" * 1000],
                         ids=["empty", "cut", "of-another-version", "half-a-finding", "zeros"])
def test_a_damaged_file_of_findings_is_put_aside(lab, engine, text):
    first = engine(AUTO)
    path = first.directory / "state/learned.json"
    path.write_text(text)
    os.chown(path, ENGINE_USER, ENGINE_USER)  # the engine's own, as it writes it
    again = restart(engine, first)
    again.wait_log(r"learned\.json: .*: what was learned is not known any more; the file is now .*damaged")
    assert (path.parent / "learned.json.damaged").read_text() == text
    assert learned(again) == {"version": 1, "findings": [], "devices": []}


def test_E5_is_off_by_default(lab, engine):
    started = engine()
    accept(lab, started)
    for count in range(1, 6):
        assert wget(lab).returncode == 5
        assert started.wait_records("flow", count + 1)[-1]["intercept"]["action"] == "intercept"
    assert learned(started)["findings"] == []


def test_without_a_name_the_address_counts(lab, engine):
    started = engine(AUTO)
    accept(lab, started)
    url = "https://%s/hello" % bracketed(PINNED4)
    for count in range(2):
        assert lab.curl(url, check=False).returncode == 60
        started.wait_records("flow", count + 2)
    (finding,) = learned(started)["findings"]
    assert finding["host"] == PINNED4 and not finding["is_name"]
    assert lab.curl(url).stdout == "hello from the origin\n"
