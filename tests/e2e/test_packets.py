# SPDX-License-Identifier: GPL-3.0-or-later
"""What was decrypted, as packets: for tshark, which is the judge here, and for whatever reads packets."""

import contextlib
import json
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

import peers
from lab import BUILD, DEVICE4, DEVICE6, ORIGIN4, ORIGIN6, PATIENCE, wait_for
from test_protocols import REQUEST, WEBSOCKET_CLIENT, WEBSOCKET_SERVER, connect_tls, run_program

WEBSOCKET, MQTT = 4433, 8883
PORTS = {"network": {"port": "443 %d %d" % (WEBSOCKET, MQTT)}}
# The packets keep the ports of the connection, which tools take for TLS's.
PLAIN = ["-d", "tcp.port==443,http", "-d", "tcp.port==%d,http" % WEBSOCKET, "-d", "tcp.port==%d,mqtt" % MQTT]


def tshark(capture, only, *fields, options=PLAIN):
    """A list for each packet that is meant: of each field what is in it, "|" between several."""
    shown = subprocess.run(["tshark", "-r", capture, *options, "-Y", only, "-T", "fields",
                            "-E", "separator=/t", "-E", "occurrence=a", "-E", "aggregator=|",
                            *[part for field in fields for part in ("-e", field)]],
                           capture_output=True, text=True, check=True, timeout=120 * PATIENCE).stdout
    return [line.split("\t") for line in shown.splitlines()]


def values(capture, only, field, options=PLAIN):
    lines = tshark(capture, only, field, options=options)
    return [value for line in lines for value in line[0].split("|") if value]


@contextlib.contextmanager
def servers(lab, tmp_path):
    """A WebSocket server and an MQTT broker, beside the origin's web server."""
    files = lab.origin_directory
    configuration = tmp_path / "mosquitto.conf"
    configuration.write_text("listener %d\nallow_anonymous true\nuser root\ncertfile %s\nkeyfile %s\n" % (
        MQTT, files / "origin.pem", files / "origin.key"))
    running = [lab.origin.spawn("mosquitto", "-c", configuration, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL),
               run_program(lab, lab.origin, tmp_path, WEBSOCKET_SERVER, files / "origin.pem",
                           files / "origin.key", WEBSOCKET)]
    for port in (MQTT, WEBSOCKET):
        wait_for(lambda: peers.port_is_open(lab, port), "the server at %d" % port, 30)
    try:
        yield
    finally:
        for server in running:
            server.terminate()
            server.wait(timeout=20 * PATIENCE)


def talk(lab, started, tmp_path, mark):
    """Four connections, of a protocol each."""
    before = len(started.records("flow"))
    lab.curl("https://origin.test/hello?h1" + mark, "https://origin.test/none?h1" + mark, "-k", "--http1.1")
    lab.curl("https://origin.test/hello?h2" + mark, "https://origin.test/none?h2" + mark, "-k", "--http2")
    run_program(lab, lab.device, tmp_path, WEBSOCKET_CLIENT, started.ca, ORIGIN4[0],
                WEBSOCKET).wait(60 * PATIENCE)
    lab.device.run("mosquitto_pub", "-h", ORIGIN4[0], "-p", MQTT, "--cafile", started.ca, "-q", "1",
                   "-t", "a/topic", "-m", "said" + mark)
    wait_for(lambda: len(started.records("flow")) == before + 4, "the connections to end")


def check(capture, mark, options=PLAIN):
    """tshark finds in it what was said."""
    look = lambda only, field: values(capture, only, field, options)
    uris = look("http.request && tcp.port == 443", "http.request.uri")
    assert uris == ["/none?h1" + mark, "/hello?h1" + mark]
    assert look("http.response && tcp.port == 443", "http.response.code") == ["404", "200"]
    assert look("http2.headers.path", "http2.headers.path") == ["/none?h2" + mark, "/hello?h2" + mark]
    assert sorted(look("http2.headers.status", "http2.headers.status")) == ["200", "404"]
    assert look("mqtt.topic", "mqtt.topic") == ["a/topic"]
    assert bytes.fromhex(look("mqtt.msg", "mqtt.msg")[0]).decode() == "said" + mark
    assert sorted(set(look("mqtt", "mqtt.msgtype"))) == ["1", "14", "2", "3", "4"]
    opcodes = look("websocket", "websocket.opcode")
    assert sorted(set(opcodes)) == ["1", "10", "2", "8", "9"] and opcodes.count("2") == 8
    assert not look("_ws.malformed", "frame.number")


