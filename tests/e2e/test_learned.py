# SPDX-License-Identifier: GPL-3.0-or-later
"""Pinned apps: devices that refuse our certificate where they accept others of ours."""

import contextlib
import json
import os
import re
import ssl
import threading
import time

import pki
import peers
import pytest

from lab import DEVICE4, DEVICE6, ENGINE_USER, ORIGIN4, ORIGIN6, PATIENCE, ROUTER4, bracketed, wait_for
from test_live import as_nobody
from test_names import A4, A6, dnsmasq, fetch, passes, resolve, resolving_by

AUTO = {"ignore": {"learn": "auto", "after-rejections": 2}}
PINNED4, PINNED6 = ORIGIN4[0], ORIGIN6[0]
FAMILIES = pytest.mark.parametrize("origin", [PINNED4, PINNED6], ids=["ipv4", "ipv6"])


def wget(lab, ca=None, origin=PINNED4, host=None):
    """An app that trusts its origin's CA alone: it closes after the handshake with us, without a word."""
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


def events(started):
    """What was learned, kept and forgotten, as the records have it."""
    return [record["intercept"] for record in started.records("intercept")
            if record["intercept"]["action"] == "learned"]


def wait_event(started, reason):
    wait_for(lambda: events(started) and events(started)[-1]["reason"] == reason, "the event " + reason)
    return events(started)[-1]


@pytest.fixture
def second(lab):
    """Another device."""
    device = lab.add_device()
    yield device
    lab.remove_device(device)


@pytest.fixture
def resolver(lab):
    """dnsmasq on the box; the device uses it."""
    with dnsmasq(lab, lab.router, ROUTER4), resolving_by(lab.device, ROUTER4):
        yield


@contextlib.contextmanager
def self_signed(lab, tmp_path):
    """An origin on port 4433 that nobody trusts."""
    certificate, key = pki.make().write(tmp_path, "self-signed")
    server = peers.s_server(lab, 4433, "-www", "-cert", certificate, "-key", key)
    try:
        yield
    finally:
        server.kill()
        server.wait()


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
    (event,) = events(started)
    assert event["reason"] == "pinned"
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
                              "origin.test:443:" + bracketed(origin), "https://origin.test/hello",
                              check=False)
        for device in pinned, other:
            device.run("curl", "-sS", "--cacert", started.ca, "--resolve", "origin.test:443:" + ORIGIN4[8],
                       "https://origin.test/hello")
        refuse(lab, started, 2, origin, pinned)
        assert get(pinned).returncode == 60 and get(other).stdout == "hello from the origin\n"
        evidence = "without a word 2 times"
        # By MAC address and by IP address.
        for name in pinned.mac, pinned.address4:
            told = started.ctl("explain", "--device", name, "--name", "origin.test",
                               bracketed(origin) + ":443").stdout
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
        # It trusts its origin's CA alone.
        assert lab.curl("https://origin.test/hello", check=False).returncode == 60
        started.wait_records("flow", seen + 1)
    (finding,) = learned(started)["findings"]
    assert finding["verdict"] == "passing" and finding["host"] == "origin.test" and finding["port"] == 443
    assert finding["evidence"]["refusals"] == 2
    assert finding["evidence"]["alerts"] == [{"number": 48, "name": "unknown CA", "count": 2}]
    table = started.ctl("learned").stdout
    assert "origin.test:443" in table and "2x unknown CA (48)" in table and "passing" in table
    evidence = finding["evidence"]
    assert evidence["origin"] == PINNED4 + ":443" and re.match(r"t13d", evidence["ja4"])
    assert evidence["first"] <= evidence["last"] <= time.time() + 1
    assert 0 < finding["expires"] - evidence["last"] <= 30 * 86400
    assert finding["device"]["ip"] == DEVICE4 and re.fullmatch("([0-9a-f]{2}:){5}[0-9a-f]{2}",
                                                               finding["device"]["mac"])
    assert lab.curl("https://origin.test/hello").stdout == "hello from the origin\n"


