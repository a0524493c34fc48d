# SPDX-License-Identifier: GPL-3.0-or-later
"""ClientHellos of every form; and what is passed is passed byte for byte."""

import hashlib
import os
import random
import socket
import ssl
import struct
import time

import pytest

import peers
from lab import ORIGIN4, PATIENCE

PORT = 4433
TAKEN = {"network": {"port": PORT}}
BY_NAME = {**TAKEN, "ignore": {"pattern": r"^origin\.test:", "match": "sni"}}


def handshake(connection, hello, incoming, outgoing, secure):
    connection.sendall(hello)
    incoming.write(connection.recv(65536))
    peers.tls_step(connection, incoming, outgoing, secure.do_handshake)
    return peers.issuer_of(secure)


def in_pieces(connection, hello, sizes):
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    at = 0
    while at < len(hello):
        size = next(sizes)
        connection.sendall(hello[at:at + size])
        at += size
        time.sleep(0.002)


@pytest.mark.parametrize("seed", range(5))
def test_H1_a_hello_in_segments_of_any_size(lab, engine, seed):
    engine()
    random_sizes = random.Random(seed)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    secure = peers.client_context().wrap_bio(incoming, outgoing, server_hostname="origin.test")
    with pytest.raises(ssl.SSLWantReadError):
        secure.do_handshake()
    hello = b"".join(peers.split_records(outgoing.read(), random_sizes.randint(1, 200)))
    with lab.device.connect(ORIGIN4[0]) as connection:
        in_pieces(connection, hello, iter(lambda: random_sizes.randint(1, 60), None))
        incoming.write(connection.recv(65536))
        peers.tls_step(connection, incoming, outgoing, secure.do_handshake)
        assert peers.issuer_of(secure) == "interceptd"


def test_H1_a_part_of_a_hello_leaves_the_origin_its_time(lab, engine):
    """A network that loses the first SYNs: the device has begun by then, and 10 seconds are its own."""
    started = engine()
    hello = peers.client_hello()
    rule = "table inet slow { chain c { type filter hook input priority 0; tcp dport 443 drop; }; }"
    lab.origin.run("nft", rule)
    try:
        with lab.device.connect(ORIGIN4[0]) as connection:
            connection.settimeout(40 * PATIENCE)
            time.sleep(1)
            connection.sendall(hello[:50])
            time.sleep(11)
            lab.origin.run("nft", "delete", "table", "inet", "slow")
            time.sleep(5)
            connection.sendall(hello[50:])
            assert connection.recv(1) == b"\x16"
    finally:
        lab.origin.run("nft", "delete", "table", "inet", "slow", check=False)
    assert started.wait_records("flow")[0]["intercept"]["action"] == "intercept"


@pytest.mark.parametrize("large", [False, True], ids=["small", "large"])
def test_H2_what_is_passed_by_its_name_is_the_same_byte_for_byte(lab, engine, tmp_path, large):
    """The ClientHello too, in pieces and with what comes after it; and so is the answer."""
    started = engine(BY_NAME)
    hello = peers.client_hello()
    if large:  # one record becomes as many as it has bytes
        hello = b"".join(peers.split_records(hello, 1))
    sent, answer = hello + os.urandom(500_000), os.urandom(500_000)
    got, answered = tmp_path / "origin-got", tmp_path / "device-got"

    def handle(connection):
        got.write_bytes(peers.read_all(connection))
        connection.sendall(answer)

    with lab.origin.serve(handle, PORT):
        with lab.device.connect(ORIGIN4[0], PORT) as connection:
            in_pieces(connection, sent[:len(hello)], iter(lambda: 97, None))
            connection.sendall(sent[len(hello):])
            connection.shutdown(socket.SHUT_WR)
            answered.write_bytes(peers.read_all(connection))
    for path, expected in ((got, sent), (answered, answer)):
        assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(expected).digest()
    flow = started.wait_records("flow")[0]["intercept"]
    assert flow["action"] == "passthrough" and flow["reason"] == "rule"


def extended(hello, extension):
    """With one more extension in front of the others, and its lengths put right."""
    message = bytearray(hello[5:])
    at = 4 + 34
    at += 1 + message[at]
    at += 2 + struct.unpack_from(">H", message, at)[0]
    at += 1 + message[at]
    total = struct.unpack_from(">H", message, at)[0]
    struct.pack_into(">H", message, at, total + len(extension))
    message[at + 2:at + 2] = extension
    message[1:4] = (len(message) - 4).to_bytes(3, "big")
    return hello[:3] + struct.pack(">H", len(message)) + bytes(message)


@pytest.mark.parametrize("value", [0x0a0a, 0x5a5a, 0xfafa])
def test_H1_grease_is_looked_over(lab, engine, value):
    """RFC 8701: a server answers as if it was not there."""
    started = engine()
    hello = extended(peers.client_hello(), struct.pack(">HHB", value, 1, 0))
    with lab.device.connect(ORIGIN4[0]) as connection:
        connection.sendall(hello)
        answer = connection.recv(65536)
    assert answer[0] == 22 and answer[5] == 2  # handshake, ServerHello
    record = started.wait_records("tls")[0]
    assert record["tls"]["sni"] == "origin.test" and record["intercept"]["upstream"]["verify"] == "ok"
