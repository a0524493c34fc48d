# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates that mean harm: each connection ends and leaves its record, and no other one feels it."""

import contextlib
import ssl

import pytest
from cryptography import x509

import peers
import pki
from lab import ORIGIN4, wait_for

PORT = 4433
TAKEN = {"network": {"port": "443,4433".split(",")}}


@pytest.fixture
def ca(lab):
    return pki.load(lab.origin_directory / "ca.pem", lab.origin_directory / "ca.key")


def is_well(lab, started):
    assert lab.curl("https://origin.test/hello", ca=started.ca).stdout == "hello from the origin\n"
    wait_for(lambda: started.status()["connections"]["active"] == 0, "all connections to end")


def visit(lab):
    """A device that takes any certificate; whether it got an answer."""
    with contextlib.suppress(OSError), lab.device.connect(ORIGIN4[0], PORT) as connection:
        with peers.client_context().wrap_socket(connection, server_hostname="origin.test") as secure:
            secure.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return peers.read_all(secure).endswith(b"hello")
    return False


def chain_of(ca, count, size):
    """A good certificate, and behind it others of that many bytes that nobody needs."""
    pair = pki.make(issuer=ca)
    filler = x509.UnrecognizedExtension(pki.PRIVATE_OID, b"\x04\x82" + size.to_bytes(2, "big") + b"x" * size)
    pair.above = [pki.make("Filler", [], extensions=[(filler, False)])] * count
    return pair


HUGE = {
    "10000-names": lambda ca: pki.make(issuer=ca, names=["n%d.origin.test" % i for i in range(10000)]),
    "90-kilobytes": lambda ca: chain_of(ca, 9, 10000),
    "120-kilobytes": lambda ca: chain_of(ca, 12, 10000),
    "1-megabyte": lambda ca: chain_of(ca, 50, 20000),
    "100-certificates": lambda ca: chain_of(ca, 100, 100),
}


@pytest.mark.parametrize("name", list(HUGE))
def test_F9_chains_of_any_size_are_taken_or_refused(lab, engine, ca, tmp_path, name):
    """As OpenSSL takes or refuses them in the device."""
    started = engine(TAKEN)
    with peers.web_origin(lab, PORT, HUGE[name](ca).write(tmp_path, "huge")):
        intercepted = visit(lab)
        (flow,) = started.wait_records("flow")
        is_well(lab, started)
        started.stop()
        assert visit(lab) == intercepted
    assert (flow["intercept"]["ending"] == "closed") == intercepted
    if not intercepted:
        assert flow["intercept"]["ending"] == "origin_tls"
        started.wait_log(r"\(excessive message size\)")


def present(lab, files, damaged, good):
    """handle(connection): shakes hands with this certificate in the place of the good one. Only TLS 1.2
    shows it in the clear; where OpenSSL can read it at all it could be any other origin's."""
    context = peers.server_context(lab, files)
    context.maximum_version = ssl.TLSVersion.TLSv1_2

    def handle(connection):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        secure = context.wrap_bio(incoming, outgoing, server_side=True)
        incoming.write(connection.recv(20000))
        with contextlib.suppress(ssl.SSLWantReadError):
            secure.do_handshake()
        flight = outgoing.read()
        assert good in flight
        connection.sendall(flight.replace(good, damaged))
        with contextlib.suppress(ssl.SSLError, AssertionError):
            peers.tls_step(connection, incoming, outgoing, secure.do_handshake)
            secure.write(b"hello" * 10)
            connection.sendall(outgoing.read())

    return handle


def damages(der):
    """A bit here and there, lengths that are too long, an early end filled up."""
    for at in range(0, len(der), 5):
        for mask in (0x01, 0x80):
            yield der[:at] + bytes([der[at] ^ mask]) + der[at + 1:]
    for at in range(3, len(der), 40):
        yield der[:at] + b"\xff" * (len(der) - at)
        yield der[:at] + b"\0" * (len(der) - at)


@pytest.mark.parametrize("upstream", ["mirror", "ignore"])
def test_F9_a_damaged_certificate_harms_nobody(lab, engine, ca, tmp_path, upstream):
    """The origin's Finished cannot fit what it did not send: what OpenSSL can read ends there."""
    started = engine({**TAKEN, "tls": {"upstream": upstream}})
    pair = pki.make(issuer=ca)
    files = pair.write(tmp_path, "good")
    visits = 0
    for damaged in damages(pair.der):
        with lab.origin.serve(present(lab, files, damaged, pair.der), PORT):
            assert not visit(lab)
        visits += 1
    flows = started.wait_records("flow", visits, dest_port=PORT)
    endings = {flow["intercept"]["ending"] for flow in flows}
    assert len(flows) == visits > 150 and endings <= {"origin_tls", "origin_alert"}, endings
    is_well(lab, started)


def test_F9_a_damaged_certificate_that_can_be_read_harms_nobody(lab, engine, ca, tmp_path):
    """All that OpenSSL loads, with the handshake that belongs to it."""
    started = engine({**TAKEN, "tls": {"upstream": "ignore"}})
    pair = pki.make(issuer=ca, names=["origin.test", "203.0.113.1"])
    visits = 0
    for number, damaged in enumerate(damages(pair.der)):
        files = pair.altered(damaged).write(tmp_path, "damaged")
        try:
            peers.server_context(lab, files)
        except ssl.SSLError:
            continue
        with peers.web_origin(lab, PORT, files):
            visit(lab)
        visits += 1
    flows = started.wait_records("flow", visits, dest_port=PORT)
    assert visits > 40 and all("ending" in flow["intercept"] for flow in flows)
    is_well(lab, started)