def test_E5_a_device_without_our_ca_teaches_nothing_and_that_is_said_once(lab, engine):
    started = engine(AUTO)
    refuse(lab, started, 5)
    line = started.wait_log(r"^.*has never accepted one.*$").group(0)
    assert DEVICE4 in line and str(started.ca) in line
    assert len(re.findall("has never accepted one", started.log())) == 1
    told = learned(started)
    assert told["findings"] == [] and told["devices"][0]["refusals"] == 5
    assert told["devices"][0]["ca"] == "missing"
    table = started.ctl("learned").stdout
    assert "our CA is missing on it" in table and "install %s on it" % started.ca in table
    assert "missing" in {device["ca"] for device in started.devices().values()}
    assert last_flow(started)["action"] == "intercept"
    accept(lab, started)  # now it is installed: from here on it counts
    assert "trusted" in {device["ca"] for device in started.devices().values()}
    assert "our CA is on it" in started.ctl("learned").stdout
    refuse(lab, started, 2)
    assert wget(lab).stdout == "hello from the origin\n"


def test_E5_only_a_certificate_of_our_cas_shows_that_it_is_there(lab, engine, tmp_path):
    """An origin that nobody trusts is shown as one: whoever takes that takes anything."""
    started = engine({**AUTO, "network": {"port": "443 4433"}})
    with self_signed(lab, tmp_path):
        assert lab.curl("https://origin.test:4433/", "-k").returncode == 0
    started.wait_records("flow")
    refuse(lab, started, 3)
    started.wait_log("has never accepted one")
    assert learned(started)["findings"] == []


def test_E5_the_operators_own_certificate_shows_nothing_of_our_ca(lab, engine, tmp_path):
    """It was shown in place of a forgery."""
    ca = pki.make("Own CA", names=[], is_ca=True)
    trusted, _ = ca.write(tmp_path, "own-ca")
    certificate, key = pki.make(issuer=ca).write(tmp_path, "own")
    whole = tmp_path / "own-all.pem"
    whole.write_text(certificate.read_text() + key.read_text())
    started = engine({**AUTO, "destination own": {"pattern": "^%s:443$" % re.escape(PINNED4),
                                                  "certificate": whole}})
    assert lab.curl("https://origin.test/hello", ca=trusted).stdout == "hello from the origin\n"
    started.wait_records("flow")
    refuse(lab, started, 3, ORIGIN4[1])
    started.wait_log("has never accepted one")
    accept(lab, started)
    refuse(lab, started, 3)  # it is not ours that is refused
    assert learned(started)["findings"] == []


def test_E5_a_suggestion_comes_with_the_pattern_to_use(lab, engine):
    started = engine({"ignore": {"learn": "suggest", "after-rejections": 2}})
    accept(lab, started)
    refuse(lab, started, 4)
    line = started.wait_log(r"^.*to let it pass: pattern = (\S+), or interceptctl learned keep 1").group(1)
    assert line == r"^203\.0\.113\.1:443$"
    assert len(re.findall("to let it pass", started.log())) == 1
    assert last_flow(started)["action"] == "intercept"
    (finding,) = learned(started)["findings"]
    assert finding["verdict"] == "suggested" and not finding["passes"] and finding["pattern"] == line
    assert "pattern = %s, or interceptctl learned keep 1" % line in started.ctl("learned").stdout
    assert wait_event(started, "suggested")["learned"] == 1
    started.ctl("learned", "keep", "1")
    assert wait_event(started, "kept")["evidence"] == "without a word 4 times"
    assert wget(lab).stdout == "hello from the origin\n"


def test_E5_a_suggestion_is_by_name_where_names_are_looked_at(lab, engine):
    started = engine({"ignore": {"learn": "suggest", "after-rejections": 1, "match": "address sni"}})
    accept(lab, started)
    refuse(lab, started, 1)
    assert started.wait_log(r"to let it pass: pattern = (\S+),").group(1) == r"^origin\.test:443$"


def test_E5_a_suggestion_is_withdrawn_where_the_device_accepts_after_all(lab, engine):
    started = engine({"ignore": {"learn": "suggest", "after-rejections": 2}})
    accept(lab, started)
    refuse(lab, started, 2)
    assert len(learned(started)["findings"]) == 1
    accept(lab, started, PINNED4)
    assert wait_event(started, "accepted")["learned"] == 1
    assert learned(started)["findings"] == []


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


