# SPDX-License-Identifier: GPL-3.0-or-later
"""How TLS is spoken may be set for destinations and for devices."""

import subprocess

import pki
from lab import BUILD, DEVICE4, ORIGIN4
from peers import s_server


def expired_origin(lab, tmp_path):
    ca = pki.load(lab.origin_directory / "ca.pem", lab.origin_directory / "ca.key")
    certificate, key = pki.make(issuer=ca, begins=-10 * pki.DAY, ends=-3 * pki.DAY).write(tmp_path, "expired")
    return s_server(lab, 4433, "-www", "-cert", certificate, "-key", key)


def test_a_destination_goes_before_the_device_and_the_device_before_all(lab, engine, tmp_path):
    config = {"network": {"port": 4433}, "tls": {"upstream": "ignore"},
              "device any": {"address": DEVICE4, "upstream": "verify"},
              "destination origin": {"pattern": "^origin[.]test:4433$", "upstream": "mirror"}}
    started = engine(config)
    server = expired_origin(lab, tmp_path)

    def ask():
        return lab.curl("https://origin.test:4433/", ca=started.ca, check=False)

    assert ask().returncode == 60  # mirrored: curl sees that it has expired
    del config["destination origin"]
    started.reload(config)
    assert ask().returncode == 35  # refused
    assert started.wait_records("flow", 2)[-1]["intercept"]["ending"] == "origin_unverified"
    del config["device any"]
    started.reload(config)
    assert ask().returncode == 0  # presented as a good one
    server.kill()


def test_a_device_may_speak_an_old_version_that_no_other_may(lab, engine):
    def ask(started):
        return lab.device.run("openssl", "s_client", "-connect", ORIGIN4[0] + ":4433", "-tls1_1",
                              "-cipher", "ALL:@SECLEVEL=0", input="", check=False)

    started = engine({"network": {"port": 4433},
                      "device old": {"address": DEVICE4, "min-version": "1.1"}})
    server = s_server(lab, 4433, "-www", "-cipher", "ALL:@SECLEVEL=0")
    assert "O = interceptd" in ask(started).stdout
    started.reload({"network": {"port": 4433},
                    "device other": {"address": "10.77.0.99", "min-version": "1.1"}})
    assert "alert protocol version" in ask(started).stderr
    server.kill()


def test_explain_tells_the_upstream_mode_and_who_sets_it(tmp_path):
    config = tmp_path / "c.conf"
    config.write_text("[destination bank]\npattern = ^bank[.]test:443$\nupstream = verify\n")
    told = subprocess.run([BUILD / "interceptctl", "explain", "-c", config, "bank.test:443",
                           "192.0.2.1:443"], capture_output=True, text=True, check=True).stdout
    assert told == (
        "bank.test:443 intercept (no ignore pattern is found in it); upstream = verify [destination bank]\n"
        "192.0.2.1:443 intercept (no ignore pattern is found in it); upstream = mirror [tls]\n")
