# SPDX-License-Identifier: GPL-3.0-or-later
"""What happened is written down, in Suricata's words."""

import contextlib
import hashlib
import json
import os
import re
import signal
import struct
import subprocess
import time

import pytest
from cryptography import x509

import peers
import pki
from lab import DEVICE4, DEVICE6, ORIGIN4, ORIGIN6, PATIENCE, wait_for

# The keys that a record of a connection has that went well. Their forms are the schema's, which each record
# is held against when its engine stops.
HEADER = """timestamp flow_id in_iface event_type src_ip src_port dest_ip dest_port proto community_id
    app_proto intercept.device.mac"""
DECIDED = """intercept.action intercept.reason intercept.policy_rev intercept.name
    intercept.device.randomized intercept.device.first_seen"""
SESSIONS = " ".join("intercept.%s.%s" % (side, key) for side in ("client", "upstream")
                    for key in "version cipher group alpn resumed handshake_ms".split())
UPSTREAM = " ".join("intercept.upstream." + key for key in """ip port community_id ja4 ja3.hash ja3s.hash
    verify verify_code fingerprint sha256""".split())
TLS = " ".join("tls." + key for key in """subject issuerdn serial fingerprint sni version notbefore notafter
    ja4 ja3.hash ja3s.hash client_alpns server_alpns subjectaltname""".split())
FLOW = " ".join("flow." + key for key in """pkts_toserver pkts_toclient bytes_toserver bytes_toclient start
    end age state reason alerted tx_cnt""".split())
FORGED = "intercept.forged.fingerprint intercept.forged.sha256 intercept.forged.cached"
HTTP = " ".join("http." + key for key in """version hostname url http_user_agent http_content_type http_method
    protocol status length request_headers response_headers http2.stream_id""".split())
TOLD = " ".join("intercept.http." + key for key in """scheme request_length complete start send_ms
    wait_ms total_ms""".split())
KEYS = {"intercept": [HEADER, DECIDED], "http": [HEADER, "tx_id", HTTP, TOLD],
        "tls": [HEADER, DECIDED, SESSIONS, UPSTREAM, TLS, FORGED],
        "flow": [HEADER, DECIDED, SESSIONS, UPSTREAM, FLOW, FORGED,
                 "intercept.ending intercept.phase intercept.protocol"]}


def paths(value, start=""):
    """All keys in it: "tls.sni", …"""
    if not isinstance(value, dict) or not value:
        return {start}
    return {path for key, item in value.items() for path in paths(item, (start + "." + key).strip("."))}


def expected_paths(event_type):
    return set(" ".join(KEYS[event_type]).split())


@pytest.mark.parametrize("device,origin", [(DEVICE4, ORIGIN4[0]), (DEVICE6, ORIGIN6[0])],
                         ids=["ipv4", "ipv6"])
