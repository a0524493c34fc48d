# SPDX-License-Identifier: GPL-3.0-or-later
"""What is spoken inside TLS goes through whole, and at once; of HTTP only what offers QUIC is taken out."""

import contextlib
import re
import socket
import textwrap
import time

import h2.config
import h2.connection
import h2.events
import pytest

import peers
from lab import ORIGIN4, PATIENCE, wait_for

PORT = 4433
TAKEN = {"network": {"port": PORT}}
REQUEST = b"GET / HTTP/1.1\r\nHost: origin.test\r\n\r\n"


def serve_tls(lab, handle, alpn=()):
    context = peers.server_context(lab)
    if alpn:
        context.set_alpn_protocols(alpn)

    def shake_hands(connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with context.wrap_socket(connection, server_side=True) as secure:
            handle(secure)
            with contextlib.suppress(OSError):
                secure.unwrap()  # close_notify

    return lab.origin.serve(shake_hands, PORT)


def connect_tls(lab, alpn=()):
    context = peers.client_context()
    if alpn:
        context.set_alpn_protocols(alpn)
    connection = lab.device.connect(ORIGIN4[0], PORT, timeout=60)
    return context.wrap_socket(connection, server_hostname="origin.test")


def read_until(connection, end):
    data = b""
    while not data.endswith(end):
        part = connection.recv(65536)
        assert part, data
        data += part
    return data


def is_open(lab, port=PORT):
    try:
        lab.origin.connect(ORIGIN4[0], port).close()
    except OSError:
        return False
    return True


def run_program(lab, host, tmp_path, program, *arguments):
    with open(tmp_path / "program.log", "ab") as log:
        return host.spawn("/usr/bin/python3", "-c", textwrap.dedent(program), *map(str, arguments),
                          stdout=log, stderr=log)


# ---- HTTP/1: Alt-Svc ----

HEADERS = b"Server: x\r\n%sContent-Type:  text/plain \r\nstrict-transport-security: max-age=1\r\n"
BODY = b"Alt-Svc: h3=\":443\"\r\n\r\nHTTP/1.1 200 OK\r\nAlt-Svc: h3=\":443\"\r\n\r\n"


def responses(line):
    """Five, to as many requests: of every kind of framing."""
    headers = HEADERS % line
    chunk = b"%x;x=y\r\n%s\r\n" % (len(BODY), BODY)
    return [
        b"HTTP/1.1 200 OK\r\n" + headers + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY,
        b"HTTP/1.1 103 Early Hints\r\n" + headers + b"\r\n"
        + b"HTTP/1.1 200 OK\r\n" + headers + b"Transfer-Encoding: chunked\r\n\r\n" + chunk + b"0\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\n" + headers + b"Content-Length: 7\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + headers + b"Content-Length: 7\r\n\r\n",  # to HEAD
        b"HTTP/1.0 200 OK\r\n" + headers + b"\r\n" + BODY * 1000,           # to its end
    ]


@pytest.mark.parametrize("piece", [1 << 16, 7])
@pytest.mark.parametrize("sent,left", [
    (b'Alt-Svc: h3=":443", h2=":8443"\r\n', b'Alt-Svc: h2=":8443"\r\n'),
    (b'alt-svc: h3=":443"; ma=2592000,h3-29=":443"; ma=2592000,quic=":443"; v="46,43"\r\n', b""),
    (b'Alt-Svc: clear\r\n', b'Alt-Svc: clear\r\n'),
], ids=["h2-stays", "none-stays", "clear"])
def test_W1_only_quic_is_taken_out_of_alt_svc(lab, engine, piece, sent, left):
    methods = [b"GET", b"GET", b"GET", b"HEAD", b"GET"]
    seen = []

    def answer(connection):
        for method, response in zip(methods, responses(sent)):
            request = read_until(connection, b"\r\n\r\n")
            seen.append(request)
            assert request.startswith(method)
            cut = len(response) if piece > 1000 else min(len(response), 1500)
            for at in range(0, cut, piece):
                connection.sendall(response[at:min(at + piece, cut)])
            connection.sendall(response[cut:])

    def ask():
        with connect_tls(lab) as connection:
            for method, response in zip(methods, responses(expected)):
                connection.sendall(REQUEST.replace(b"GET", method))
                got = b""
                while len(got) < len(response):
                    part = connection.recv(65536)
                    assert part, got
                    got += part
                assert got == response
            assert connection.recv(1) == b""

    with serve_tls(lab, answer):
        expected = sent
        ask()
        engine(TAKEN)
        expected = left
        ask()
    assert seen == [REQUEST.replace(b"GET", method) for method in methods * 2]


def test_W1_what_tcp_names_is_not_interpreted(lab, engine):
    """[tcp], mitmproxy's tcp_hosts: TLS is ended, and what is in it goes through as it comes."""
    response = b"HTTP/1.1 200 OK\r\nAlt-Svc: h3=\":443\"\r\nContent-Length: 0\r\n\r\n"

    def answer(connection):
        read_until(connection, b"\r\n\r\n")
        connection.sendall(response)

    with serve_tls(lab, answer):
        started = engine({**TAKEN, "tcp": {"pattern": r"^origin\.test:"}})
        with connect_tls(lab) as connection:
            connection.sendall(REQUEST)
            assert read_until(connection, b"\r\n\r\n") == response
    (flow,) = started.wait_records("flow")
    assert flow["intercept"]["action"] == "intercept"


def test_W1_what_is_not_http_is_not_touched(lab, engine):
    """After an upgrade, and where it never was HTTP."""
    engine(TAKEN)
    line = b'Alt-Svc: h3=":443"\r\n'
    upgraded = b"HTTP/1.1 101 Switching Protocols\r\n\r\nHTTP/1.1 200 OK\r\n" + line + b"\r\n"
    for request, answer in ((REQUEST, upgraded),
                            (b"\x10\x0c\0\4MQTT\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + line)):
        def reply(connection):
            read_until(connection, b"\r\n\r\n")
            connection.sendall(answer)

        with serve_tls(lab, reply):
            with connect_tls(lab) as connection:
                connection.sendall(request)
                assert peers.read_all(connection) == answer


# ---- streams that stay open ----

def test_W2_server_sent_events_come_at_once(lab, engine):
    engine(TAKEN)
    gap = 0.5 * PATIENCE

    def answer(connection):
        read_until(connection, b"\r\n\r\n")
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                           b"Transfer-Encoding: chunked\r\n\r\n")
        for number in range(4):
            event = b"data: %d\n\n" % number
            connection.sendall(b"%x\r\n%s\r\n" % (len(event), event))
            time.sleep(gap)
        connection.sendall(b"0\r\n\r\n")

    with serve_tls(lab, answer):
        with connect_tls(lab) as connection:
            connection.sendall(REQUEST)
            read_until(connection, b"\r\n\r\n")
            begun = time.monotonic()
            for number in range(4):
                assert b"data: %d\n\n" % number in read_until(connection, b"\n\n\r\n")
                assert time.monotonic() - begun < (number + 0.8) * gap
            assert read_until(connection, b"0\r\n\r\n")


def test_W2_a_long_poll_is_not_cut(lab, engine):
    """Longer than any timeout of a handshake is not waited for here; but no timer runs in RELAY, and the
    kernel asks an idle peer after ten minutes, not before."""
    engine(TAKEN)

    def answer(connection):
        read_until(connection, b"\r\n\r\n")
        time.sleep(20)
        connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    with serve_tls(lab, answer):
        with connect_tls(lab) as connection:
            connection.sendall(REQUEST)
            time.sleep(1)
            sockets = lab.router.run("ss", "-Htno", "state", "established").stdout
            timers = re.findall(r":%d .*timer:\(keepalive,(\d+)min" % PORT, sockets)
            assert len(timers) == 2 and all(int(minutes) >= 9 for minutes in timers), sockets
            assert read_until(connection, b"\r\n\r\n") == b"HTTP/1.1 204 No Content\r\n\r\n"


WEBSOCKET_SERVER = """
    import asyncio, ssl, sys, websockets
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*sys.argv[1:3])
    async def echo(socket):
        async for message in socket:
            await socket.send(message)
    async def main():
        async with websockets.serve(echo, "0.0.0.0", int(sys.argv[3]), ssl=context, max_size=None):
            await asyncio.Future()
    asyncio.run(main())
"""

WEBSOCKET_CLIENT = """
    import asyncio, os, ssl, sys, websockets
    context = ssl.create_default_context(cafile=sys.argv[1])
    async def main():
        async with websockets.connect("wss://origin.test:" + sys.argv[3], ssl=context, host=sys.argv[2],
                                      max_size=None) as socket:
            for size in (1, 125, 70000, 3000000):
                message = os.urandom(size)
                await socket.send(message)
                assert await socket.recv() == message
            await asyncio.wait_for(await socket.ping(), 20)
            await socket.send("Alt-Svc: h3")
            assert await socket.recv() == "Alt-Svc: h3"
        assert socket.close_code == 1000
    asyncio.run(main())
"""


def test_W2_websocket_messages_are_echoed(lab, engine, tmp_path):
    started = engine(TAKEN)
    server = run_program(lab, lab.origin, tmp_path, WEBSOCKET_SERVER, lab.origin_directory / "origin.pem",
                         lab.origin_directory / "origin.key", PORT)
    wait_for(lambda: is_open(lab), "the WebSocket server", 30)
    lab.device.run("/usr/bin/python3", "-c", textwrap.dedent(WEBSOCKET_CLIENT), started.ca, ORIGIN4[0],
                   PORT)
    server.terminate()
    server.wait(timeout=20 * PATIENCE)
    assert started.wait_records("flow")[0]["intercept"]["action"] == "intercept"


# ---- HTTP/2 ----

def h2_events(connection, state):
    data = connection.recv(65536)
    events = state.receive_data(data) if data else []
    connection.sendall(state.data_to_send())
    return events, not data


def test_W2_http2_trailers_and_goaway_arrive(lab, engine):
    started = engine(TAKEN)

    def answer(connection):
        state = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        state.initiate_connection()
        connection.sendall(state.data_to_send())
        ended = False
        while not ended:
            events, ended = h2_events(connection, state)
            for event in events:
                if isinstance(event, h2.events.RequestReceived):
                    stream = event.stream_id
                    state.send_headers(stream, [(":status", "200"), ("alt-svc", 'h3=":443"')])
                    state.send_data(stream, b"the body")
                    state.send_headers(stream, [("grpc-status", "7")], end_stream=True)
                    state.close_connection(error_code=11, additional_data=b"calm down")
                    connection.sendall(state.data_to_send())
                    return

    with serve_tls(lab, answer, ["h2"]):
        with connect_tls(lab, ["h2"]) as connection:
            assert connection.selected_alpn_protocol() == "h2"
            state = h2.connection.H2Connection()
            state.initiate_connection()
            state.send_headers(1, [(":method", "GET"), (":path", "/"), (":scheme", "https"),
                                   (":authority", "origin.test")], end_stream=True)
            connection.sendall(state.data_to_send())
            events, ended = [], False
            while not ended and not any(isinstance(event, h2.events.ConnectionTerminated)
                                        for event in events):
                more, ended = h2_events(connection, state)
                events += more
    by_type = {type(event): event for event in events}
    assert by_type[h2.events.DataReceived].data == b"the body"
    assert (b"grpc-status", b"7") in by_type[h2.events.TrailersReceived].headers or \
        ("grpc-status", "7") in by_type[h2.events.TrailersReceived].headers
    goaway = by_type[h2.events.ConnectionTerminated]
    assert (goaway.error_code, goaway.additional_data) == (11, b"calm down")
    assert started.wait_records("flow")[0]["intercept"]["client"]["alpn"] == "h2"


GRPC_SERVER = """
    import concurrent.futures, grpc, sys
    certificate, key, port = sys.argv[1:]
    def refuse(request, context):
        context.abort(grpc.StatusCode.PERMISSION_DENIED, "not you")
    handlers = {"Echo": grpc.unary_unary_rpc_method_handler(lambda request, context: request),
                "Talk": grpc.stream_stream_rpc_method_handler(lambda requests, context: requests),
                "Refuse": grpc.unary_unary_rpc_method_handler(refuse)}
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", handlers),))
    pair = (open(key, "rb").read(), open(certificate, "rb").read())
    server.add_secure_port("0.0.0.0:" + port, grpc.ssl_server_credentials([pair]))
    server.start()
    server.wait_for_termination()
"""

GRPC_CLIENT = """
    import grpc, os, sys
    ca, address, port = sys.argv[1:]
    channel = grpc.secure_channel(address + ":" + port, grpc.ssl_channel_credentials(open(ca, "rb").read()),
                                  [("grpc.ssl_target_name_override", "origin.test")])
    message = os.urandom(1000000)
    assert channel.unary_unary("/test.Echo/Echo")(message, timeout=30) == message
    messages = [os.urandom(size) for size in range(1, 20001, 1000)]
    assert list(channel.stream_stream("/test.Echo/Talk")(iter(messages), timeout=30)) == messages
    try:
        channel.unary_unary("/test.Echo/Refuse")(b"", timeout=30)
        raise SystemExit("it was not refused")
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.PERMISSION_DENIED and error.details() == "not you"
    channel.close()
"""


def test_W2_grpc_calls_are_echoed(lab, engine, tmp_path):
    started = engine(TAKEN)
    server = run_program(lab, lab.origin, tmp_path, GRPC_SERVER, lab.origin_directory / "origin.pem",
                         lab.origin_directory / "origin.key", PORT)
    wait_for(lambda: is_open(lab), "the gRPC server", 30)
    lab.device.run("/usr/bin/python3", "-c", textwrap.dedent(GRPC_CLIENT), started.ca, ORIGIN4[0], PORT)
    server.terminate()
    server.wait(timeout=20 * PATIENCE)
    assert started.wait_records("flow")[0]["intercept"]["upstream"]["alpn"] in ("h2", "grpc-exp")


def test_W2_many_http2_streams_at_once(lab, engine):
    started = engine()
    report = lab.device.run("h2load", "-n", "3600", "-c", "4", "-m", "100",  # nginx ends it after 1000
                            "https://%s/hello" % ORIGIN4[0], timeout=120).stdout
    assert "3600 succeeded, 0 failed, 0 errored, 0 timeout" in report, report
    flows = started.wait_records("flow", 4)
    assert {flow["intercept"]["client"]["alpn"] for flow in flows} == {"h2"}
