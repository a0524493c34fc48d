# SPDX-License-Identifier: GPL-3.0-or-later
"""What fails is told apart: by which side, at which step, why, and what to do about it."""

import contextlib
import ssl

import pytest

import peers
import pki
from lab import ORIGIN4, wait_for


@contextlib.contextmanager
def s_server(lab, *options):
    server = peers.s_server(lab, 4433, "-www", *options)
    try:
        yield
    finally:
        server.kill()
        server.wait()


def the_end(started, count=1):
    """What the last connection's record says under `intercept`, and the log's line about it."""
    record = started.wait_records("flow", count)[count - 1]["intercept"]
    line = started.wait_log(r"^.*clientdisconnect .*$", count)
    return record, line.group(0)


def wget(lab, *options):
    return lab.device.run("wget", "-q", "-O", "-", "-t", "1", "--timeout", "10", *options,
                          "https://%s/hello" % ORIGIN4[0], check=False)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_E4_a_device_that_does_not_trust_us_says_so_by_an_alert(lab, engine, version):
    started = engine()
    assert lab.curl("https://origin.test/hello", "--tls-max", version, check=False).returncode == 60
    record, line = the_end(started)
    assert (record["ending"], record["phase"]) == ("device_alert", "device")
    assert record["client"]["alert_in"] == 48 and record["client"]["alert_in_name"] == "unknown CA"
    assert "install our CA on the device" in record["advice"] and record["advice"] in line
    assert "(alert 48, unknown CA)" in line


def test_E4_a_device_that_finishes_the_handshake_and_leaves_has_not_accepted(lab, engine):
    """GnuTLS looks at the certificate when the handshake is done."""
    started = engine()
    assert wget(lab).returncode == 5
    record, line = the_end(started)
    assert (record["ending"], record["phase"]) == ("device_no_data", "after_handshake")
    assert "version" in record["client"] and "install our CA on the device" in record["advice"]
    assert "closed after the handshake, without having sent data" in line


def test_E4_only_data_is_an_acceptance(lab, engine):
    started = engine()
    lab.curl("https://origin.test/hello", ca=started.ca)
    record, line = the_end(started)
    assert (record["ending"], record["phase"]) == ("closed", "data")
    assert "advice" not in record and line.endswith("both sides closed the connection")