def test_L2_an_intercepted_connection_leaves_its_records(lab, engine, device, origin):
    started = engine()
    lab.curl("https://origin.test/hello", origin=origin, ca=started.ca)
    (flow,) = started.wait_records("flow")
    records = started.records()
    for record in records:
        assert paths(record) == expected_paths(record["event_type"])
    assert [record["event_type"] for record in records] == ["intercept", "tls", "http", "flow"]
    assert len({record["flow_id"] for record in records}) == 1 and 0 < flow["flow_id"] < 2 ** 51
    for record in records:
        assert (record["src_ip"], record["dest_ip"], record["dest_port"]) == (device, origin, 443)
        assert record["in_iface"] == "lan0"
        assert record["app_proto"] == ("http2" if record["event_type"] == "http" else "tls")
        assert record["intercept"]["device"]["mac"] == mac_of_device(lab)
    tls, intercept = records[1]["tls"], flow["intercept"]
    # The device's hello and the origin's certificate: what a sensor on the LAN would have seen.
    assert tls["sni"] == "origin.test" and tls["version"] == "TLS 1.3"
    assert tls["client_alpns"] == ["h2", "http/1.1"] and tls["server_alpns"] == ["h2"]
    assert tls["subject"] == "CN=origin.test" and tls["issuerdn"] == "O=interceptd lab, CN=Origins' CA"
    assert origin in tls["subjectaltname"] and "*.origin.test" in tls["subjectaltname"]
    assert tls["fingerprint"] == fingerprint(lab.origin_directory / "origin.pem")
    certificate = x509.load_pem_x509_certificate((lab.origin_directory / "origin.pem").read_bytes())
    assert int(tls["serial"].replace(":", ""), 16) == certificate.serial_number
    assert tls["notbefore"] == certificate.not_valid_before.isoformat()
    assert tls["notafter"] == certificate.not_valid_after.isoformat()
    assert intercept["forged"]["fingerprint"] != tls["fingerprint"]
    assert intercept["action"] == "intercept" and intercept["ending"] == "closed"
    assert intercept["upstream"]["verify"] == "ok" and intercept["upstream"]["alpn"] == "h2"
    for leg in ("client", "upstream"):
        assert intercept[leg]["version"] == "TLS 1.3" and intercept[leg]["cipher"].startswith("TLS_")
        assert not intercept[leg]["resumed"] and 0 <= intercept[leg]["handshake_ms"] < 2000 * PATIENCE
    assert intercept["policy_rev"] == 1
    started.reload({})
    lab.curl("https://origin.test/hello", origin=origin, ca=started.ca)
    assert started.wait_records("flow", 2)[1]["intercept"]["policy_rev"] == 2
    assert started.records("flow")[1]["intercept"]["forged"]["cached"]
    assert flow["flow"]["bytes_toserver"] > 300 and flow["flow"]["pkts_toclient"] > 3
    assert flow["flow"]["start"] < flow["flow"]["end"]


def mac_of_device(lab):
    return json.loads(lab.device.run("ip", "-j", "link", "show", "eth0").stdout)[0]["address"]


def fingerprint(certificate):
    text = subprocess.run(["openssl", "x509", "-noout", "-fingerprint", "-sha1", "-in", certificate],
                          capture_output=True, text=True, check=True).stdout
    return text.strip().split("=")[1].lower()


def test_an_ignored_connection_leaves_its_decision(lab, engine):
    started = engine({"ignore": {"pattern": r"^203\.0\.113\.2:443$"}})
    lab.curl("https://origin.test/hello", origin=ORIGIN4[1])
    (record,) = started.wait_records("intercept")
    assert paths(record) == (expected_paths("intercept") - {"app_proto", "intercept.name"}) | {
        "intercept.rule", "intercept.rule_place"}
    assert record["dest_ip"] == ORIGIN4[1] and record["intercept"]["action"] == "bypass"
    assert record["intercept"]["reason"] == "rule"
    assert record["intercept"]["rule"] == r"^203\.0\.113\.2:443$"
    assert record["intercept"]["rule_place"] == str(started.config_path) + ":2"
    assert record["intercept"]["device"]["mac"] == mac_of_device(lab)


def test_L2_both_fingerprints_are_those_that_others_compute(lab, engine):
    """By the specification, from the same hellos on the wire: the device's, and ours to the origin."""
    started = engine({"network": {"port": 4433}})
    hello, ours = peers.client_hello(), []
    with lab.origin.serve(lambda connection: ours.append(connection.recv(10000)), 4433):
        with lab.device.connect(ORIGIN4[0], 4433) as connection:
            connection.sendall(hello)
            connection.recv(10)
    record = started.wait_records("tls")[0]
    upstream = record["intercept"]["upstream"]
    assert record["tls"]["ja4"] == ja4(hello)
    assert upstream["ja4"] == ja4(ours[0]) != ja4(hello)
    assert record["tls"]["ja3"]["hash"] == ja3(hello)
    assert upstream["ja3"]["hash"] == ja3(ours[0]) != ja3(hello)


def read_hello(record):
    """Ciphers, and extensions as pairs."""
    body = record[5 + 4:]
    at = 34
    at += 1 + body[at]
    size = int.from_bytes(body[at:at + 2], "big")
    ciphers = numbers(body[at + 2:at + 2 + size])
    at += 2 + size
    at += 1 + body[at] + 2
    extensions = []
    while at < len(body):
        kind, size = numbers(body[at:at + 4])
        extensions.append((kind, body[at + 4:at + 4 + size]))
        at += 4 + size
    return ciphers, extensions


