# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever happens to us, the router keeps routing; whatever one connection does, the others live."""

import contextlib
import os
import signal
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path

import pytest

import peers
from lab import ORIGIN4, ORIGIN6, PATIENCE, wait_for

IGNORE = {"ignore": {"pattern": r"^203\.0\.113\.2:443$"}}


def tables(lab):
    return lab.router.run("nft", "list", "tables").stdout


@pytest.mark.parametrize("origin", [ORIGIN4[0], ORIGIN6[0]], ids=["ipv4", "ipv6"])
def test_kill_9_leaves_a_plain_router(lab, engine, origin):
    started = engine()
    with peers.download(lab, origin, started.ca) as download:
        wait_for(lambda: download.received > 0, "traffic to be under way")
        started.kill()
        assert "inet interceptd" not in tables(lab)
        assert "interceptd lab" in lab.issuer(origin)
        assert lab.curl("https://origin.test/hello", origin=origin).stdout == "hello from the origin\n"


def test_it_starts_again_after_kill_9(lab, engine):
    first = engine()
    first.kill()
    engine()
    assert "O = interceptd," in lab.issuer(ORIGIN4[0])
    rules = lab.router.run("ip", "rule").stdout
    assert rules.count("fwmark 0xc00/0xf00") == 1


def test_flush_ruleset_changes_nothing(lab, engine):
    started = engine(IGNORE)
    lab.curl("https://origin.test/hello", origin=ORIGIN4[1])
    learned = {rule["address"] for rule in started.ignored()}
    assert learned
    lab.router.run("nft", "flush", "ruleset")
    try:
        assert "inet interceptd" in tables(lab)
        assert {rule["address"] for rule in started.ignored()} == learned
        # without masquerading IPv4 has no way back; IPv6 has
        assert "O = interceptd," in lab.issuer(ORIGIN6[0])
        assert lab.router.run("nft", "delete", "table", "inet", "interceptd", check=False).returncode
    finally:
        lab.router.run(peers.LAB_SCRIPT, "router", "lan0", "wan0")


def test_a_stopped_engine_does_not_stop_what_is_ignored(lab, engine):
    started = engine(IGNORE)
    lab.curl("https://origin.test/hello", origin=ORIGIN4[1])
    assert started.ignored() != []
    started.signal(signal.SIGSTOP)
    try:
        for _ in range(3):
            assert "interceptd lab" in lab.issuer(ORIGIN4[1])
    finally:
        started.signal(signal.SIGCONT)
    assert "O = interceptd," in lab.issuer(ORIGIN4[0])


def test_what_waited_for_a_stopped_engine_goes_on(lab, engine):
    started = engine()
    started.signal(signal.SIGSTOP)
    device = lab.device.spawn(*peers.curl_command(ORIGIN4[0]), stdout=subprocess.PIPE, text=True)
    time.sleep(1)
    assert device.poll() is None
    started.signal(signal.SIGCONT)
    assert device.communicate(timeout=20 * PATIENCE)[0] == "hello from the origin\n"


def test_fail_closed_lets_nothing_through(lab, engine):
    started = engine({"network": {"on-failure": "closed"}})
    assert "O = interceptd," in lab.issuer(ORIGIN4[0])
    started.kill()
    try:
        assert "inet interceptd" in tables(lab)
        for origin in (ORIGIN4[0], ORIGIN6[0]):
            blocked = lab.curl("https://origin.test/hello", origin=origin, timeout=2, check=False)
            assert blocked.returncode == 28, blocked.stderr
        assert lab.curl("http://origin.test/hello").stdout == "hello from the origin\n"
        again = engine({"network": {"on-failure": "closed"}})
        assert "O = interceptd," in lab.issuer(ORIGIN4[0])
        again.stop()
        assert "inet interceptd" not in tables(lab)  # an orderly end is no failure
    finally:
        lab.router.run("nft", "destroy", "table", "inet", "interceptd", check=False)
        lab.router.run("nft", "delete", "table", "inet", "interceptd", check=False)


def connections(lab, count):
    """So many at most: some are refused, until the gate has heard that there is no room."""
    held = []
    for _ in range(count):
        with contextlib.suppress(ConnectionResetError):
            held.append(lab.device.connect(ORIGIN4[0]))
    return held


def is_blocked(lab, origin=ORIGIN4[0]):
    return lab.curl("https://origin.test/hello", "-k", origin=origin, timeout=2,
                    check=False).returncode == 28


