# SPDX-License-Identifier: GPL-3.0-or-later
"""QUIC's first datagrams, made by hand, and ngtcp2's client and server, which speak all of it."""

import contextlib
import hashlib
import hmac
import os
import socket
import subprocess

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lab import PATIENCE, family_of, wait_for

# What versions differ in: RFC 9001, section 5.2; RFC 9369, section 3.
VERSIONS = {
    1: (0x00000001, 0xc0, "38762cf7f55934b34d179ae6a4c80cadccbb7f0a", b"quic "),
    2: (0x6b3343cf, 0xd0, "0dede3def700a6db819381be6e269dcbf9bd2ed9", b"quicv2 "),
}
LEAST = 1200  # bytes of a client's first datagrams


def expand(secret, label, size):
    label = b"tls13 " + label
    info = size.to_bytes(2, "big") + bytes([len(label)]) + label + b"\0\1"
    return hmac.new(secret, info, hashlib.sha256).digest()[:size]


def varint(number):
    return bytes([number]) if number < 64 else (number | 0x4000).to_bytes(2, "big")


def vector(size, content):
    return len(content).to_bytes(size, "big") + content


def client_hello(name, key_share=32):
    """With a key share of so many bytes: post-quantum ones have 1216."""
    name = name.encode()
    extensions = b"".join(kind.to_bytes(2, "big") + vector(2, content) for kind, content in [
        (51, vector(2, b"\x11\xec" + vector(2, os.urandom(key_share)))),
        (0, vector(2, b"\0" + vector(2, name))),
        (16, vector(2, b"\2h3")),
        (43, vector(1, b"\3\4")),
    ])
    body = b"\3\3" + os.urandom(32) + b"\0" + vector(2, b"\x13\1") + b"\1\0" + vector(2, extensions)
    return b"\1" + vector(3, body)


def crypto(hello, start, end):
    part = hello[start:end]
    return b"\6" + varint(start) + varint(len(part)) + part


def initial(identifier, number, frames, version=1, padded=LEAST):
    """A client's Initial packet, which alone makes a datagram of this size."""
    code, first, salt, prefix = VERSIONS[version]
    secret = expand(hmac.new(bytes.fromhex(salt), identifier, hashlib.sha256).digest(), b"client in", 32)
    key, iv, mask_key = (expand(secret, prefix + what, size)
                         for what, size in ((b"key", 16), (b"iv", 12), (b"hp", 16)))
    frames += bytes(max(0, padded - len(frames) - 36))
    header = bytes([first | 1]) + code.to_bytes(4, "big") + vector(1, identifier) + b"\0\0" + \
        varint(2 + len(frames) + 16) + number.to_bytes(2, "big")
    nonce = (int.from_bytes(iv, "big") ^ number).to_bytes(12, "big")
    sealed = AESGCM(key).encrypt(nonce, frames, header)
    mask = Cipher(algorithms.AES(mask_key), modes.ECB()).encryptor().update(sealed[2:18])
    start = bytes([header[0] ^ mask[0] & 0x0f]) + header[1:-2]
    return start + bytes(a ^ b for a, b in zip(header[-2:], mask[1:])) + sealed


def datagrams(name, version=1, parts=1):
    """The first flight of a client that asks for the name; of two parts, the second comes first."""
    identifier = os.urandom(8)
    hello = client_hello(name, 32 if parts == 1 else 1216)
    if parts == 1:
        return [initial(identifier, 0, crypto(hello, 0, len(hello)), version)]
    half = len(hello) // 2
    return [initial(identifier, 0, crypto(hello, half, len(hello)), version),
            initial(identifier, 1, b"\1" + crypto(hello, 0, half + 20), version)]


class Flow:
    """A UDP socket of the device's, connected to port 443 of an origin."""

    def __init__(self, lab, origin, source=None, port=443):
        with lab.device.inside():
            self.socket = socket.socket(family_of(origin), socket.SOCK_DGRAM)
        if source:
            self.socket.bind(source)
        self.socket.connect((origin, port))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def name(self):
        return self.socket.getsockname()

    def send(self, *sent):
        for datagram in sent:
            try:
                self.socket.send(datagram)
            except ConnectionRefusedError:  # the answer to an earlier one
                self.socket.send(datagram)

    def is_refused(self, seconds=3):
        """Whether an ICMP error comes back."""
        self.socket.settimeout(seconds * PATIENCE)
        try:
            self.socket.recv(2000)
        except ConnectionRefusedError:
            return True
        except socket.timeout:
            return False
        return False


@contextlib.contextmanager
def listening(lab, origin):
    """A UDP socket of the origin's that answers nothing: a flow is new to the kernel as long."""
    with lab.origin.inside():
        listener = socket.socket(family_of(origin), socket.SOCK_DGRAM)
    with listener:
        listener.bind((origin, 443))
        listener.settimeout(3 * PATIENCE)
        yield listener


@contextlib.contextmanager
def server(lab):
    """HTTP/3, with what the lab's web server has."""
    files = lab.origin_directory
    with open(files / "quic.log", "wb") as log:
        process = lab.origin.spawn("gtlsserver", "-q", "-d", files / "www", "*", "443",
                                   files / "origin.key", files / "origin.pem", stdout=log, stderr=log)
    try:
        wait_for(lambda: ":443 " in lab.origin.run("ss", "-Hlun").stdout, "the server")
        yield process
    finally:
        process.kill()
        process.wait()


def get(lab, origin, name, path, directory, *options):
    """The page, by ngtcp2's client; None if it did not come. It asks for a name that it has resolved."""
    hosts = directory / "hosts"
    hosts.write_text("%s %s\n" % (origin, name))
    lab.device.run("unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', hosts,
                   "timeout", str(int(15 * PATIENCE)), "gtlsclient", "-q", "--exit-on-all-streams-close",
                   "--download=" + str(directory), *options,
                   name, "443", "https://%s/%s" % (name, path), check=False)
    page = directory / path
    if not page.exists():
        return None
    text = page.read_text()
    page.unlink()
    return text
