# SPDX-License-Identifier: GPL-3.0-or-later
"""What the libraries of Node.js say, which many devices and their clouds are built on, is told as it was."""

import base64
import subprocess
import textwrap

import pytest

from lab import ORIGIN4, PATIENCE, wait_for
from test_protocols import PORT, TAKEN, is_open
from test_readers import check_calls

MESSAGES = 40
DEBIAN = "/usr/share/nodejs"

WS_SERVER = """
    const [certificate, key, port] = process.argv.slice(1);
    const fs = require('fs'), ws = require('ws');
    const pair = {cert: fs.readFileSync(certificate), key: fs.readFileSync(key)};
    const tls = require('https').createServer(pair);
    const server = new ws.WebSocketServer({server: tls, perMessageDeflate: {threshold: 100}});
    let count = 0;
    server.on('connection', socket => {
        socket.on('message', (data, binary) => {
            console.log(binary ? 'binary' : 'text', data.length);
            socket.send(data, {binary});
        });
        socket.on('ping', data => console.log('ping', data.length));
        socket.on('close', code => console.log('close', code));
    });
    tls.listen(+port, '0.0.0.0');
"""

WS_CLIENT = """
    const [ca, address, port, count] = process.argv.slice(1);
    const ws = require('ws');
    const socket = new ws.WebSocket(`wss://${address}:${port}/`, {
        ca: require('fs').readFileSync(ca), servername: 'origin.test', perMessageDeflate: {threshold: 100}});
    const message = at => at % 3 ? 'said '.repeat(at * at) : require('crypto').randomBytes(at * 1000);
    let at = 0, sent;
    const next = () => { sent = message(at); socket.send(sent); };
    socket.on('open', next);
    socket.on('pong', () => socket.close(4001, 'enough'));
    socket.on('message', (data, binary) => {
        if (!Buffer.from(sent).equals(data)) process.exit(3);
        if (++at < +count) next(); else socket.ping('there?');
    });
    socket.on('close', code => process.exit(code === 4001 ? 0 : 4));
"""

GRPC_SERVER = """
    const [certificate, key, port] = process.argv.slice(1);
    const fs = require('fs'), grpc = require('@grpc/grpc-js');
    const as_is = bytes => bytes;
    const method = (path, streams) => ({path: '/test.Echo/' + path, requestStream: streams,
        responseStream: streams, requestSerialize: as_is, requestDeserialize: as_is,
        responseSerialize: as_is, responseDeserialize: as_is});
    const server = new grpc.Server();
    const methods = {Echo: method('Echo', false), Talk: method('Talk', true),
        Refuse: method('Refuse', false)};
    server.addService(methods, {
        Echo: (call, done) => { console.log('Echo', call.request.length); done(null, call.request); },
        Talk: call => {
            call.on('data', bytes => { console.log('Talk', bytes.length); call.write(bytes); });
            call.on('end', () => call.end());
        },
        Refuse: (call, done) => done({code: grpc.status.PERMISSION_DENIED, details: 'not you'}),
    });
    const pair = {cert_chain: fs.readFileSync(certificate), private_key: fs.readFileSync(key)};
    server.bindAsync('0.0.0.0:' + port, grpc.ServerCredentials.createSsl(null, [pair]), error => {
        if (error) throw error;
    });
"""