def check_form(capture):
    """No packet is missing, and each is right."""
    checking = PLAIN + ["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"]
    assert not values(capture, "tcp.analysis.flags || tcp.checksum.status == 0 || ip.checksum.status == 0",
                      "frame.number", checking)
    assert values(capture, "tcp.checksum.status == 1", "frame.number", checking)


def captures(started):
    return json.loads(started.ctl("-j", "pcap").stdout)


def path_of(started, name):
    return started.directory / "state/captures" / name


# ---- files ----

def test_P1_tshark_reads_in_a_file_what_was_said(lab, engine, tmp_path):
    started = engine({**PORTS, "device cam": {"address": DEVICE4}})
    capture = path_of(started, "all.pcapng")
    assert started.ctl("pcap", "start", "all.pcapng").stdout == "%s: from the next connection on\n" % capture
    with servers(lab, tmp_path):
        talk(lab, started, tmp_path, "x")
    (ended,) = json.loads(started.ctl("-j", "pcap", "stop", "all.pcapng").stdout)
    assert (ended["connections"], ended["lost"], ended["ended"]) == (4, 0, "it was stopped")
    assert capture.stat().st_mode & 0o777 == 0o600 and capture.stat().st_size == ended["bytes"]
    check(capture, "x")
    check_form(capture)
    packets = tshark(capture, "frame", "frame.comment", "eth.src", "ip.src", "frame.interface_name")
    assert len(packets) == ended["packets"]
    ids = {record["flow_id"] for record in started.records("flow")}
    told = [re.fullmatch(r"flow_id=(\d+) mac=([0-9a-f:]+) device=cam", packet[0]) for packet in packets]
    assert {int(one[1]) for one in told} == ids
    (mac,) = {one[2] for one in told}
    own = json.loads(lab.router.run("ip", "-j", "link", "show", "lan0").stdout)[0]["address"]
    assert {(packet[1], packet[2]) for packet in packets} == {(mac, DEVICE4), (own, ORIGIN4[0])}
    assert {packet[3] for packet in packets} == {"interceptd"}
    assert captures(started)["files"] == []


def test_P1_ipv6_is_ipv6(lab, engine):
    started = engine()
    started.ctl("pcap", "start", "six")
    lab.curl("https://origin.test/hello", "-k", "--http1.1", origin=ORIGIN6[0])
    started.wait_records("flow")
    started.ctl("pcap", "stop")
    assert tshark(path_of(started, "six"), "http.request", "ipv6.src", "ipv6.dst") == [[DEVICE6, ORIGIN6[0]]]
    check_form(path_of(started, "six"))


def test_P1_a_megabyte_is_whole_in_both_directions(lab, engine, tmp_path):
    started = engine()
    body = tmp_path / "body"
    body.write_bytes(bytes(range(256)) * 4096)
    started.ctl("pcap", "start", "long")
    lab.curl("https://origin.test/upload/packets", "-k", "--http1.1", "-T", body)
    lab.curl("https://origin.test/upload/packets", "-k", "--http1.1", "-o", "/dev/null")
    started.wait_records("flow", 2)
    started.ctl("pcap", "stop")
    objects = tmp_path / "objects"
    subprocess.run(["tshark", "-r", path_of(started, "long"), *PLAIN, "-q", "--export-objects",
                    "http,%s" % objects], check=True, capture_output=True, timeout=60 * PATIENCE)
    sizes = [path.read_bytes() == body.read_bytes() for path in objects.iterdir()
             if path.stat().st_size == 1 << 20]
    assert sizes == [True, True]
    assert not tshark(path_of(started, "long"), "tcp.analysis.flags", "frame.number")


def test_P2_a_filter_takes_whole_connections(lab, engine):
    started = engine()
    started.ctl("pcap", "start", "one", "~d", r"origin\.test$", "&", "!~dst", "203.0.113.2")
    started.ctl("pcap", "start", "device", "~dev " + DEVICE4)
    for number in (0, 1):
        lab.curl("https://origin.test/hello?%d" % number, "-k", "--http1.1", origin=ORIGIN4[number])
    started.wait_records("flow", 2)
    started.ctl("pcap", "stop")
    assert values(path_of(started, "one"), "http.request", "http.request.uri") == ["/hello?0"]
    assert values(path_of(started, "device"), "http.request", "http.request.uri") == ["/hello?0", "/hello?1"]