def test_E5_what_was_opened_in_advance_and_not_needed_is_no_refusal(lab, engine):
    """Browsers do so, and close it later."""
    started = engine({"ignore": {"learn": "auto", "after-rejections": 1}})
    accept(lab, started)
    with connected(lab):
        time.sleep(6)
    (idle,) = [flow["intercept"] for flow in started.wait_records("flow", 2)
               if flow["intercept"]["phase"] == "after_handshake"]
    assert idle["ending"] == "device_no_data"
    assert learned(started)["findings"] == []
    connected(lab).close()  # at once
    wait_for(lambda: learned(started)["findings"], "the finding")


def test_E5_what_the_device_would_have_refused_anyway_does_not_count(lab, engine, tmp_path):
    started = engine({"ignore": {"learn": "auto", "after-rejections": 1}, "network": {"port": "443 4433"}})
    accept(lab, started)
    with self_signed(lab, tmp_path):
        for count in range(1, 4):
            assert lab.curl("https://origin.test:4433/", ca=started.ca, check=False).returncode == 60
            assert started.wait_records("flow", count + 1)[-1]["intercept"]["action"] == "intercept"
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
    assert wait_event(started, "expired")["learned"] == 1
    assert learned(started)["findings"] == []
    started.wait_log("forgotten that an app on %s is pinned at origin.test:443: its time is over" % DEVICE4)
    assert wget(lab).returncode == 5


def test_E5_one_command_takes_a_finding_back(lab, engine):
    started = engine(AUTO)
    accept(lab, started)
    refuse(lab, started, 2)
    assert wget(lab).returncode == 0
    started.ctl("learned", "forget", "1")
    assert wget(lab).returncode == 5
    assert wait_event(started, "forgotten")["evidence"] == "without a word 2 times"
    refused = started.ctl("learned", "forget", "1", check=False)
    assert refused.returncode == 1 and "there is no such finding" in refused.stderr
    for wrong in (["forget"], ["forget", "x"], ["keep"], ["what"], ["forget", "1", "2"]):
        assert started.ctl("learned", *wrong, check=False).returncode == 2
    refuse(lab, started, 1)  # and one before
    assert [finding["id"] for finding in learned(started)["findings"]] == [2]
    started.ctl("learned", "forget", "all")
    assert learned(started)["findings"] == []
    assert [event["reason"] for event in events(started)] == ["pinned", "forgotten"] * 2


@pytest.mark.parametrize("keep", [False, True])
def test_E5_findings_outlive_a_reload_and_a_restart(lab, engine, keep):
    config = {"ignore": {"learn": "auto", "after-rejections": 2, "learned-for": "1h"}}
    started = engine(config)
    accept(lab, started)
    refuse(lab, started, 2)
    if keep:
        started.ctl("learned", "keep", "1")
    before = learned(started)["findings"]
    assert before[0]["verdict"] == ("kept" if keep else "passing")
    started.reload(config)
    assert learned(started)["findings"] == before
    again = restart(engine, started, config)
    assert learned(again)["findings"] == before
    assert wget(lab).stdout == "hello from the origin\n"
    # That our CA is on the device is still known, too: what is refused elsewhere counts at once.
    again.ctl("learned", "forget", "all")
    refuse(lab, again, 2)
    assert learned(again)["findings"][0]["id"] == 2 and "has never accepted" not in again.log()
    mode = (started.directory / "state/learned.json").stat().st_mode & 0o777
    assert mode == 0o600


DAMAGE = {"empty": "", "cut": "{", "of-another-version": '{"version":9}', "zeros": "\0" * 1000,
          "half-a-finding": '{"version":1,"last_id":1,"findings":[{"id":1}],"devices":[]}'}


