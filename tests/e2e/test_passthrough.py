# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot be intercepted goes through as it came; what the origin does, the device sees."""

import os
import socket
import struct
import threading
import time

import pytest

from lab import DEVICE6, ORIGIN4, ORIGIN6, PATIENCE, wait_for

PORT = 4433
TAKEN = {"network": {"port": PORT}}


def read_all(connection):
    parts = []
    while True:
        part = connection.recv(65536)
        if not part:
            return b"".join(parts)
        parts.append(part)


def test_H4_plain_http_on_a_taken_port(lab, engine):
    started = engine({"network": {"port": 80}})
    assert lab.curl("http://origin.test/hello").stdout == "hello from the origin\n"
    (flow,) = started.wait_records("flow")
    assert flow["app_proto"] == "http"
    assert flow["intercept"]["action"] == "passthrough"
    assert flow["intercept"]["reason"] == "not_tls"


@pytest.mark.parametrize("read", [True, False], ids=["read", "spliced"])
@pytest.mark.parametrize("origin", [ORIGIN4[0], ORIGIN6[0]], ids=["ipv4", "ipv6"])
def test_H2_unknown_bytes_are_untouched_both_ways(lab, engine, origin, read):
    started = engine({**TAKEN, **({} if read else {"tcp": {"pattern": "."}})})
    sent, answered = os.urandom(3_000_000), os.urandom(3_000_000)
    sent = b"\x01" + sent
    seen = []

    def answer(connection):
        seen.append(read_all(connection))
        connection.sendall(answered)

    with lab.origin.serve(answer, PORT, origin):
        with lab.device.connect(origin, PORT) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)  # half-close: the answer still comes
            assert read_all(connection) == answered
    assert seen == [sent]
    (flow,) = started.wait_records("flow")
    assert flow["app_proto"] == "failed" and flow["intercept"]["ending"] == "closed"
    assert flow["intercept"]["phase"] == ("plain" if read else "splice")
    assert len(started.records("unknown")) == read


@pytest.mark.parametrize("garbage", [
    b"\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00",              # a record, but no ClientHello
    b"\x16\x03\x01\x00\x08\x01\x00\x00\x04abcd",              # a ClientHello that is none
    b"\x16\x03\x01\x40\x01\x01\x00\x00\x04" + b"x" * 50,      # a record that is too long
    b"\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10",          # as SSLv2 began
    b"\x00",
], ids=["no-hello", "broken-hello", "long-record", "sslv2", "nul"])
def test_H4_garbage_on_port_443(lab, engine, garbage):
    started = engine(TAKEN)
    seen = []

    def answer(connection):
        seen.append(read_all(connection))
        connection.sendall(b"as you like\n")

    with lab.origin.serve(answer, PORT):
        with lab.device.connect(ORIGIN4[0], PORT) as connection:
            connection.sendall(garbage)
            connection.shutdown(socket.SHUT_WR)
            assert read_all(connection) == b"as you like\n"
    assert seen == [garbage]
    assert started.wait_records("flow")[0]["intercept"]["reason"] == "not_tls"


def test_H3_the_server_may_speak_first(lab, engine):
    started = engine(TAKEN)

    def greet(connection):
        connection.sendall(b"220 mail.origin.test ESMTP\r\n")
        assert connection.recv(100) == b"QUIT\r\n"
        connection.sendall(b"221 bye\r\n")

    with lab.origin.serve(greet, PORT):
        with lab.device.connect(ORIGIN4[0], PORT) as connection:
            begun = time.monotonic()
            assert connection.recv(100) == b"220 mail.origin.test ESMTP\r\n"
            assert time.monotonic() - begun < 1 * PATIENCE
            connection.sendall(b"QUIT\r\n")
            assert connection.recv(100) == b"221 bye\r\n"
    assert started.wait_records("flow")[0]["app_proto"] == "smtp"


def test_H3_a_client_that_thinks_before_it_speaks_is_intercepted(lab, engine):
    """Silence makes us dial the origin; a ClientHello that comes after all is a ClientHello."""
    engine()
    with lab.device.connect(ORIGIN4[0]) as connection:
        time.sleep(0.6 * PATIENCE)
        context = client_context()
        with context.wrap_socket(connection, server_hostname="origin.test") as secure:
            issuer = dict(item[0] for item in parse_issuer(secure))
            assert issuer["organizationName"] == "interceptd"


def client_context():
    import ssl
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def parse_issuer(secure):
    from cryptography import x509
    certificate = x509.load_der_x509_certificate(secure.getpeercert(True))
    return [[(attribute.oid._name, attribute.value)] for attribute in certificate.issuer]