def test_P2_what_is_not_interpreted_is_captured_too(lab, engine):
    started = engine({"tcp": {"pattern": r"^origin\.test:"}})
    started.ctl("pcap", "start", "x")
    lab.curl("https://origin.test/hello?raw", "-k", "--http1.1")
    started.wait_records("flow")
    assert not started.records("http")
    started.ctl("pcap", "stop")
    assert values(path_of(started, "x"), "http.request", "http.request.uri") == ["/hello?raw"]


def test_P2_what_cannot_be_captured_is_told(lab, engine):
    started = engine()
    refused = lambda *arguments: started.ctl("pcap", *arguments, check=False)
    assert "column 4 of the filter" in refused("start", "x", "~d (").stderr
    assert "~u is about what is not known yet" in refused("start", "x", "~u login").stderr
    for name in ("../x", "/tmp/x", ".x", "", "x" * 201, "a\nb"):
        assert "without a path" in refused("start", name).stderr
    assert started.ctl("pcap", "start", "x").returncode == 0
    assert refused("start", "x").stderr.strip().endswith("captures/x: File exists")
    assert "there is no such capture" in refused("stop", "y").stderr
    for number in range(7):
        started.ctl("pcap", "start", "x%d" % number)
    assert "eight captures are running already" in refused("start", "y").stderr
    assert refused("start").returncode == 2
    reader = started.lab.router.run("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups",
                                    BUILD / "interceptctl", "-s", started.directory / "run/control.sock",
                                    "pcap", "start", "z", check=False)
    assert reader.returncode == 4 and not path_of(started, "z").exists()


def test_P2_who_has_begun_and_ended_a_capture_is_recorded(lab, engine):
    started = engine()
    started.ctl("pcap", "start", "x", "~d test")
    started.ctl("pcap", "stop")
    wait_for(lambda: len(changes(started)) == 2, "the records")
    assert changes(started) == [[{"what": "capture", "new": "x", "note": "~d test"}],
                                [{"what": "capture", "old": "all"}]]


def changes(started):
    return [record["intercept"]["changes"] for record in started.records("intercept")
            if record["intercept"]["action"] == "change"]


