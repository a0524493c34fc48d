# SPDX-License-Identifier: GPL-3.0-or-later
"""Devices and origins that do what ordinary ones do not: written here, in Python's own TLS."""

import contextlib
import select
import socket
import ssl
import struct
import subprocess
import threading
import time

from cryptography import x509

from lab import ORIGIN4, PATIENCE, ROOT, bracketed, wait_for

LAB_SCRIPT = ROOT / "scripts/lab"


def curl_command(origin):
    return ["curl", "-ksS", "--resolve", "origin.test:443:" + bracketed(origin),
            "https://origin.test/hello"]


def client_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF  # which Python sets: truncations are to be told
    return context


def issuer_of(secure):
    """The organization in whose name the shown certificate was signed."""
    certificate = x509.load_der_x509_certificate(secure.getpeercert(True))
    return certificate.issuer.get_attributes_for_oid(x509.NameOID.ORGANIZATION_NAME)[0].value


def read_all(connection):
    parts = []
    while True:
        part = connection.recv(65536)
        if not part:
            return b"".join(parts)
        parts.append(part)


class Hello:
    """A ClientHello that was seen on the wire, in one record (RFC 8446, section 4.1.2)."""

    def __init__(self, record):
        body = record[5 + 4:]
        at = 34
        at += 1 + body[at]
        size = int.from_bytes(body[at:at + 2], "big")
        self.ciphers = numbers(body[at + 2:at + 2 + size])
        at += 2 + size
        self.compressions = list(body[at + 1:at + 1 + body[at]])
        at += 1 + body[at] + 2
        self.extensions = {}
        while at < len(body):
            kind, size = numbers(body[at:at + 4])
            self.extensions[kind] = body[at + 4:at + 4 + size]
            at += 4 + size
        versions = self.extensions.get(43)
        self.versions = numbers(versions[1:]) if versions else [int.from_bytes(record[9:11], "big")]


def numbers(data):
    return [int.from_bytes(data[i:i + 2], "big") for i in range(0, len(data), 2)]


def client_hello():
    """The bytes of a ClientHello."""
    outgoing = ssl.MemoryBIO()
    secure = client_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="origin.test")
    with contextlib.suppress(ssl.SSLWantReadError):
        secure.do_handshake()
    return outgoing.read()


# ---- devices ----

class Download:
    received = 0


@contextlib.contextmanager
def download(lab, origin, ca, path="/endless", reads=True):
    """A device in the middle of a download of 1 GB of zeros."""
    blob = lab.origin_directory / "www/endless"
    with open(blob, "wb") as file:
        file.truncate(1 << 30)
    state = Download()
    connection = lab.device.connect(origin)
    secure = client_context().wrap_socket(connection, server_hostname="origin.test")
    secure.sendall(b"GET %s HTTP/1.0\r\n\r\n" % path.encode())
    state.connection = secure

    def read():
        with contextlib.suppress(OSError, ValueError):
            while reads:
                data = secure.recv(65536)
                if not data:
                    return
                state.received += len(data)
                time.sleep(0.001)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        connection_fd = secure.detach()
        socket.socket(fileno=connection_fd).close()
        blob.unlink()


def read_to_end(lab, origin, port):
    """Sends a request; returns the answer, and whether it ended as TLS streams should."""
    with lab.device.connect(origin, port) as connection:
        with client_context().wrap_socket(connection, suppress_ragged_eofs=False) as secure:
            secure.sendall(b"go on\n")
            answer = b""
            try:
                while True:
                    part = secure.recv(65536)
                    if not part:
                        return answer, "complete"
                    answer += part
            except ssl.SSLError as error:
                assert error.reason == "UNEXPECTED_EOF_WHILE_READING", error
                return answer, "truncated"


def half_close(lab, origin, port):
    """Sends close_notify, and then reads what the origin has to say."""
    with lab.device.connect(origin, port, timeout=30) as connection:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        secure = client_context().wrap_bio(incoming, outgoing, server_hostname="origin.test")
        tls_step(connection, incoming, outgoing, secure.do_handshake)
        with contextlib.suppress(ssl.SSLWantReadError):
            secure.unwrap()  # close_notify goes out, the answer is not waited for
        connection.sendall(outgoing.read())
        connection.shutdown(socket.SHUT_WR)
        # Python's TLS reads no more after close_notify was sent; what follows it is read by hand.
        return decrypt_rest(connection, incoming, secure)


def decrypt_rest(connection, incoming, secure):
    parts = []
    while True:
        data = connection.recv(65536)
        if data:
            incoming.write(data)
        else:
            incoming.write_eof()
        try:
            while True:
                part = secure.read(65536)
                if not part:
                    return b"".join(parts)
                parts.append(part)
        except ssl.SSLWantReadError:
            if not data:
                return b"".join(parts)
        except ssl.SSLError:
            return b"".join(parts)


def tls_step(connection, incoming, outgoing, step):
    while True:
        try:
            return step()
        except ssl.SSLWantReadError:
            connection.sendall(outgoing.read())
            data = connection.recv(65536)
            assert data, "closed during the handshake"
            incoming.write(data)
        finally:
            if outgoing.pending:
                connection.sendall(outgoing.read())