def test_fail_closed_stays_closed_when_the_restart_fails(lab, engine, tmp_path):
    closed = {"network": {"on-failure": "closed"}}
    first = engine(closed)
    first.kill()
    assert is_blocked(lab)
    (tmp_path / "no-folder").write_text("")
    failing = engine({**closed, "control": {"socket": tmp_path / "no-folder/control.sock"}}, wait=False)
    failing.wait_refused()
    assert is_blocked(lab)
    trust = tmp_path / "trust.pem"
    trust.write_text("nonsense")
    failing = engine({**closed, "tls": {"trust": trust}}, wait=False)
    failing.wait_refused()
    assert is_blocked(lab)
    again = engine(closed)
    assert "O = interceptd," in lab.issuer(ORIGIN4[0])
    again.stop()
    assert "interceptd lab" in lab.issuer(ORIGIN4[0])


def test_flush_ruleset_does_not_open_what_is_closed(lab, engine):
    """Where the kernel can guard a table that stays; where it cannot, that is told."""
    started = engine({"network": {"on-failure": "closed"}})
    guarded = "this kernel cannot guard a table that stays behind" not in started.log()
    release = [int(part) for part in os.uname().release.split(".")[:2]]
    assert guarded == (release >= [6, 9])
    lab.router.run("nft", "flush", "ruleset")
    try:
        assert ("inet interceptd" in tables(lab)) == guarded
        if guarded:
            assert "O = interceptd," in lab.issuer(ORIGIN6[0])
    finally:
        lab.router.run(peers.LAB_SCRIPT, "router", "lan0", "wan0")


@pytest.mark.parametrize("on_failure", ["open", "closed"])
def test_extension_headers_do_not_hide_a_connection(lab, engine, on_failure):
    engine({"network": {"on-failure": on_failure}})
    # Next header and length; an option that everybody skips (RFC 4727); PadN.
    options = bytes([0, 32, 0x1e, 255, *bytes(255), 1, 3, *bytes(3)])
    assert len(options) == (32 + 1) * 8
    with lab.device.inside():
        connection = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    with connection:
        connection.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_DSTOPTS, options)
        connection.settimeout(10 * PATIENCE)
        connection.connect((ORIGIN6[0], 443))
        with peers.client_context().wrap_socket(connection) as secure:
            assert peers.issuer_of(secure) == "interceptd"


def test_fail_closed_refuses_when_there_is_no_room(lab, engine):
    started = engine({"network": {"on-failure": "closed", "workers": "1"}},
                     wrapper=["prlimit", "--nofile=140:140"])
    held = connections(lab, 40)
    try:
        results = [lab.curl("https://origin.test/hello", "-k", check=False, timeout=5).returncode
                   for _ in range(3)]
        assert 0 not in results
        started.wait_log("no room for new connections")
    finally:
        for connection in held:
            connection.close()
    started.wait_log("there is room for new connections again")
    assert "O = interceptd," in lab.issuer(ORIGIN4[0])


@pytest.mark.parametrize("notify,ending", [(True, "complete"), (False, "truncated")])
def test_E2_a_stream_ends_as_the_origin_ended_it(lab, engine, notify, ending):
    """With close_notify or without: the device must be able to tell a truncation."""
    started = engine({"network": {"port": 4433}})
    with peers.tls_origin(lab, 4433, b"an answer", notify=notify):
        through_us = peers.read_to_end(lab, ORIGIN4[0], 4433)
        started.wait_records("flow")
        started.stop()
        directly = peers.read_to_end(lab, ORIGIN4[0], 4433)
    assert through_us == directly == (b"an answer", ending)


def test_E2_an_origin_that_resets_in_mid_body(lab, engine):
    started = engine({"network": {"port": 4433}})
    with peers.tls_origin(lab, 4433, b"HTTP/1.0 200 OK\r\nContent-Length: 99\r\n\r\nhalf", reset=True):
        device = lab.curl("https://origin.test:4433/", "-k", check=False)
    assert device.returncode == 56 and "reset" in device.stderr.lower(), device.stderr
    assert started.wait_records("flow")[0]["intercept"]["ending"] == "origin_reset"


def test_E3_a_device_that_half_closes_gets_its_answer(lab, engine):
    """close_notify from the device, then ten megabytes from the origin."""
    engine({"network": {"port": 4433}})
    body = os.urandom(10 << 20)
    with peers.tls_origin(lab, 4433, body, after_close=True):
        assert peers.half_close(lab, ORIGIN4[0], 4433) == body


