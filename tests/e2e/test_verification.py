# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with an origin stays wrong for the device, is refused, or is at least told; never hidden.

Every case of tests/e2e/pki.py stands on two ports of the origin: one is intercepted, the other is not, and
shows what the device would have said by itself."""

import re
import select
import socket
import ssl
import threading

import pytest
from cryptography import x509

import peers
import pki
from lab import ORIGIN4, PATIENCE, wait_for

TAKEN, DIRECT = 5000, 6000
ANSWER = b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"


# ---- our own CA, and names that are none. These have engines of their own, so they come before those
# that share one: there can be one at a time. ----

def sign_with_our_ca(lab, directory, **options):
    """An origin's certificate, by the CA that the lab's engines share."""
    ours = pki.load(lab.keys / "ca-cert.pem", lab.keys / "ca.pem")
    return pki.make(issuer=ours, **options)


@pytest.mark.parametrize("upstream", ["mirror", "verify"])
def test_CA3_our_own_ca_is_no_reason_to_trust_an_origin(lab, engine, tmp_path, upstream):
    """Not even where somebody has put it among those that are trusted."""
    engine().stop()  # now the keys are there
    trust = tmp_path / "trust.pem"
    trust.write_bytes(lab.origin_ca.read_bytes() + (lab.keys / "ca-cert.pem").read_bytes())
    started = engine({"network": {"port": 4433}, "tls": {"upstream": upstream, "trust": trust}})
    pair = sign_with_our_ca(lab, tmp_path)
    with peers.web_origin(lab, 4433, pair.write(tmp_path, "own")):
        result = lab.curl("https://origin.test:4433/", ca=started.ca, check=False)
    assert result.returncode == {"mirror": 60, "verify": 35}[upstream], result.stderr
    flow = started.wait_records("flow")[0]["intercept"]
    assert flow["upstream"]["verify"] == "certificate rejected"


@pytest.mark.parametrize("names,status", [(["203.0.113.1"], 0), (["origin.test"], 60),
                                          ([x509.DNSName("203.0.113.1")], 60)],
                         ids=["address", "host", "address-as-host"])
def test_U4_without_a_name_the_address_counts(lab, engine, tmp_path, names, status):
    """And is never sent as a name."""
    started = engine({"network": {"port": 4433}})
    ca = pki.load(lab.origin_directory / "ca.pem", lab.origin_directory / "ca.key")
    files = pki.make(subject=None, names=names, issuer=ca).write(tmp_path, "address")
    with peers.web_origin(lab, 4433, files) as origin:
        result = lab.curl("https://203.0.113.1:4433/", ca=started.ca, check=False)
    assert result.returncode == status, result.stderr
    assert origin.names == [None]
    flow = started.wait_records("flow")[0]["intercept"]
    assert flow["upstream"]["verify"] == ("ok" if status == 0 else "IP address mismatch")


# ---- the catalogue ----

class Origins:
    """All of them in one thread; what each has received as application data, by port."""

    def __init__(self, lab, directory):
        self.root = pki.root("A root of RSA", key=pki.rsa_key(2048))
        self.ports, self.received = {}, {}
        self.lab, self.directory = lab, directory
        self.listeners = {}
        self.trust = directory / "trust.pem"
        self.trust.write_bytes(self.root.pem() + lab.origin_ca.read_bytes())

    def add(self, name, pair, version=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.load_cert_chain(*pair.write(self.directory, name))
        context.maximum_version = version or ssl.TLSVersion.MAXIMUM_SUPPORTED
        number = len(self.ports)
        self.ports[name] = number
        for port in (TAKEN + number, DIRECT + number):
            listener = self.lab.origin.listen(ORIGIN4[0], port)
            self.listeners[listener.fileno()] = listener, port, context
            self.received[port] = []

    def serve(self):
        poll = select.poll()
        for number in self.listeners:
            poll.register(number, select.POLLIN)
        while True:
            for number, _ in poll.poll():
                listener, port, context = self.listeners[number]
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=self.answer, args=(connection, port, context), daemon=True).start()

    def answer(self, connection, port, context):
        data = b""
        connection.settimeout(10 * PATIENCE)
        try:
            with context.wrap_socket(connection, server_side=True) as secure:
                data = secure.recv(10000)
                if data:
                    secure.sendall(ANSWER)
                    secure.unwrap()
        except (OSError, ssl.SSLError):
            pass
        finally:
            connection.close()
            self.received[port].append(data)

    def stop(self):
        for listener, _, _ in self.listeners.values():
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()


@pytest.fixture(scope="module")
def origins(lab, tmp_path_factory):
    origins = Origins(lab, tmp_path_factory.mktemp("origins"))
    for name, case in pki.CASES.items():
        origins.add(name, case.made(origins.root), case.version)
    origins.add("good", pki.make(issuer=origins.root))
    thread = threading.Thread(target=origins.serve, daemon=True)
    thread.start()
    yield origins
    origins.stop()
    thread.join(5 * PATIENCE)


class Mode:
    """An engine in this mode, and what its clients get."""

    def __init__(self, lab, started, origins, mode):
        self.lab, self.engine, self.origins, self.mode = lab, started, origins, mode

    def curl(self, name, intercepted, *options):
        port = self.origins.ports[name] + (TAKEN if intercepted else DIRECT)
        ca = self.engine.ca if intercepted else self.origins.trust
        return self.lab.curl("https://origin.test:%d/" % port, *options, ca=ca, check=False)

    def gnutls(self, name, intercepted):
        port = self.origins.ports[name] + (TAKEN if intercepted else DIRECT)
        ca = self.engine.ca if intercepted else self.origins.trust
        return self.lab.device.run("gnutls-cli", "--x509cafile", ca, "--port", port, "--sni-hostname",
                                   "origin.test", "--verify-hostname", "origin.test", ORIGIN4[0],
                                   check=False, input="")

    def flow(self, name):
        port = TAKEN + self.origins.ports[name]
        return self.engine.wait_records("flow", dest_port=port)[-1]["intercept"]

    def received(self, name, count):
        """What the intercepted origin has got as application data, over all its connections."""
        answered = self.origins.received[TAKEN + self.origins.ports[name]]
        wait_for(lambda: len(answered) >= count, "the origin to see its connections end")
        return b"".join(answered)


@pytest.fixture(scope="module")
def mode(request, lab, origins, shared_engine):
    started = shared_engine({"network": {"port": "%d-%d" % (TAKEN, TAKEN + len(origins.ports))},
                             "tls": {"upstream": request.param, "trust": origins.trust}})
    for answered in origins.received.values():
        answered.clear()
    yield Mode(lab, started, origins, request.param)
    started.stop()


in_mode = lambda name: pytest.mark.parametrize("mode", [name], indirect=True, scope="module")
each_case = pytest.mark.parametrize("name", list(pki.CASES))

# What curl with OpenSSL says, and what GnuTLS says, as classes.
CURL_KINDS = [("no alternative certificate subject name|illegal cert name field|"
               "unable to obtain common name", "name"),
              ("certificate has expired", "expired"), ("certificate is not yet valid", "not yet valid"),
              ("self-signed certificate(?! in certificate chain)", "self-signed"), ("", "untrusted")]
GNUTLS_KINDS = [("uses expired certificate", "expired"), ("not yet activated", "not yet valid"),
                ("name in the certificate does not match", "name"),
                ("", "untrusted")]


def kind_of(text, kinds):
    return next(kind for pattern, kind in kinds if re.search(pattern, text))


@in_mode("mirror")
@each_case
def test_F10_U1_mirror_shows_the_fault_that_the_origin_has(mode, name):
    direct, intercepted = mode.curl(name, False), mode.curl(name, True)
    kind = pki.CASES[name].kind
    if direct.returncode == 0:  # C3: curl takes a common name for want of others
        assert name == "C3-subject-only" and intercepted.returncode == 0
    else:
        # A signature that is none has another number, and no words of its own.
        assert direct.returncode in (35, 60) and intercepted.returncode == 60
        assert kind_of(direct.stderr, CURL_KINDS) == kind_of(intercepted.stderr, CURL_KINDS) == kind, \
            (direct.stderr, intercepted.stderr)


@in_mode("mirror")
@each_case
def test_F10_a_gnutls_client_refuses_what_it_would_refuse_without_us(mode, name):
    direct, intercepted = mode.gnutls(name, False), mode.gnutls(name, True)
    if direct.returncode != 0:
        assert intercepted.returncode != 0, intercepted.stdout
        assert kind_of(direct.stdout, GNUTLS_KINDS) == kind_of(intercepted.stdout, GNUTLS_KINDS), \
            (direct.stdout, intercepted.stdout)


@in_mode("mirror")
def test_F10_a_good_origin_is_good_in_mirror(mode):
    assert mode.curl("good", True).stdout == "hello"
    assert mode.gnutls("good", True).returncode == 0
    flow = mode.flow("good")
    assert flow["upstream"]["verify"] == "ok" and "verify_errors" not in flow["upstream"]


@in_mode("verify")
@each_case
def test_U1_U2_verify_sends_a_bad_origin_nothing(mode, name):
    """Not even when the device would take anything."""
    for options in ([], ["-k"]):
        result = mode.curl(name, True, *options)
        assert result.returncode == 35 and result.stdout == "", result.stderr
    assert mode.received(name, 2) == b""
    flow = mode.flow(name)
    assert flow["ending"] == "origin_unverified" and flow["client"]["alert_out_name"] == "access denied"
    assert "forged" not in flow


@in_mode("verify")
def test_U1_verify_lets_a_good_origin_through(mode):
    assert mode.curl("good", True).stdout == "hello"
    assert mode.received("good", 1).startswith(b"GET / ")


@in_mode("verify")
def test_U3_a_common_name_is_no_name(mode):
    mode.curl("C3-subject-only", True)
    assert mode.flow("C3-subject-only")["upstream"]["verify"] == "hostname mismatch"


@in_mode("ignore")
@each_case
def test_U5_ignore_accepts_and_tells_every_error(mode, name):
    result = mode.curl(name, True)
    assert result.stdout == "hello", result.stderr
    flow = mode.flow(name)
    assert {error["code"] for error in flow["upstream"]["verify_errors"]} >= pki.CASES[name].errors
    assert flow["upstream"]["verify"] == flow["upstream"]["verify_errors"][0]["text"] != "ok"


@in_mode("ignore")
def test_U5_the_depth_of_an_error_is_told(mode):
    mode.curl("C10-expired-above", True)
    (error,) = mode.flow("C10-expired-above")["upstream"]["verify_errors"]
    assert error == {"code": pki.EXPIRED, "depth": 1, "text": "certificate has expired"}