def test_E4_versions_and_ciphers_that_do_not_meet(lab, engine):
    started = engine({"network": {"port": 4433}})

    def connect(*options):
        return lab.device.run("openssl", "s_client", "-connect", ORIGIN4[0] + ":4433", *options, input="",
                              check=False).stderr

    with s_server(lab, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"):
        assert "alert" in connect()
    record, _ = the_end(started, 1)
    assert (record["ending"], record["phase"]) == ("origin_mismatch", "upstream")
    assert "min-version" in record["advice"]
    with s_server(lab):
        assert "alert protocol version" in connect("-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
        record, _ = the_end(started, 2)
        assert (record["ending"], record["phase"]) == ("device_mismatch", "hello")
        assert "alert handshake failure" in connect("-tls1_2", "-cipher", "CAMELLIA128-SHA256")
    record, _ = the_end(started, 3)
    assert (record["ending"], record["phase"]) == ("no_common_cipher", "hello")


def test_E5_a_device_that_refuses_us_again_and_again_passes(lab, engine):
    """Data counts, and handshakes do not: wget finishes them."""
    started = engine({"ignore": {"learn": "auto", "after-rejections": 3}, "network": {"pass-timeout": "5s"}})
    for count in range(1, 4):
        assert wget(lab).returncode == 5
        started.wait_records("flow", count)
    line = started.wait_log(r"^.*does not accept our certificate.*$").group(0)
    assert "pinned, or our CA is missing" in line and ORIGIN4[0] in line
    direct = wget(lab, "--ca-certificate", str(lab.origin_ca))
    assert direct.stdout == "hello from the origin\n"
    passed = started.wait_records("flow", 4)[3]["intercept"]
    assert (passed["action"], passed["reason"]) == ("passthrough", "pinned")
    # Others, and the same device elsewhere, are not meant.
    assert "O = interceptd," in lab.issuer(ORIGIN4[0])
    assert "O = interceptd," in lab.issuer(ORIGIN4[1])
    wait_for(lambda: wget(lab).returncode == 5, "it to be forgotten", 15)


def test_E5_an_acceptance_starts_the_count_again(lab, engine):
    started = engine({"ignore": {"learn": "auto", "after-rejections": 2}})
    for attempt in range(3):
        assert wget(lab).returncode == 5
        assert wget(lab, "--ca-certificate", str(started.ca)).returncode == 0
    started.wait_records("flow", 6)
    assert "does not accept our certificate" not in started.log()


def connected(lab):
    return peers.client_context().wrap_socket(lab.device.connect(ORIGIN4[0]), server_hostname="origin.test")


def test_E5_an_acceptance_counts_while_its_connection_lasts(lab, engine):
    """One that lasts, begun before the refusals, excuses none of them when it ends."""
    started = engine({"ignore": {"learn": "auto", "after-rejections": 2}})
    with connected(lab) as lasting:
        lasting.sendall(b"GET /hello HTTP/1.1\r\nHost: origin.test\r\n\r\n")
        assert lasting.recv(1000)
        connected(lab).close()
        started.wait_records("flow", 1)
    started.wait_records("flow", 2)
    connected(lab).close()
    started.wait_log("does not accept our certificate")


def test_E5_an_acceptance_is_known_before_its_connection_ends(lab, engine):
    started = engine({"ignore": {"learn": "auto", "after-rejections": 2}})
    connected(lab).close()
    started.wait_records("flow", 1)
    with connected(lab) as lasting:
        lasting.sendall(b"GET /hello HTTP/1.1\r\nHost: origin.test\r\n\r\n")
        assert lasting.recv(1000)
        connected(lab).close()
        started.wait_records("flow", 2)
        with connected(lab) as third:  # left open: its end would be another refusal
            assert peers.issuer_of(third) == "interceptd"
            assert "does not accept our certificate" not in started.log()


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_E5_a_resumed_session_shows_no_certificate_to_refuse(lab, engine, version):
    started = engine({"ignore": {"learn": "auto", "after-rejections": 1}})
    context = peers.client_context()
    context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, version)
    with context.wrap_socket(lab.device.connect(ORIGIN4[0]), server_hostname="origin.test") as first:
        first.sendall(b"GET /hello HTTP/1.1\r\nHost: origin.test\r\n\r\n")
        assert first.recv(1000)
        session = first.session
    with context.wrap_socket(lab.device.connect(ORIGIN4[0]), server_hostname="origin.test",
                             session=session) as again:
        assert again.session_reused
    (resumed,) = [flow["intercept"] for flow in started.wait_records("flow", 2)
                  if flow["intercept"]["client"].get("resumed")]
    assert resumed["ending"] != "device_no_data" and resumed["phase"] == "after_handshake"
    assert "does not accept our certificate" not in started.log()


def test_E5_what_the_device_would_have_refused_anyway_does_not_count(lab, engine, tmp_path):
    started = engine({"ignore": {"learn": "auto", "after-rejections": 1}, "network": {"port": 4433}})
    certificate, key = pki.make().write(tmp_path, "self-signed")
    with s_server(lab, "-cert", certificate, "-key", key):
        for count in range(1, 4):
            assert lab.curl("https://origin.test:4433/", ca=started.ca, check=False).returncode == 60
            assert started.wait_records("flow", count)[-1]["intercept"]["action"] == "intercept"


def test_E5_is_off_by_default(lab, engine):
    started = engine()
    for count in range(1, 6):
        assert wget(lab).returncode == 5
        assert started.wait_records("flow", count)[-1]["intercept"]["action"] == "intercept"