def numbers(data):
    return [int.from_bytes(data[i:i + 2], "big") for i in range(0, len(data), 2)]


def ja3(record):
    ciphers, extensions = read_hello(record)
    found = dict(extensions)
    formats = list(found[11][1:]) if 11 in found else []
    parts = [ciphers, [kind for kind, _ in extensions], numbers(found[10][2:]), formats]
    text = ",".join(["771"] + ["-".join(str(number) for number in part) for part in parts])
    return hashlib.md5(text.encode()).hexdigest()


def ja4(record):
    ciphers, extensions = read_hello(record)
    found = dict(extensions)
    digest = lambda text: hashlib.sha256(text.encode()).hexdigest()[:12]
    hashed = ",".join("%04x" % kind for kind in sorted(found) if kind not in (0, 16))
    signatures = ",".join("%04x" % kind for kind in numbers(found[13][2:]))
    alpn = found[16][3:3 + found[16][2]].decode() if 16 in found else None
    return "t13d%02d%02d%s_%s_%s" % (len(ciphers), len(extensions), alpn[0] + alpn[-1] if alpn else "00",
                                     digest(",".join("%04x" % c for c in sorted(ciphers))),
                                     digest(hashed + "_" + signatures))


def with_ech(hello):
    """The same ClientHello with an encrypted one in it, as GREASE makes it up: RFC 9849, section 6.2."""
    inner = os.urandom(144)
    body = (b"\0" + b"\0\1\0\1" + b"\x2a" + struct.pack(">H", 32) + os.urandom(32)
            + struct.pack(">H", len(inner)) + inner)
    extension = struct.pack(">HH", 0xfe0d, len(body)) + body
    at = 9 + 2 + 32                                          # behind the random
    at += 1 + hello[at]                                      # session
    at += 2 + struct.unpack(">H", hello[at:at + 2])[0]       # ciphers
    at += 1 + hello[at]                                      # compression
    extensions = hello[at + 2:] + extension
    message = hello[9:at] + struct.pack(">H", len(extensions)) + extensions
    message = b"\1" + struct.pack(">I", len(message))[1:] + message
    return hello[:3] + struct.pack(">H", len(message)) + message


@pytest.mark.parametrize("ech", [False, True])
def test_H5_a_hello_with_ech_is_recognised_and_answered(lab, engine, ech):
    started = engine()
    hello = with_ech(peers.client_hello()) if ech else peers.client_hello()
    with lab.device.connect(ORIGIN4[0]) as connection:
        connection.sendall(hello)
        answer = connection.recv(4096)
    assert answer[0] == 22 and answer[5] == 2  # a ServerHello: the extension is not minded
    (flow,) = started.wait_records("flow")
    (tls,) = started.records("tls")
    assert tls["tls"]["sni"] == "origin.test" and flow["intercept"]["upstream"]["version"] == "TLS 1.3"
    assert [record["intercept"].get("ech") for record in (tls, flow)] == [ech or None] * 2


def test_H5_a_handshake_with_the_ech_extension_succeeds(lab, engine):
    """openssl sends an extension of that type, empty, and completes the handshake."""
    started = engine()
    shown = lab.device.run("openssl", "s_client", "-connect", ORIGIN4[0] + ":443", "-tls1_2",
                           "-serverinfo", str(0xfe0d), "-verify_return_error", "-CAfile", started.ca,
                           input="").stdout
    assert "issuer=O = interceptd" in shown
    flow = started.wait_records("flow")[0]["intercept"]
    assert flow["ech"] is True and flow["client"]["version"] == "TLS 1.2"


