# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters mean what they mean in mitmproxy: its own code is asked about the same requests."""

import gzip
import random
import re

import pytest
from mitmproxy import flowfilter, http
from mitmproxy.test import tflow

import peers
from lab import DEVICE4, ORIGIN4, wait_for
from test_protocols import PORT, TAKEN, connect_tls, serve_tls
from test_readers import read_until_found
from test_store import stored, with_store

PATHS = ["/", "/hello?q=1", "/api/v1/users?id=7&name=Anna", "/A/b.PNG", "/x;y=(z)", "/%20a%2fb", "*"]
HOSTS = ["origin.test:4433", "origin.test", "API.example.com:8443", "203.0.113.77", "[2001:db8::9]:4433"]
METHODS = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"]
HEADERS = [("Accept", "text/html"), ("X-Mark", "one: two"), ("x-mark", "THREE"), ("User-Agent", "curl/8.0"),
           ("Content-Type", "application/json"), ("Content-Type", "text/plain; charset=utf-8"),
           ("X-Empty", "")]
ANSWERED = [("Content-Type", "text/html"), ("Content-Type", "image/png"),
            ("content-type", "application/JSON; a=b"), ("Server", "nginx"), ("X-Mark", "answer")]
BODIES = [b"", b"hello\nworld\n", b'{"a": "\xc3\xa4"}', b"\0\1\2\xff binary\0", b"HELLO",
          b"line one\r\nline two"]
STATUSES = [200, 204, 301, 404, 418, 503]

# Regular expressions that are tried: by operator, those that may be found there.
WORDS = {"u": ["hello", "^https://", "[.]test", "4433/", r"id=\d", "HELLO", ":8443/api", "users", "^http:",
               "/$", "test$", "2001:db8"],
         "m": ["get", "^P", "OPTIONS|HEAD", "E$", "."],
         "d": ["origin", "^api", "203", "[.]77$", "EXAMPLE", "db8", "test$"],
         "dst": ["^203", ":4433$", "113[.]1:", "zzz"], "src": ["^10[.]", "10[.]77[.]0[.]2:", "[.]9:"],
         "h": ["^x-mark: one", "mark: (two|three)", "text/", "nginx", ": curl",
               "^content-type: .*json", "X-Empty: "],
         "t": ["json", "^text", "png$", "charset", "HTML", "a=b"],
         "b": ["hello", "world", "o.w", "one..line", "binary", "^.\x01", "[{]", "two$", "^HELLO$"],
         "": ["hello", "example", "4433", "users", "^https"]}
WORDS.update({code + side: WORDS[code] for code in "htb" for side in "qs"})


class Exchange:
    """A request and its response, at random; as bytes, and as mitmproxy has it."""

    def __init__(self, chance, number):
        self.method, self.path, self.host = chance.choice(METHODS), chance.choice(PATHS), chance.choice(HOSTS)
        if self.path == "*":
            self.method = "OPTIONS"
        self.body = b"" if self.method in ("GET", "HEAD", "DELETE") else chance.choice(BODIES)
        self.headers = [("Host", self.host), *chance.sample(HEADERS, chance.randrange(4)),
                        ("X-Number", str(number))]
        if self.body:
            self.headers.append(("Content-Length", str(len(self.body))))
        self.status = chance.choice(STATUSES) if chance.random() < 0.85 else None
        self.answer = b"" if self.status == 204 or self.method == "HEAD" else chance.choice(BODIES)
        self.answered = chance.sample(ANSWERED, chance.randrange(3))
        self.sent = self.answer
        if self.answer and chance.random() < 0.3:
            self.sent = gzip.compress(self.answer)
            self.answered.append(("Content-Encoding", "gzip"))
        if self.status != 204:
            self.answered.append(("Content-Length", str(len(self.sent))))
        self.answered.append(("Connection", "close"))

    def request_bytes(self):
        head = "%s %s HTTP/1.1\r\n" % (self.method, self.path) + lines_of(self.headers) + "\r\n"
        return head.encode() + self.body

    def response_bytes(self):
        if self.status is None:
            return b""
        return ("HTTP/1.1 %d X\r\n%s\r\n" % (self.status, lines_of(self.answered))).encode() + self.sent

    def flow(self, source):
        request = http.Request(ORIGIN4[0], PORT, self.method.encode(), b"https", b"", self.path.encode(),
                               b"HTTP/1.1", fields_of(self.headers), self.body, None, 0, 0)
        flow = http.HTTPFlow(tflow.tclient_conn(), tflow.tserver_conn())
        flow.client_conn.peername, flow.server_conn.address = (DEVICE4, source), (ORIGIN4[0], PORT)
        flow.request = request
        if self.status is not None:
            flow.response = http.Response(b"HTTP/1.1", self.status, b"X", fields_of(self.answered), self.sent,
                                          None, 0, 0)
        return flow