def test_P3_a_full_disk_ends_the_capture_and_not_the_traffic(lab, engine, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k,mode=0777", "none", disk], check=True)
    try:
        started = engine({"capture": {"directory": disk / "captures"}})
        started.ctl("pcap", "start", "full")
        for number in range(3):
            with open(lab.origin_directory / "www/blob", "wb") as blob:
                blob.write(b"x" * (400 << 10))
            got = lab.curl("https://origin.test/blob?%d" % number, "-k", "--http1.1")
            assert len(got.stdout) == 400 << 10
        started.wait_log(r"captures/full: No space left on device")
        started.wait_log(r"capture .*/captures/full has ended: it could not be written; \d+ packets")
        (file,) = captures(started)["files"]
        assert file["state"] == "ended" and file["ended"] == "it could not be written" and file["lost"] > 0
        assert len(tshark(disk / "captures/full", "frame", "frame.number")) == file["packets"]
        assert started.ctl("pcap", "stop", "full").returncode == 0
    finally:
        (lab.origin_directory / "www/blob").unlink(missing_ok=True)
        started.stop()
        subprocess.run(["umount", disk], check=True)


def test_P3_a_file_is_ended_at_its_limit(lab, engine):
    started = engine({"capture": {"limit": "1m"}})
    with open(lab.origin_directory / "www/blob", "wb") as blob:
        blob.truncate(3 << 20)
    started.ctl("pcap", "start", "x")
    lab.curl("https://origin.test/blob", "-k", "-o", "/dev/null")
    (lab.origin_directory / "www/blob").unlink()
    wait_for(lambda: captures(started)["files"][0]["state"] == "ended", "the limit")
    (file,) = captures(started)["files"]
    assert file["ended"] == "it is as long as it may be"
    assert (1 << 20) - 4096 < path_of(started, "x").stat().st_size <= 1 << 20
    assert len(tshark(path_of(started, "x"), "frame", "frame.number")) == file["packets"]


def test_P4_a_connection_ends_in_packets_as_it_ended(lab, engine):
    started = engine({"network": {"port": WEBSOCKET}})
    started.ctl("pcap", "start", "ends")
    for reset in (False, True):
        with peers.tls_origin(lab, WEBSOCKET, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", reset=reset):
            with connect_tls(lab) as connection:
                connection.sendall(REQUEST)
                with contextlib.suppress(OSError):
                    peers.read_all(connection)
    endings = [record["intercept"]["ending"] for record in started.wait_records("flow", 2)]
    assert endings == ["closed", "origin_reset"]
    started.ctl("pcap", "stop")
    last = tshark(path_of(started, "ends"), "tcp.flags.fin == 1 || tcp.flags.reset == 1", "tcp.stream",
                  "tcp.srcport", "tcp.flags.reset")
    assert last[:2] == [["0", str(WEBSOCKET), "0"], ["0", last[1][1], "0"]] and last[1][1] != str(WEBSOCKET)
    assert last[2:] == [["1", str(WEBSOCKET), "1"]]


# ---- live ----

LIVE = {"capture": {"live": "127.0.0.1"}}


class Client:
    """Reads a live feed into a file, when it is told to."""

    def __init__(self, lab, path):
        self.path = path
        self.connection = lab.router.connect("127.0.0.1", 57012, timeout=60)
        self.thread = threading.Thread(target=self.read, daemon=True)

    def read(self):
        with open(self.path, "wb") as file, contextlib.suppress(OSError):
            while part := self.connection.recv(65536):
                file.write(part)
                file.flush()

    def start(self):
        self.thread.start()
        return self

    def close(self):
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        self.thread.join(20 * PATIENCE)
        self.connection.close()


def wait_clients(started, count):
    wait_for(lambda: len(captures(started)["live"]["clients"]) == count, "%d clients" % count)


def test_P5_several_clients_of_the_live_feed_get_all_that_is_said(lab, engine, tmp_path):
    """One of them is Wireshark's own."""
    started = engine({**PORTS, **LIVE})
    taken = tmp_path / "taken.pcapng"
    dumpcap = lab.router.spawn("dumpcap", "-q", "-i", "TCP@127.0.0.1:57012", "-w", taken,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    client = Client(lab, tmp_path / "live.pcap").start()
    wait_clients(started, 2)
    with servers(lab, tmp_path):
        talk(lab, started, tmp_path, "live")
    started.wait_records("flow", 4)
    numbers = captures(started)["live"]["clients"]
    assert [(one["connections"], one["lost"]) for one in numbers] == [(4, 0)] * 2
    time.sleep(1)
    dumpcap.send_signal(signal.SIGINT)
    dumpcap.wait(timeout=20 * PATIENCE)
    client.close()
    assert len(values(taken, "frame", "frame.number")) == numbers[0]["packets"]
    for capture in (taken, client.path):
        check(capture, "live")
        check_form(capture)
    lab.curl("https://origin.test/hello", "-k")
    wait_clients(started, 0)


def test_P5_a_slow_client_loses_packets_and_holds_up_nobody(lab, engine, tmp_path):
    started = engine(LIVE)
    slow = Client(lab, tmp_path / "slow.pcap")
    quick = Client(lab, tmp_path / "quick.pcap").start()
    wait_clients(started, 2)
    with open(lab.origin_directory / "www/blob", "wb") as blob:
        blob.truncate(24 << 20)
    lab.curl("https://origin.test/blob", "-k", "--http1.1", "-o", "/dev/null", "--limit-rate", "6M")
    (lab.origin_directory / "www/blob").unlink()
    started.wait_records("flow")
    ports = {int(one["peer"].rsplit(":", 1)[1]): one for one in captures(started)["live"]["clients"]}
    told = [ports[one.connection.getsockname()[1]] for one in (slow, quick)]
    assert told[0]["lost"] > 1000 and told[1]["lost"] == 0
    slow.start()
    lab.curl("https://origin.test/hello?after", "-k", "--http1.1")
    for client in (slow, quick):
        wait_for(lambda: values(client.path, "http.request", "http.request.uri")[-1:] == ["/hello?after"],
                 "what comes later")
        client.close()
    lab.curl("https://origin.test/hello", "-k")
    started.wait_log(r"^live feed: 127\.0\.0\.1:\d+ has left, after \d+ packets; [1-9]\d+ were lost to it")


def test_P5_the_live_feed_is_opened_and_closed_by_a_reload(lab, engine, tmp_path):
    started = engine()
    with pytest.raises(OSError):
        lab.router.connect("127.0.0.1", 57012)
    assert captures(started) == {"files": [], "lost_bytes": 0, "lost_connections": 0}
    assert started.ctl("pcap").stdout == "nothing is captured\n"
    assert not (started.directory / "state/captures").exists()
    started.reload({"capture": {"live": "[::1]:5000"}})
    connection = wait_for(lambda: connect_or_none(lab, "::1", 5000), "the feed")
    started.reload({})
    assert len(peers.read_all(connection)) == 24 and connect_or_none(lab, "::1", 5000) is None
    connection.close()


def connect_or_none(lab, address, port):
    try:
        return lab.router.connect(address, port)
    except OSError:
        return None


def test_P5_an_address_that_is_taken_is_told(lab, engine):
    started = engine({"capture": {"live": "192.0.2.99"}}, wait=False)
    assert "[capture] live = 192.0.2.99:57012: Cannot assign requested address" in started.wait_refused()


# ---- an interface ----

@pytest.fixture
def ids(lab):
    """An interface of the router, and where what is sent out on it arrives."""
    lab.router.run("ip", "link", "add", "ids0", "type", "veth", "peer", "name", "ids1")
    for end in ("ids0", "ids1"):
        lab.router.run("sysctl", "-qw", "net.ipv6.conf.%s.disable_ipv6=1" % end)
        lab.router.run("ip", "link", "set", end, "up")
    yield "ids0", "ids1"
    lab.router.run("ip", "link", "del", "ids0", check=False)


@contextlib.contextmanager
def sniff(lab, interface, path, what="tcp"):
    """Real packets into a file; the block is what is to be seen."""
    catcher = lab.router.spawn("dumpcap", "-q", "-B", "64", "-i", interface, "-f", what, "-w", path,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(path.exists, "dumpcap")
    time.sleep(1)
    yield
    time.sleep(1)
    catcher.send_signal(signal.SIGINT)
    catcher.wait(timeout=20 * PATIENCE)


def test_P6_an_ids_sees_on_an_interface_what_was_said(lab, engine, tmp_path, ids):
    out, there = ids
    started = engine({**PORTS, "network": {**PORTS["network"], "lan": "lan0"}, "capture": {"mirror": out}})
    status = (lab.router.run("cat", "/proc/%d/status" % started.pid())).stdout
    assert re.search(r"CapEff:\s+0*1000$", status, re.M)  # CAP_NET_ADMIN, and not CAP_NET_RAW
    with sniff(lab, there, tmp_path / "ids.pcapng"), servers(lab, tmp_path):
        talk(lab, started, tmp_path, "ids")
        started.wait_records("flow", 4)
    check(tmp_path / "ids.pcapng", "ids")
    check_form(tmp_path / "ids.pcapng")
    mirror = captures(started)["mirror"]
    assert (mirror["interface"], mirror["there"], mirror["connections"], mirror["lost"]) == (out, True, 4, 0)


def test_P6_an_interface_may_go_and_come(lab, engine, ids):
    started = engine({"network": {"lan": "lan0"}, "capture": {"mirror": "ids0"}})
    lab.router.run("ip", "link", "del", "ids0")
    lab.curl("https://origin.test/hello", "-k")
    started.wait_log(r"\[capture\] mirror = ids0: the interface is gone")
    lab.router.run("ip", "link", "add", "ids0", "up", "type", "veth", "peer", "name", "ids1")
    before = captures(started)["mirror"]["packets"]
    lab.curl("https://origin.test/hello", "-k")
    wait_for(lambda: captures(started)["mirror"]["packets"] > before, "packets")


# ---- real packets ----

def test_P7_tshark_decrypts_real_packets_by_the_key_log(lab, engine, tmp_path):
    """Also by keys that stand in the capture itself."""
    keys, real, whole = lab.directory / "packet-keys", tmp_path / "real.pcapng", tmp_path / "whole.pcapng"
    started = engine({**PORTS, "tls": {"keylog": keys}})
    with sniff(lab, "lan0", real), servers(lab, tmp_path):
        talk(lab, started, tmp_path, "real")
        wait_for(lambda: keys.read_text().count("CLIENT_TRAFFIC_SECRET_0") == 8, "the keys")
    # Real ones may come in another order, or again.
    ports = ["-d", "tls.port==%d,http" % WEBSOCKET, "-o", "tcp.reassemble_out_of_order:TRUE"]
    assert keys.stat().st_mode & 0o777 == 0o600
    check(real, "real", [*ports, "-o", "tls.keylog_file:%s" % keys])
    subprocess.run(["editcap", "--inject-secrets", "tls,%s" % keys, real, whole], check=True, timeout=60)
    keys.unlink()
    check(whole, "real", ports)
    assert not values(real, "http || http2 || mqtt || websocket", "frame.number", ports)