def test_L1_names_from_the_wire_cannot_break_a_record(lab, engine, tmp_path):
    """Quotes, newlines, escape sequences and non-UTF-8 in a certificate."""
    started = engine({"network": {"port": 4433}})
    nasty = 'a"b\\c\n\x1b[31m<script>\x7f'
    certificate, key = pki.make(subject=nasty).write(tmp_path, "nasty")
    server = lab.origin.spawn("openssl", "s_server", "-accept", "4433", "-cert", certificate, "-key",
                              key, "-www", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    wait_for(lambda: ":4433 " in lab.origin.run("ss", "-ltn").stdout, "s_server")
    lab.curl("https://origin.test:4433/", "-k")
    server.kill()
    (record,) = started.wait_records("tls")
    assert "<script>" in record["tls"]["subject"]
    assert "\x1b" not in started.events_path.read_text() + started.log()


def test_rotation_by_sigusr1(lab, engine):
    started = engine()
    lab.curl("https://origin.test/hello", "-k")
    started.wait_records("flow")
    old = started.events_path.with_suffix(".old")
    started.events_path.rename(old)
    started.signal(signal.SIGUSR1)
    wait_for(started.events_path.exists, "a new file")
    lab.curl("https://origin.test/hello", "-k")
    started.wait_records("flow")
    for path in (old, started.events_path):
        assert len([line for line in path.read_text().splitlines() if '"flow"' in line]) == 1


def rotated(started, number):
    return started.events_path.with_name("eve.json.%d" % number)


def wait_for_the_end(started):
    """The last record of a connection is in one of the files."""
    def is_there():
        with contextlib.suppress(FileNotFoundError):  # it is being renamed
            return any('"event_type":"flow"' in path.read_text()
                       for path in started.directory.glob("eve.json*") if path.suffix != ".gz")
    wait_for(is_there, "the end")


def numbers_of_requests(path):
    """Of an HTTP event each: https://origin.test/hello?NUMBER. All that is in the file are whole lines."""
    text = path.read_text()
    assert text == "" or text.endswith("\n")
    events = [json.loads(line) for line in text.splitlines()]
    return [int(event["http"]["url"].partition("?")[2]) for event in events if event["event_type"] == "http"]


def test_a_large_file_of_records_becomes_an_older_one_and_no_record_is_lost(lab, engine):
    started = engine({"events": {"rotate-size": "64k", "rotate-keep": 9}})
    lab.curl("https://origin.test/hello?[1-300]", "-k", "-o", "/dev/null")
    wait_for_the_end(started)
    old = [path for path in (rotated(started, n) for n in range(9, 0, -1)) if path.exists()]
    assert len(old) > 1 and all(path.stat().st_size >= 64 << 10 for path in old)
    files = [*old, started.events_path]
    assert [number for path in files for number in numbers_of_requests(path)] == list(range(1, 301))
    assert all(path.stat().st_mode & 0o777 == 0o640 for path in files)


def test_older_records_than_are_wanted_go(lab, engine):
    started = engine({"events": {"rotate-size": "64k", "rotate-keep": 1}})
    lab.curl("https://origin.test/hello?[1-300]", "-k", "-o", "/dev/null")
    wait_for_the_end(started)
    assert rotated(started, 1).exists() and not rotated(started, 2).exists()
    kept = numbers_of_requests(rotated(started, 1)) + numbers_of_requests(started.events_path)
    assert 0 < len(kept) < 300 and kept == list(range(301 - len(kept), 301))


def test_logrotate_loses_no_record(lab, engine, tmp_path):
    """As the manual has it, while records come."""
    started = engine({"events": {"rotate-size": "none"}})
    rules = tmp_path / "logrotate.conf"
    rules.write_text("%s {\nsu root root\nrotate 7\nmissingok\ncompress\ndelaycompress\npostrotate\n"
                     "kill -USR1 %d\nendscript\n}\n" % (started.events_path, started.pid()))
    rules.chmod(0o644)
    device = lab.device.spawn("curl", "-sk", "--rate", "100/s", "--resolve",
                              "origin.test:443:" + ORIGIN4[0], "-o", "/dev/null",
                              "https://origin.test/hello?[1-300]")
    for turn in range(1, 4):
        wait_for(lambda: started.events_path.exists() and '"http"' in started.events_path.read_text(),
                 "records")
        subprocess.run(["logrotate", "-f", "-s", tmp_path / "state", rules], check=True)
    device.wait(timeout=30 * PATIENCE)
    wait_for_the_end(started)
    for number in (2, 3):
        subprocess.run(["gunzip", "%s.%d.gz" % (started.events_path, number)], check=True)
    files = [rotated(started, 3), rotated(started, 2), rotated(started, 1), started.events_path]
    found = [numbers_of_requests(path) for path in files]
    assert all(found) and sum(found, []) == list(range(1, 301))


def test_a_full_disk_costs_records_and_no_traffic_and_they_are_counted(lab, engine):
    disk = lab.directory / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "none", disk], check=True)
    try:
        started = engine({"events": {"file": disk / "eve.json"}})
        for _ in range(8):
            assert lab.curl("https://origin.test/hello", "-k").stdout == "hello from the origin\n"
        started.wait_log("warning: .*eve.json: No space left on device: paused")
        # Of a connection there are four; what is not in the file, in whole lines, is counted.
        kept = lambda: [json.loads(line) for line in (disk / "eve.json").read_text().splitlines()]
        wait_for(lambda: len(kept()) + started.status()["records"]["lost"] == 8 * 4, "losses to be counted")
        assert {"intercept", "tls", "http", "flow"} == {record["event_type"] for record in kept()}
        (disk / "eve.json").write_text("")  # somebody makes room
        lab.curl("https://origin.test/hello", "-k")
        (lost,) = started.wait_log("eve.json: works again; lines lost: (\\d+)$").groups()
        wait_for(lambda: len(kept()) == 4, "the records of the last one")
        assert started.status()["records"]["lost"] == int(lost) > 0
        started.stop()
    finally:
        subprocess.run(["umount", disk], check=True)