@pytest.mark.parametrize("text", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_file_of_findings_is_put_aside(lab, engine, text):
    first = engine(AUTO)
    path = first.directory / "state/learned.json"
    path.write_text(text)
    os.chown(path, ENGINE_USER, ENGINE_USER)  # the engine's own, as it writes it
    again = restart(engine, first)
    again.wait_log(r"learned\.json: .*: what was learned is not known any more; the file is now .*damaged")
    assert (path.parent / "learned.json.damaged").read_text() == text
    told = learned(again)
    assert told["findings"] == [] and told["devices"] == []
    accept(lab, again)
    refuse(lab, again, 2)
    wait_for(lambda: path.exists() and json.loads(path.read_text())["findings"], "a new file")


def test_a_file_that_is_true_in_part_is_not_read_in_part(lab, engine):
    first = engine(AUTO)
    accept(lab, first)
    refuse(lab, first, 2)
    first.stop()
    path = first.directory / "state/learned.json"
    content = json.loads(path.read_text())
    content["findings"].append({**content["findings"][0], "host": "other.test"})  # one number twice
    path.write_text(json.dumps(content))
    again = restart(engine, first)
    again.wait_log(r"learned\.json: something is in it twice: what was learned is not known any more")
    told = learned(again)
    assert told["findings"] == [] and told["devices"] == []


def test_findings_are_written_when_there_is_room_again(lab, engine):
    """Where the file cannot be written that is told once, and it is tried again."""
    started = engine(AUTO)
    path = started.directory / "state/learned.json"
    path.mkdir()
    (path / "in-the-way").touch()
    accept(lab, started)
    refuse(lab, started, 2)
    started.wait_log(r"learned\.json could not be written")
    time.sleep(5)
    assert len(re.findall("could not be written", started.log())) == 1
    (path / "in-the-way").unlink()
    path.rmdir()
    wait_for(lambda: path.is_file() and json.loads(path.read_text())["findings"], "the file")


def test_another_user_of_the_engine_has_what_was_learned(lab, engine):
    """It was root first: root's file is handed over."""
    first = engine({**AUTO, "control": {"user": 0}})
    accept(lab, first)
    refuse(lab, first, 2)
    before = learned(first)["findings"]
    again = restart(engine, first)
    path = first.directory / "state/learned.json"
    assert learned(again)["findings"] == before and path.stat().st_uid == ENGINE_USER
    again.ctl("learned", "forget", "all")
    wait_for(lambda: json.loads(path.read_text())["findings"] == [], "it to be written")


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


# ---- in the kernel ----

PINNED = {"ipv4": A4, "ipv6": A6}
DEVICE = {"ipv4": DEVICE4, "ipv6": DEVICE6}
BY_FAMILY = pytest.mark.parametrize("family", ["ipv4", "ipv6"])


def refuse_by_name(lab, started, family, count=2):
    for _ in range(count):
        seen = len(started.records("flow"))
        assert fetch(lab, "a.origin.test", family, lab.origin_ca).returncode == 5
        started.wait_records("flow", seen + 1)


@BY_FAMILY
def test_E5_what_is_pinned_passes_in_the_kernel_for_this_device_only(lab, engine, resolver, second, family):
    """From the first packet on, where DNS has told the name; another device is intercepted there."""
    started = engine(AUTO)
    accept(lab, started)
    refuse_by_name(lab, started, family)
    before = started.counters()
    assert passes(lab, "a.origin.test", family)
    assert started.counters() == {"packets": before["packets"] + 1, "accepted": before["accepted"]}
    (rule,) = started.ignored()
    assert (rule["address"], rule["port"]) == (PINNED[family], 443) and rule["device"] == DEVICE[family]
    assert rule["rule"] == "pinned: learned 1"
    bypass = started.records("intercept")[-1]["intercept"]
    assert (bypass["action"], bypass["reason"], bypass["learned"]) == ("bypass", "pinned", 1)
    assert bypass["evidence"] == "without a word 2 times"
    before = started.counters()
    for _ in range(3):
        assert passes(lab, "a.origin.test", family)
    assert started.counters() == before
    with resolving_by(second, second.router4):
        assert not passes(lab, "a.origin.test", family, second)
        assert fetch(lab, "a.origin.test", family, started.ca, second).stdout == "hello from the origin\n"
    # Its refusals and acceptances are its own, too.
    assert [finding["device"]["mac"] for finding in learned(started)["findings"]] == [mac_of(lab.device)]
    assert len(started.ignored()) == 1


def mac_of(host):
    return json.loads(host.run("ip", "-j", "link", "show", "eth0").stdout)[0]["address"]


@BY_FAMILY
def test_E5_what_is_forgotten_is_gone_from_the_kernel_when_the_command_is_done(lab, engine, resolver, family):
    started = engine(AUTO)
    accept(lab, started)
    refuse_by_name(lab, started, family)
    for number in (1, 2, 3):
        assert passes(lab, "a.origin.test", family) and len(started.ignored()) == 1
        started.ctl("learned", "forget", str(number))
        assert started.ignored() == []
        refuse_by_name(lab, started, family)


def nameless(lab, request=b""):
    """A connection to the pinned address, that asks for no name; without a request it is refused."""
    with contextlib.suppress(OSError):
        with peers.client_context().wrap_socket(lab.device.connect(A4)) as secure:
            if request:
                secure.sendall(request)
                secure.recv(1000)


def test_E5_what_is_forgotten_while_connections_pass_by_it_stays_forgotten(lab, engine, resolver):
    """A worker that has decided by it before has nothing to tell the kernel after."""
    started = engine({"ignore": {"learn": "auto", "after-rejections": 30}, "network": {"workers": 4}})
    accept(lab, started)
    for _ in range(5):
        while not [finding for finding in learned(started)["findings"] if finding["verdict"] == "passing"]:
            nameless(lab)
        threads = [threading.Thread(target=nameless, args=(lab, b"GET /hello HTTP/1.0\r\n\r\n"))
                   for _ in range(20)]
        for thread in threads:
            thread.start()
        (finding,) = learned(started)["findings"]
        started.ctl("learned", "forget", str(finding["id"]))
        for thread in threads:
            thread.join()
        assert started.ignored() == []


def test_E5_what_expires_is_gone_from_the_kernel(lab, engine, resolver):
    started = engine({"ignore": {"learn": "auto", "after-rejections": 2, "learned-for": "6s"}})
    accept(lab, started)
    refuse_by_name(lab, started, "ipv4")
    assert passes(lab, "a.origin.test", "ipv4") and len(started.ignored()) == 1
    wait_event(started, "expired")
    wait_for(lambda: started.ignored() == [], "the kernel's rule to go")
    assert not passes(lab, "a.origin.test", "ipv4")


def test_E5_a_pinned_name_beside_another_one_is_told_apart(lab, engine):
    """At one address: the kernel could not, so each handshake tells."""
    started = engine(AUTO)
    shared = "--host-record=c.origin.test,%s,%s" % (A4, A6)
    with dnsmasq(lab, lab.router, ROUTER4, shared), resolving_by(lab.device, ROUTER4):
        resolve(lab, "c.origin.test")
        accept(lab, started)
        refuse_by_name(lab, started, "ipv4")
        for _ in range(2):
            assert passes(lab, "a.origin.test", "ipv4")
            assert fetch(lab, "c.origin.test", "ipv4", started.ca).stdout == "hello from the origin\n"
        assert started.ignored() == []


@BY_FAMILY
def test_E5_an_address_passes_in_the_kernel_till_a_name_leads_there(lab, engine, resolver, family):
    started = engine(AUTO)
    accept(lab, started)
    url = "https://%s/hello" % bracketed(PINNED[family])
    for _ in range(2):
        seen = len(started.records("flow"))
        assert lab.curl(url, check=False).returncode == 60
        started.wait_records("flow", seen + 1)
    assert lab.curl(url).stdout == "hello from the origin\n"  # which a worker has passed on
    wait_for(lambda: {rule["protocol"] for rule in started.ignored()} == {"tcp", "udp"},
             "the kernel to be told")
    assert {rule["device"] for rule in started.ignored()} == {DEVICE[family]}
    before = started.counters()
    assert lab.curl(url).stdout == "hello from the origin\n"
    assert started.counters() == before
    resolve(lab, "a.origin.test", family)
    assert started.ignored() == []
    assert not passes(lab, "a.origin.test", family)


@pytest.mark.parametrize("network", [{"watch-dns": "no"}, {"queue": "none"}], ids=["not-watched", "no-queue"])
def test_E5_without_dns_each_handshake_decides(lab, engine, network):
    """With a name or without: what else the device may mean by the address is not known."""
    started = engine({**AUTO, "network": network})
    accept(lab, started)
    refuse(lab, started, 2)
    url = "https://%s/hello" % bracketed(PINNED4)
    for _ in range(2):
        seen = len(started.records("flow"))
        assert lab.curl(url, check=False).returncode == 60
        started.wait_records("flow", seen + 1)
    for _ in range(2):
        assert wget(lab).stdout == "hello from the origin\n"
        assert lab.curl(url).stdout == "hello from the origin\n"
    assert started.ignored() == []
    assert "O = interceptd," in lab.issuer(PINNED4, 443, "-servername", "other.test")


def test_E5_a_reload_that_has_dns_watched_lets_the_kernel_know(lab, engine, resolver):
    """And one that ends that, not to rely on it."""
    started = engine()
    url = "https://%s/hello" % bracketed(A4)
    started.reload(AUTO)
    accept(lab, started)
    for _ in range(2):
        seen = len(started.records("flow"))
        assert lab.curl(url, check=False).returncode == 60
        started.wait_records("flow", seen + 1)
    assert lab.curl(url).stdout == "hello from the origin\n"
    wait_for(lambda: len(started.ignored()) == 2, "the kernel to be told")
    started.reload({**AUTO, "network": {"watch-dns": "no"}})
    for _ in range(2):
        seen = len(started.records("flow"))
        assert lab.curl(url).stdout == "hello from the origin\n"
        started.wait_records("flow", seen + 1)
    assert started.ignored() == []


# ---- what is told ----

def test_explain_tells_for_which_devices_it_passes(lab, engine):
    started = engine({**AUTO, "device cam": {"address": DEVICE4}})
    accept(lab, started)
    refuse(lab, started, 2)
    told = started.ctl("explain", "origin.test:443", "other.test:443", PINNED4 + ":443").stdout.splitlines()
    reason = "ignore: learned (device cam refused our certificate 2 times: 2x closed without a word)"
    assert told[0].startswith("origin.test:443 intercept (no ignore pattern is found in it)")
    assert told[1] == "origin.test:443 " + reason
    assert told[2].startswith("other.test:443 intercept") and told[3].startswith(PINNED4 + ":443 intercept")
    assert told[4] == PINNED4 + ":443 " + reason and len(told) == 5
    (answer,) = json.loads(started.ctl("-j", "explain", "origin.test:443").stdout)
    assert answer["passes_for"][0]["id"] == 1 and answer["passes_for"][0]["device"]["name"] == "cam"
    assert "cam " in started.ctl("learned").stdout
    (told,) = started.ctl("explain", "--device", "cam", "origin.test:443").stdout.splitlines()
    assert told == "origin.test:443 ignore (its app is pinned; learned 1: without a word 2 times)"
    (answer,) = json.loads(started.ctl("-j", "explain", "--device", "cam", "origin.test:443").stdout)
    assert (answer["verdict"], answer["reason"], answer["learned"]) == ("ignore", "pinned", 1)
    assert "passes_for" not in answer


def test_a_stranger_is_told_what_the_rules_say_and_not_what_was_learned(lab, engine):
    """Where a device has refused us is what it does: for those alone who may read the records."""
    started = engine({**AUTO, "device cam": {"address": DEVICE4}})
    accept(lab, started)
    refuse(lab, started, 2)
    assert len(started.ctl("explain", "origin.test:443").stdout.splitlines()) == 2
    for device in ([], ["-d", "cam"], ["-d", DEVICE4]):
        (told,) = as_nobody(started, "explain", *device, "origin.test:443").stdout.splitlines()
        assert told.startswith("origin.test:443 intercept (no ignore pattern is found in it)")


def test_who_has_forgotten_or_kept_it_is_recorded(lab, engine):
    started = engine(AUTO)
    accept(lab, started)
    refuse(lab, started, 2)
    started.ctl("learned", "keep", "1")
    started.ctl("learned", "forget", "1")
    told = lambda: [record["intercept"] for record in started.records("intercept")
                    if record["intercept"]["action"] == "change"]
    changes = wait_for(lambda: told() if len(told()) == 2 else None, "both to be recorded")
    assert [change["changes"] for change in changes] == [
        [{"what": "learned origin.test:443", "old": "passing", "new": "kept"}],
        [{"what": "learned origin.test:443", "old": "kept"}]]
    assert all(change["by"]["uid"] == 0 for change in changes)