GRPC_CLIENT = """
    const [ca, address, port] = process.argv.slice(1);
    const grpc = require('@grpc/grpc-js');
    const as_is = bytes => bytes, big = require('crypto').randomBytes(1000000);
    const client = new grpc.Client(address + ':' + port,
        grpc.credentials.createSsl(require('fs').readFileSync(ca)),
        {'grpc.ssl_target_name_override': 'origin.test'});
    const ask = (name, bytes) => new Promise(done => client.makeUnaryRequest(
        '/test.Echo/' + name, as_is, as_is, bytes, (error, answer) => done(error || answer)));
    const talk = count => new Promise(done => {
        const call = client.makeBidiStreamRequest('/test.Echo/Talk', as_is, as_is);
        let got = 0;
        call.on('data', () => ++got === count && call.end());
        call.on('status', status => done(status.code === 0 && got));
        for (let at = 0; at < count; at++) call.write(Buffer.alloc(at * 100, 1));
    });
    (async () => {
        if (!big.equals(await ask('Echo', big))) process.exit(3);
        if (await talk(20) !== 20) process.exit(4);
        const refused = await ask('Refuse', Buffer.from('x'));
        client.close();
        process.exit(refused.code === grpc.status.PERMISSION_DENIED && refused.details === 'not you' ? 0 : 5);
    })();
"""


@pytest.fixture(scope="session")
def grpc_js(tmp_path_factory):
    """Where gRPC's own library for Node.js is, from the npm registry: Debian has none."""
    directory = tmp_path_factory.mktemp("npm")
    try:
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix",
                        directory, "@grpc/grpc-js@1"], check=True, capture_output=True, timeout=120)
    except (OSError, subprocess.SubprocessError) as failure:
        pytest.skip("npm, or its registry, is not to be had here: %s" % failure)
    return directory / "node_modules"


def run_node(lab, tmp_path, modules, server, client, ca, *arguments):
    """What the server has printed once the client is content."""
    node = lambda program: ["env", "NODE_PATH=%s" % modules, "node", "-e", textwrap.dedent(program)]
    files = lab.origin_directory
    with open(tmp_path / "server.log", "w") as log:
        running = lab.origin.spawn(*node(server), files / "origin.pem", files / "origin.key", str(PORT),
                                   stdout=log, stderr=log)
    try:
        wait_for(lambda: is_open(lab), "the server", 30)
        lab.device.run(*node(client), ca, ORIGIN4[0], str(PORT), *map(str, arguments))
    finally:
        running.terminate()
        running.wait(timeout=20 * PATIENCE)
    return (tmp_path / "server.log").read_text().splitlines()


def test_T3_messages_of_nodes_ws_are_what_its_server_got(lab, engine, tmp_path):
    """The library compresses what it sends; payloads are told without."""
    started = engine({**TAKEN, "events": {"bodies": "64k"}})
    got = run_node(lab, tmp_path, DEBIAN, WS_SERVER, WS_CLIENT, started.ca, MESSAGES)
    started.wait_records("flow")
    records = started.records("websocket")
    ways = {way: [record for record in records if record["direction"] == way]
            for way in ("to_server", "to_client")}
    said, answered = [["%s %d" % (record["websocket"]["opcode"],
                                  len(base64.b64decode(record["websocket"].get("payload_base64", ""))))
                       for record in ways[way]] for way in ("to_server", "to_client")]
    assert len(got) == MESSAGES + 2
    assert said[:-1] == got[:-1] and answered[:-1] == [*got[:MESSAGES], got[-2].replace("ping", "pong")]
    assert all(record["intercept"]["websocket"]["compressed"] for record in records[:2 * MESSAGES])
    closing = ways["to_server"][-1]["intercept"]["websocket"]["close_code"]
    assert got[-1] == "close %d" % closing == "close 4001"
    assert not started.records("anomaly")


def test_T2_calls_of_grpc_js_are_what_its_server_got(lab, engine, tmp_path, grpc_js):
    started = engine(TAKEN)
    got = run_node(lab, tmp_path, grpc_js, GRPC_SERVER, GRPC_CLIENT, started.ca)
    records = started.wait_records("http", 3)
    check_calls(records)
    framed = lambda name: sum(5 + int(line.split()[1]) for line in got if line.startswith(name))
    for record, name in zip(records, ("Echo", "Talk")):
        assert record["intercept"]["http"]["request_length"] == record["http"]["length"] == framed(name)
    assert not started.records("anomaly")