def large_hello(lab, origin, pieces):
    """Shakes hands with a ClientHello of about 17 KB; returns the issuer that it is shown."""
    context = client_context()
    # 85 protocols of 205 bytes. Python joins them itself, so the limit is 255 a name.
    context.set_alpn_protocols(["%03d-%s" % (i, "x" * 200) for i in range(80)] + ["http/1.1"])
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    secure = context.wrap_bio(incoming, outgoing, server_hostname="origin.test")
    with contextlib.suppress(ssl.SSLWantReadError):
        secure.do_handshake()
    hello = outgoing.read()
    assert 16500 < len(hello) < 19000, len(hello)
    with lab.device.connect(origin, timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if pieces == "whole":
            connection.sendall(hello)
        elif pieces == "bytes":
            for i in range(len(hello)):
                connection.send(hello[i:i + 1])
        else:
            for record in split_records(hello, 500):
                connection.sendall(record)
        data = connection.recv(65536)
        assert data
        incoming.write(data)
        tls_step(connection, incoming, outgoing, secure.do_handshake)
        return issuer_of(secure)


def split_records(hello, size):
    """The same handshake message in records of another size (RFC 8446, section 5.1)."""
    message = b""
    at = 0
    while at < len(hello):
        length = struct.unpack(">H", hello[at + 3:at + 5])[0]
        message += hello[at + 5:at + 5 + length]
        at += 5 + length
    for at in range(0, len(message), size):
        part = message[at:at + size]
        yield b"\x16\x03\x01" + struct.pack(">H", len(part)) + part


class Crowd:
    """Many TLS connections at once, each kept open."""

    def __init__(self, lab, origin, count):
        self.connections = []
        context = client_context()
        with lab.device.inside():
            sockets = [socket.socket(socket.AF_INET6 if ":" in origin else socket.AF_INET)
                       for _ in range(count)]
        lock = threading.Lock()

        def shake_hands(share):
            for connection in share:
                connection.settimeout(60 * PATIENCE)
                try:
                    connection.connect((origin, 443))
                    secure = context.wrap_socket(connection, server_hostname="origin.test")
                except OSError:
                    continue
                with lock:
                    self.connections.append(secure)

        threads = [threading.Thread(target=shake_hands, args=(sockets[i::20],)) for i in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    @property
    def established(self):
        return len(self.connections)

    def answers(self):
        """How many get an answer to a request of their own."""
        for connection in self.connections:
            connection.sendall(b"GET /hello HTTP/1.1\r\nHost: origin.test\r\n\r\n")
        return sum(b"hello from the origin" in connection.recv(4096)
                   for connection in self.connections)

    def close(self):
        for connection in self.connections:
            connection.close()


# ---- origins ----

def s_server(lab, port, *options):
    """openssl's own server on the origin, with the origin's certificate unless told otherwise."""
    files = lab.origin_directory
    if "-cert" not in options:
        options = ("-cert", files / "origin.pem", "-key", files / "origin.key", *options)
    wait_for(lambda: not port_is_open(lab, port), "the last server on the port to go")
    server = lab.origin.spawn("openssl", "s_server", "-accept", str(port), *options,
                              stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    wait_for(lambda: port_is_open(lab, port), "openssl s_server")
    return server


def port_is_open(lab, port):
    return ":%d " % port in lab.origin.run("ss", "-ltn").stdout


def server_context(lab, files=None):
    """With the origin's certificate, or with that of these two files, whatever it is worth."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.load_cert_chain(*(files or (lab.origin_directory / "origin.pem",
                                        lab.origin_directory / "origin.key")))
    return context


class WebOrigin:
    """What such an origin has been asked for, and which name each device sent."""

    def __init__(self):
        self.names, self.requests = [], []


@contextlib.contextmanager
def web_origin(lab, port, files=None, alpn=(), prepare=lambda context: None, body=b"hello"):
    """An origin of HTTP/1.0 over TLS."""
    context = server_context(lab, files)
    state = WebOrigin()
    context.sni_callback = lambda secure, name, context: state.names.append(name)
    if alpn:
        context.set_alpn_protocols(alpn)
    prepare(context)

    def handle(connection):
        with contextlib.suppress(ssl.SSLError), context.wrap_socket(connection, server_side=True) as secure:
            request = secure.recv(10000)
            state.requests.append(request)
            if request:
                secure.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
                secure.unwrap()

    with lab.origin.serve(handle, port):
        yield state


@contextlib.contextmanager
def tls_origin(lab, port, answer, notify=True, reset=False, after_close=False):
    """Answers each TLS connection with these bytes, and ends it with or without close_notify, or by a
    reset. With `after_close` it answers only when the device has ended its own stream."""
    context = server_context(lab)

    def handle(connection):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        secure = context.wrap_bio(incoming, outgoing, server_side=True)
        tls_step(connection, incoming, outgoing, secure.do_handshake)
        request = tls_step(connection, incoming, outgoing, lambda: secure.read(10000))
        if after_close:
            assert request == b""
        secure.write(answer)
        connection.sendall(outgoing.read())
        if reset:
            time.sleep(0.3)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        if notify:
            with contextlib.suppress(ssl.SSLError):
                secure.unwrap()
            connection.sendall(outgoing.read())
        connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            read_all(connection)

    with lab.origin.serve(handle, port, ORIGIN4[0]):
        yield