def test_E4_a_device_that_distrusts_us_is_told_apart(lab, engine):
    started = engine()
    assert lab.curl("https://origin.test/hello", check=False).returncode == 60
    flow = started.wait_records("flow")[0]["intercept"]
    assert flow["ending"] == "device_alert" and flow["client"]["alert_in"] == 48
    started.wait_log(r"the device refused our handshake with a TLS alert \(alert 48, unknown CA\)")


# ---- ClientHellos ----

@pytest.mark.parametrize("pieces", ["whole", "bytes", "records"])
def test_H1_a_client_hello_of_17_kilobytes(lab, engine, pieces):
    """In one piece, one byte a segment, and split over many records."""
    started = engine()
    issuer = peers.large_hello(lab, ORIGIN4[0], pieces)
    assert issuer == "interceptd"
    assert started.wait_records("tls")[0]["tls"]["sni"] == "origin.test"


def test_H1_a_client_hello_that_never_ends_is_relayed_in_the_end(lab, engine):
    started = engine({"network": {"port": 4433}})
    with lab.origin.serve(lambda connection: connection.sendall(connection.recv(100)[:5]), 4433):
        with lab.device.connect(ORIGIN4[0], 4433, timeout=20) as connection:
            connection.sendall(b"\x16\x03\x01\x02\x00\x01\x00")
            assert connection.recv(10) == b"\x16\x03\x01\x02\x00"
    assert started.wait_records("flow")[0]["intercept"]["reason"] == "not_tls"


# ---- many ----

def test_2000_connections_at_the_same_time(lab, engine):
    started = engine()
    crowd = peers.Crowd(lab, ORIGIN4[0], 2000)
    try:
        assert crowd.established == 2000
        assert started.status()["connections"]["active"] == 2000
        assert lab.curl("https://origin.test/hello", ca=started.ca).stdout == "hello from the origin\n"
        assert crowd.answers() == 2000
    finally:
        crowd.close()
    wait_for(lambda: started.status()["connections"]["active"] == 0, "all connections to end", 30)


def test_out_of_file_descriptors(lab, engine):
    """New connections pass or are refused, old ones live, and it recovers."""
    started = engine({"network": {"workers": "1"}}, wrapper=["prlimit", "--nofile=160:160"])
    old = peers.Crowd(lab, ORIGIN4[0], 5)
    held = connections(lab, 60)
    try:
        started.wait_log("no room for new connections")
        # The next ones go straight to the origin.
        assert "interceptd lab" in lab.issuer(ORIGIN4[0])
        assert lab.curl("https://origin.test/hello").stdout == "hello from the origin\n"
        assert old.answers() == 5
    finally:
        for connection in held:
            connection.close()
        old.close()
    started.wait_log("there is room for new connections again")
    assert "O = interceptd," in lab.issuer(ORIGIN4[0])


def test_descriptors_that_run_out_all_of_a_sudden(lab, engine):
    """The limit falls below what is open: what is there lives, nothing spins, it recovers."""
    # Not everywhere has root a say in the limits of others.
    started = engine({"network": {"workers": "1"}, "control": {"user": "root"}})
    old = peers.Crowd(lab, ORIGIN4[0], 5)
    try:
        pid = started.pid()
        subprocess.run(["prlimit", "--pid", str(pid), "--nofile=20:1024"], check=True)
        held = connections(lab, 3)
        started.wait_log("no room for new connections")
        before = cpu_seconds(pid)
        time.sleep(1)
        assert cpu_seconds(pid) - before < 0.5
        assert old.answers() == 5
        assert "interceptd lab" in lab.issuer(ORIGIN4[0])
        subprocess.run(["prlimit", "--pid", str(pid), "--nofile=1024:1024"], check=True)
        for connection in held:
            connection.close()
        started.wait_log("there is room for new connections again")
        assert "O = interceptd," in lab.issuer(ORIGIN4[0])
    finally:
        old.close()


def cpu_seconds(pid):
    fields = open("/proc/%d/stat" % pid).read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_the_thread_that_all_new_connections_wait_for_goes_before_the_others(lab, engine):
    tasks = Path("/proc/%d/task" % engine().pid())
    found = {(task / "comm").read_text().strip():
             int((task / "stat").read_text().rsplit(")", 1)[1].split()[38])  # proc(5): (41) policy
             for task in tasks.iterdir()}
    assert found.pop("gate") == os.SCHED_RR
    assert {"interceptd", "worker", "recorder"} <= set(found) and set(found.values()) == {os.SCHED_OTHER}


