# SPDX-License-Identifier: GPL-3.0-or-later
"""What TLS offers on one side is never more than there is on the other, and never what is broken."""

import re

import pytest

import peers
import pki
from lab import ORIGIN4
from peers import s_server

PORT = 4433
TAKEN = {"network": {"port": PORT}}
# RFC 9325 and before: no encryption, no authentication, RC4, DES and 3DES, export ciphers.
BROKEN = re.compile(r"NULL|anon|RC4|DES|EXPORT|IDEA|MD5")


def s_client(lab, *options, said="", port=PORT):
    return lab.device.run("openssl", "s_client", "-connect", "%s:%d" % (ORIGIN4[0], port), "-servername",
                          "origin.test", *options, input=said, check=False, timeout=20)


def origin_hello(lab, *options):
    """The ClientHello that the origin gets when such a client calls."""
    seen = []
    with lab.origin.serve(lambda connection: seen.append(connection.recv(20000)), PORT):
        s_client(lab, *options)
    return peers.Hello(seen[0])


@pytest.mark.parametrize("version,name", [("tls1_2", "TLS 1.2"), ("tls1_3", "TLS 1.3")])
def test_V1_both_versions_are_told(lab, engine, version, name):
    started = engine(TAKEN)
    server = s_server(lab, PORT, "-www", "-" + version)
    s_client(lab)
    server.kill()
    flow = started.wait_records("flow")[0]["intercept"]
    assert flow["client"]["version"] == flow["upstream"]["version"] == name


def test_V2_the_origin_is_offered_no_newer_version_than_the_device_offered(lab, engine):
    engine(TAKEN)
    assert 0x0304 in origin_hello(lab).versions
    hello = origin_hello(lab, "-tls1_2")
    assert max(hello.versions) == 0x0303 and 43 not in hello.extensions
    assert all(cipher >> 8 != 0x13 for cipher in hello.ciphers)  # those of TLS 1.3


def test_V2_the_origin_is_offered_nothing_broken(lab, engine):
    """Whatever the device has offered."""
    engine(TAKEN)
    hello = origin_hello(lab, "-cipher", "ALL:COMPLEMENTOFALL:@SECLEVEL=0")
    names = cipher_names(lab)
    assert [names[cipher] for cipher in hello.ciphers if BROKEN.search(names.get(cipher, "NULL"))
            and cipher != 0x00ff] == []  # which says that renegotiation is safe (RFC 5746)
    assert hello.compressions == [0]


def cipher_names(lab):
    listed = lab.device.run("openssl", "ciphers", "-V", "-stdname", "ALL:COMPLEMENTOFALL:@SECLEVEL=0").stdout
    return {int(high, 16) << 8 | int(low, 16): name
            for high, low, name in re.findall(r"0x(..),0x(..) - (\S+)", listed)}


@pytest.mark.parametrize("cipher", ["eNULL", "aNULL"])
def test_V2_the_device_is_granted_nothing_broken(lab, engine, cipher):
    engine(TAKEN)
    server = s_server(lab, PORT, "-www")
    shown = s_client(lab, "-tls1_2", "-cipher", cipher + ":@SECLEVEL=0")
    server.kill()
    assert "alert handshake failure" in shown.stderr, shown


def test_V4_a_device_cannot_renegotiate(lab, engine):
    engine(TAKEN)
    server = s_server(lab, PORT, "-quiet")
    shown = s_client(lab, "-tls1_2", said="R\n")
    server.kill()
    assert "RENEGOTIATING" in shown.stdout + shown.stderr and "no renegotiation" in shown.stderr, shown


def test_V4_nothing_is_compressed(lab, engine):
    engine(TAKEN)
    server = s_server(lab, PORT, "-www", "-comp")
    shown = s_client(lab, "-tls1_2", "-comp")
    server.kill()
    assert "Compression: NONE" in shown.stdout and "O = interceptd" in shown.stdout


def test_V4_diffie_hellman_has_2048_bits_at_least(lab, engine, tmp_path):
    engine(TAKEN)
    certificate, key = pki.make(key=pki.rsa_key(2048)).write(tmp_path, "rsa")
    server = s_server(lab, PORT, "-www", "-cert", certificate, "-key", key)
    shown = s_client(lab, "-tls1_2", "-cipher", "kDHE:@SECLEVEL=0", "-sigalgs", "RSA+SHA256")
    server.kill()
    (bits,) = re.findall(r"Server Temp Key: DH, (\d+) bits", shown.stdout)
    assert int(bits) >= 2048


@pytest.mark.parametrize("token", ["mqtt", "x-unheard-of"])
def test_A1_protocols_that_we_do_not_know_are_negotiated(lab, engine, token):
    started = engine(TAKEN)
    server = s_server(lab, PORT, "-www", "-alpn", token)
    shown = s_client(lab, "-alpn", "h2," + token)
    server.kill()
    assert "ALPN protocol: " + token in shown.stdout
    flow = started.wait_records("flow")[0]["intercept"]
    assert flow["client"]["alpn"] == flow["upstream"]["alpn"] == token


def test_A1_a_refused_protocol_is_refused(lab, engine):
    """Alert 120, as without us."""
    started = engine(TAKEN)
    server = s_server(lab, PORT, "-www", "-alpn", "h2")
    intercepted = s_client(lab, "-alpn", "mqtt")
    flow = started.wait_records("flow")[0]["intercept"]
    started.stop()
    direct = s_client(lab, "-alpn", "mqtt")
    server.kill()
    assert "no application protocol" in direct.stderr and "no application protocol" in intercepted.stderr
    assert flow["upstream"]["alert_in"] == flow["client"]["alert_out"] == 120


def test_A1_an_origin_without_alpn_gives_none(lab, engine):
    engine(TAKEN)
    server = s_server(lab, PORT, "-www")
    shown = s_client(lab, "-alpn", "h2,http/1.1")
    server.kill()
    assert "No ALPN negotiated" in shown.stdout and "O = interceptd" in shown.stdout