@pytest.mark.parametrize("name", ["tls", "raw"])
def test_E1_a_refused_connection_is_refused(lab, engine, name):
    started = engine(TAKEN)
    with lab.device.connect(ORIGIN4[0], PORT) as connection:
        connection.sendall(b"\x16\x03\x01\x02" if name == "tls" else b"hello")
        if name == "tls":
            connection.sendall(client_hello()[4:])
        with pytest.raises(ConnectionResetError):
            assert connection.recv(100) != b""
    assert started.wait_records("flow")[0]["intercept"]["ending"] == "origin_refused"


def client_hello():
    """The bytes of a ClientHello, by Python's own TLS."""
    import ssl
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    secure = client_context().wrap_bio(incoming, outgoing, server_hostname="origin.test")
    with pytest.raises(ssl.SSLWantReadError):
        secure.do_handshake()
    return b"\x16\x03\x01" + outgoing.read()[3:]


def test_E1_an_unreachable_origin_is_no_connection(lab, engine):
    started = engine(TAKEN)
    lab.router.run("ip", "route", "add", "unreachable", "192.0.2.0/24")
    try:
        with lab.device.connect("192.0.2.7", PORT) as connection:
            connection.sendall(client_hello())
            with pytest.raises(ConnectionResetError):
                assert connection.recv(100) != b""
    finally:
        lab.router.run("ip", "route", "del", "unreachable", "192.0.2.0/24")
    assert started.wait_records("flow")[0]["intercept"]["ending"] == "origin_unreachable"


def test_E1_a_silent_origin_is_silence(lab, engine):
    """Nothing answers there: curl gives up by itself, as it would without us."""
    started = engine()
    lab.router.run("ip", "route", "add", "blackhole", "192.0.2.9/32", "table", "99")
    lab.router.run("nft", "add", "table", "inet", "silence")
    lab.router.run("nft", "add", "chain", "inet", "silence", "out",
                   "{ type filter hook output priority 0; ip daddr 192.0.2.9 drop; }")
    try:
        result = lab.curl("https://origin.test/hello", origin="192.0.2.9", timeout=2, check=False)
    finally:
        lab.router.run("nft", "delete", "table", "inet", "silence")
        lab.router.run("ip", "route", "flush", "table", "99")
    assert result.returncode == 28, result.stderr  # timed out
    assert started.wait_records("flow")[0]["intercept"]["ending"] == "device_gone"


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def test_E2_a_reset_in_the_middle_is_a_reset(lab, engine):
    engine(TAKEN)

    def answer(connection):
        connection.recv(100)
        connection.sendall(b"x" * 1000)
        time.sleep(0.3)
        reset(connection)

    with lab.origin.serve(answer, PORT):
        with lab.device.connect(ORIGIN4[0], PORT) as connection:
            connection.sendall(b"hello")
            with pytest.raises(ConnectionResetError):
                read_all(connection)


def test_E1_a_closed_connection_during_the_handshake_is_closed(lab, engine):
    started = engine(TAKEN)

    def answer(connection):
        connection.recv(10000)

    with lab.origin.serve(answer, PORT):
        with lab.device.connect(ORIGIN4[0], PORT) as connection:
            connection.sendall(client_hello())
            assert connection.recv(100) == b""  # FIN, and no alert of our own
    assert started.wait_records("flow")[0]["intercept"]["ending"] == "origin_closed"


@pytest.mark.parametrize("alert", [40, 112])
def test_E1_the_origins_alert_is_the_devices_alert(lab, engine, alert):
    started = engine(TAKEN)

    def answer(connection):
        connection.recv(10000)
        connection.sendall(bytes([21, 3, 3, 0, 2, 2, alert]))

    with lab.origin.serve(answer, PORT):
        with lab.device.connect(ORIGIN4[0], PORT) as connection:
            connection.sendall(client_hello())
            record = read_all(connection)
    assert record[0] == 21 and record[5:] == bytes([2, alert])
    flow = started.wait_records("flow")[0]["intercept"]
    assert flow["ending"] == "origin_alert" and flow["upstream"]["alert_in"] == alert


def test_the_origin_may_see_the_devices_address(lab, engine):
    """IPv6, which the lab's router does not translate."""
    engine({"network": {"source-address": "device"}})
    result = lab.curl("https://origin.test/who", "-k", origin=ORIGIN6[0])
    assert result.stdout == DEVICE6 + "\n"


def test_by_default_the_origin_sees_the_router(lab, engine):
    engine()
    result = lab.curl("https://origin.test/who", "-k", origin=ORIGIN6[0])
    assert result.stdout == "2001:db8:100::1\n"
