# SPDX-License-Identifier: GPL-3.0-or-later
"""How it ended: a device that refuses us is told apart, with its alert or without one. That the ends of
streams are passed on as they came stands in test_faults.py and test_passthrough.py."""

import socket
import struct
import time

import pytest

import peers
import pki
from lab import ORIGIN4, PATIENCE, wait_for

PORT = 4433
TAKEN = {"network": {"port": PORT}}


def curl(lab, ca):
    return lab.curl("https://origin.test:%d/" % PORT, ca=ca, check=False)


def wget(lab, ca):
    return lab.device.run("wget", "-qO-", "--tries=1", "--ca-certificate", ca,
                          "https://%s:%d/" % (ORIGIN4[0], PORT), check=False)


@pytest.mark.parametrize("fault,alert,name", [
    ({}, 48, "unknown CA"),
    ({"begins": -10 * pki.DAY, "ends": -3 * pki.DAY}, 45, "certificate expired"),
    ({"begins": 3 * pki.DAY, "ends": 10 * pki.DAY}, 42, "bad certificate"),
], ids=["untrusted", "expired", "not-yet-valid"])
def test_E4_the_alert_of_a_device_has_its_number_and_its_name(lab, engine, tmp_path, fault, alert, name):
    """The first one does not know our CA; the others do, and see what is wrong with the origin."""
    started = engine(TAKEN)
    ca = pki.load(lab.origin_directory / "ca.pem", lab.origin_directory / "ca.key")
    with peers.web_origin(lab, PORT, pki.make(issuer=ca, **fault).write(tmp_path, "origin")):
        assert curl(lab, started.ca if fault else lab.origin_ca).returncode == 60
    (flow,) = started.wait_records("flow")
    client = flow["intercept"]["client"]
    assert (client["alert_in"], client["alert_in_name"]) == (alert, name)
    assert flow["intercept"]["ending"] == "device_alert"
    assert "version" not in client  # before the handshake was done
    assert flow["flow"]["start"] < flow["flow"]["end"]
    started.wait_log(r"refused our handshake with a TLS alert \(alert %d, %s\)" % (alert, name))


def test_E4_a_device_that_leaves_after_the_handshake_has_refused_us(lab, engine):
    """Wget, with GnuTLS, finishes the handshake, and then looks at the certificate."""
    started = engine(TAKEN)
    with peers.web_origin(lab, PORT) as origin:
        assert wget(lab, lab.origin_ca).returncode == 5
        (flow,) = started.wait_records("flow")
    assert flow["intercept"]["ending"] == "device_no_data"
    assert flow["intercept"]["client"]["version"] == "TLS 1.3"
    assert origin.requests == [b""]


def test_E4_a_wrong_name_is_refused_after_the_handshake_too(lab, engine, tmp_path):
    started = engine(TAKEN)
    ca = pki.load(lab.origin_directory / "ca.pem", lab.origin_directory / "ca.key")
    with peers.web_origin(lab, PORT, pki.make(names=["other.test"], issuer=ca).write(tmp_path, "other")):
        assert curl(lab, started.ca).returncode == 60
        (flow,) = started.wait_records("flow")
    assert flow["intercept"]["ending"] == "device_no_data"


def test_E4_who_has_sent_data_has_not_refused(lab, engine):
    started = engine(TAKEN)
    with peers.web_origin(lab, PORT):
        assert curl(lab, started.ca).returncode == 0
    assert started.wait_records("flow")[0]["intercept"]["ending"] == "closed"


def test_E4_an_origin_that_ends_first_is_no_refusal(lab, engine):
    """A device that listens, and has said nothing yet."""
    started = engine(TAKEN)

    def handle(connection):
        peers.server_context(lab).wrap_socket(connection, server_side=True).unwrap()

    with lab.origin.serve(handle, PORT):
        with lab.device.connect(ORIGIN4[0], PORT) as connection:
            secure = peers.client_context().wrap_socket(connection, server_hostname="origin.test")
            assert secure.recv(10) == b""
            secure.unwrap()
        (flow,) = started.wait_records("flow")
    assert flow["intercept"]["ending"] == "closed"


@pytest.mark.parametrize("intercepted", [True, False], ids=["intercepted", "direct"])
def test_E2_a_device_that_resets_resets_the_origin(lab, engine, intercepted):
    """And is told apart from one that closes."""
    started = engine(TAKEN if intercepted else {})
    seen = []

    def handle(connection):
        secure = peers.server_context(lab).wrap_socket(connection, server_side=True)
        with socket.socket(fileno=secure.detach()) as below:  # Python's TLS takes a reset for an end
            below.settimeout(10 * PATIENCE)
            while below.recv(1000):
                pass
        seen.append("end")

    def notice(connection):
        try:
            handle(connection)
        except OSError as error:
            seen.append(type(error).__name__)

    with lab.origin.serve(notice, PORT):
        connection = lab.device.connect(ORIGIN4[0], PORT)
        secure = peers.client_context().wrap_socket(connection, server_hostname="origin.test")
        secure.sendall(b"hello")
        time.sleep(0.3)
        secure.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        socket.socket(fileno=secure.detach()).close()
        wait_for(lambda: seen, "the origin to notice")
    assert seen == ["ConnectionResetError"]
    if intercepted:
        assert started.wait_records("flow")[0]["intercept"]["ending"] == "device_reset"