def test_without_a_file_there_are_no_records(lab, engine, tmp_path):
    started = engine()
    config = "\n".join(line for line in started.config_path.read_text().splitlines()
                       if not line.startswith(("[events]", "file =", "ignored =", "stats-interval =")))
    started.config_path.write_text(config + "\n")
    started.signal(signal.SIGHUP)
    started.wait_log("^reloaded")
    started.events_path.unlink()
    lab.curl("https://origin.test/hello", "-k")
    time.sleep(0.3)
    assert not started.events_path.exists()


def test_L1_the_key_log_has_both_legs(lab, engine):
    """In the form of RFC 9850, and for the owner's eyes only."""
    started = engine({"tls": {"keylog": lab.directory / "keys"}})
    lab.curl("https://origin.test/hello", "-k")
    keys = lab.directory / "keys"
    wait_for(lambda: keys.exists() and keys.read_text().count("CLIENT_TRAFFIC_SECRET_0") == 2, "the keys")
    assert os.stat(keys).st_mode & 0o777 == 0o600
    assert all(re.fullmatch(r"[A-Z_0-9]+ [0-9a-f]{64} [0-9a-f]{64,96}", line)
               for line in keys.read_text().splitlines())
    keys.unlink()


def test_a_connection_that_fails_is_recorded_too(lab, engine):
    started = engine()
    lab.curl("https://origin.test/hello", check=False)  # does not trust us
    (flow,) = started.wait_records("flow")
    intercept, tls, alert, _ = started.records()
    assert [record["event_type"] for record in (intercept, tls, alert)] == ["intercept", "tls", "alert"]
    assert flow["intercept"]["client"]["alert_in"] == 48
    assert flow["intercept"]["ending"] == "device_alert"
    assert (alert["alert"]["action"], alert["alert"]["signature_id"]) == ("allowed", 4)
    assert alert["tls"] == tls["tls"] and flow["flow"]["alerted"] and not alert["intercept"].get("learned")


def test_many_records_are_whole_lines(lab, engine):
    started = engine()
    crowd = peers.Crowd(lab, ORIGIN4[0], 200)
    crowd.close()
    started.wait_records("flow", 200)
    assert len({record["flow_id"] for record in started.records()}) == 200
    assert started.status()["records"]["lost"] == 0