def lines_of(headers):
    return "".join("%s: %s\r\n" % header for header in headers)


def fields_of(headers):
    return http.Headers([(name.encode(), value.encode()) for name, value in headers])


@pytest.fixture(scope="module")
def exchanges():
    chance = random.Random(5)
    return [Exchange(chance, number) for number in range(80)]


@pytest.fixture(scope="module")
def asked(lab, shared_engine, exchanges, tmp_path_factory):
    """Made by a device and a server; what the store has of it, and mitmproxy's flows, by their number."""
    folder = tmp_path_factory.mktemp("filters")
    folder.chmod(0o755)
    started = shared_engine({**with_store(folder), **TAKEN, "events": {"bodies": "64k"}})
    waiting = iter(exchanges)

    def answer(connection):
        exchange = next(waiting)
        data = read_until_found(connection, b"\r\n\r\n")
        while len(data) < len(exchange.request_bytes()):
            data += connection.recv(65536)
        connection.sendall(exchange.response_bytes())

    flows = {}
    with serve_tls(lab, answer):
        for number, exchange in enumerate(exchanges):
            with connect_tls(lab) as connection:
                source = connection.getsockname()[1]
                connection.sendall(exchange.request_bytes())
                peers.read_all(connection)
            flows[number] = exchange.flow(source)
    wait_for(lambda: len(stored(started, "~http")) == len(exchanges), "the requests")
    return started, flows


def number_of(event):
    return next(int(header["value"]) for header in event["http"]["request_headers"]
                if header["name"] == "X-Number")


def ours(started, expression):
    return {number_of(event) for event in stored(started, expression) if event["event_type"] == "http"}


@pytest.fixture(autouse=True)
def no_case(monkeypatch):
    """Since version 11 no filter of mitmproxy heeds the case; in the packaged one ~d and ~m do not."""
    for kind in flowfilter.filter_rex:
        monkeypatch.setattr(kind, "flags", kind.flags | re.IGNORECASE)


def theirs(flows, expression):
    holds = flowfilter.parse(expression)
    return {number for number, flow in flows.items() if holds(flow)}


def quoted(word):
    return '"%s"' % word if re.search(r"[()~'\s]", word) or word == "" else word


ATOMS = ["~%s %s" % (code, quoted(word)) if code else quoted(word) for code, words in WORDS.items()
         for word in words]
STATES = ["~q", "~s", "~http", "~websocket", "~all", *("~c %d" % status for status in (*STATUSES, 40))]


def test_T27_each_operator_means_what_it_means_in_mitmproxy(asked):
    started, flows = asked
    found = {expression: theirs(flows, expression) for expression in ATOMS + STATES}
    for expression, expected in found.items():
        assert ours(started, expression) == expected, expression
    # Something was asked: most are found in some, and none but ~all and what is like it in all.
    assert sum(0 < len(numbers) < len(flows) for numbers in found.values()) > 0.7 * len(found)


def random_expression(chance, depth):
    kind = chance.randrange(6) if depth > 0 else 0
    if kind <= 1:
        return chance.choice(ATOMS + STATES)
    if kind == 2:
        return "!" + chance.choice(["", " "]) + in_parentheses(random_expression(chance, depth - 1))
    sign = chance.choice([" & ", " | ", "|", " &"])
    return sign.join(random_expression(chance, depth - 1) if chance.random() < 0.6
                     else in_parentheses(random_expression(chance, depth - 1)) for _ in range(2))


def in_parentheses(expression):
    return "(%s)" % expression


def test_T27_expressions_are_put_together_as_in_mitmproxy(asked):
    started, flows = asked
    chance = random.Random(7)
    sizes = set()
    refused = 0
    for _ in range(150):
        # Side by side they may stand only at the top, there.
        expression = " ".join(random_expression(chance, 2) for _ in range(chance.choice([1, 1, 2])))
        try:
            expected = theirs(flows, expression)
        except ValueError:  # a sign may be a word by itself, there, and then something is left over
            refused += 1
            continue
        assert ours(started, expression) == expected, expression
        sizes.add(len(expected))
    assert len(sizes) > 20 and refused < 30


@pytest.mark.parametrize("expression", ["~d", "~c x", "~c", "~zz a", "(~q", "~q)", "()", "~u (", "~u 'a",
                                        "~u [", "~c -5", "~u '(a'"])
def test_T27_what_is_no_expression_there_is_none_here(asked, expression):
    with pytest.raises(ValueError):
        flowfilter.parse(expression)
    assert asked[0].ctl("flows", expression, check=False).returncode == 2
