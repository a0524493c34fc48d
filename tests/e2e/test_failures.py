# SPDX-License-Identifier: GPL-3.0-or-later
"""What fails is told apart: by which side, at which step, why, and what to do about it."""

import contextlib

import pytest

import peers
from lab import ORIGIN4


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