def test_a_hello_that_comes_while_we_are_busy_is_in_time(lab, engine):
    """The 300 ms of silence are over by the clock, but the bytes are there."""
    started = engine({"network": {"workers": "1"}})
    worker = started.thread("worker")
    slow = subprocess.Popen(["strace", "-o", "/dev/null", "-p", str(worker), "-e", "trace=epoll_wait",
                             "-e", "inject=epoll_wait:delay_exit=500000"],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(0.5)
        with lab.device.connect(ORIGIN4[0]) as connection:
            time.sleep(1.05)  # accepted after 0.5 s, waited for till 0.8 s, told at 1.3 s
            with peers.client_context().wrap_socket(connection) as secure:
                assert peers.issuer_of(secure) == "interceptd"
    finally:
        slow.terminate()
        slow.wait()


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-x\r\n"], ids=["relayed", "spliced"])
def test_a_reset_of_a_device_that_had_nothing_more_to_say_is_noticed(lab, engine, answer):
    """It had ended its stream, and the origin answers no more: neither side is waited for."""
    started = engine({"network": {"port": 4433}})
    gone = threading.Event()

    def handle(connection):
        if answer:
            connection.sendall(answer)
        else:
            connection = peers.server_context(lab).wrap_socket(connection, server_side=True,
                                                         suppress_ragged_eofs=True)
        gone.wait(20 * PATIENCE)
        connection.close()

    with lab.origin.serve(handle, 4433):
        try:
            with lab.device.connect(ORIGIN4[0], 4433) as connection:
                if answer:
                    assert connection.recv(100) == answer
                else:
                    connection = peers.client_context().wrap_socket(connection)
                socket.socket.shutdown(connection, socket.SHUT_WR)
                time.sleep(0.3)
                assert started.status()["connections"]["active"] == 1
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.close()
            wait_for(lambda: started.status()["connections"]["active"] == 0, "the reset to be noticed", 5)
        finally:
            gone.set()
    ending = started.wait_records("flow")[0]["intercept"]["ending"]
    assert ending == ("device_reset" if answer else "device_no_data")


def test_a_disk_that_does_not_answer_stops_nobody(lab, engine, tmp_path):
    """A FIFO that nobody reads is full soon; traffic goes on, and the end is an end."""
    os.mkfifo(tmp_path / "eve.fifo")
    started = engine({"events": {"file": tmp_path / "eve.fifo"}})
    for _ in range(6):
        peers.Crowd(lab, ORIGIN4[0], 20).close()
    wait_for(lambda: started.status()["records"]["lost"] > 0, "the FIFO to be full")
    assert lab.curl("https://origin.test/hello", ca=started.ca).stdout == "hello from the origin\n"
    started.stop()


def test_idle_connections_cost_no_time(lab, engine):
    started = engine()
    crowd = peers.Crowd(lab, ORIGIN4[0], 50)
    try:
        before = cpu_seconds(started.pid())
        time.sleep(2)
        assert cpu_seconds(started.pid()) - before < 0.2
    finally:
        crowd.close()


def test_E3_a_slow_reader_does_not_fill_the_memory(lab, engine):
    """Back-pressure: 200 MB are waiting at the origin, and the device does not read them."""
    started = engine()
    blob = lab.origin_directory / "www/blob"
    with open(blob, "wb") as file:
        file.truncate(200 << 20)
    before = resident_kilobytes(started.pid())
    with peers.download(lab, ORIGIN4[0], started.ca, "/blob", reads=False) as state:
        time.sleep(2)
        grown = resident_kilobytes(started.pid()) - before
        assert state.connection.recv(15) == b"HTTP/1.1 200 OK"
    blob.unlink()
    assert grown < 8000
    (flow,) = started.wait_records("flow")
    assert 1e5 < flow["flow"]["bytes_toclient"] < 100e6  # some was on its way, and most was not


def resident_kilobytes(pid):
    for line in open("/proc/%d/status" % pid):
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


def test_connections_that_come_and_go_leave_nothing_behind(lab, engine):
    started = engine()

    def descriptors():
        return len(os.listdir("/proc/%d/fd" % started.pid()))

    lab.curl("https://origin.test/hello", ca=started.ca)
    wait_for(lambda: started.status()["connections"]["active"] == 0, "the connection to end")
    before = descriptors()
    for _ in range(5):
        threads = [threading.Thread(target=lab.curl, args=("https://origin.test/hello",),
                                    kwargs={"ca": started.ca}) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for _ in range(30):
        lab.device.connect(ORIGIN4[0]).close()
    wait_for(lambda: started.status()["connections"]["active"] == 0, "all connections to end")
    assert descriptors() <= before + 2
