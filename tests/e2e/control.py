# SPDX-License-Identifier: GPL-3.0-or-later
"""A client of the control socket that keeps its connection, and what the records say of changes."""

import json
import re
import socket

from lab import PATIENCE


class Control:
    """Requests and answers, one after another; or lines of a stream."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30 * PATIENCE)
        self.socket.connect(str(path))
        self.stream = self.socket.makefile("rb")
        self.greeting = self.line()
        self.last_id = 0

    def line(self):
        line = self.stream.readline()
        assert line, "the daemon has hung up"
        return json.loads(line)

    def send(self, command, if_rev=None, **arguments):
        self.last_id += 1
        request = {"id": self.last_id, "cmd": command, "args": arguments}
        if if_rev is not None:
            request["if_rev"] = if_rev
        self.socket.sendall(json.dumps(request).encode() + b"\n")
        return self.last_id

    def ask(self, command, if_rev=None, **arguments):
        number = self.send(command, if_rev, **arguments)
        answer = self.line()
        assert answer["id"] == number, answer
        return answer

    def do(self, command, **arguments):
        answer = self.ask(command, **arguments)
        assert answer["ok"], answer
        return answer

    def close(self):
        self.stream.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Oracle:
    """Which pattern decides, recomputed with Python's own regular expressions from what is written down: the
    configuration's patterns, and for each revision of the policy what was changed."""

    def __init__(self, base):
        self.base = list(base)
        self.compiled = {}
        self.base_hits = {}  # by text: indices of the base's patterns that are found in it
        self.removed, self.added = set(), []
        self.revisions = {1: (frozenset(), ())}
        self.last = 1

    def finds(self, pattern, text):
        if pattern not in self.compiled:
            self.compiled[pattern] = re.compile(pattern, re.IGNORECASE)
        return self.compiled[pattern].search(text) is not None

    def apply(self, revision, changes):
        """The items of one change event; a change may come in several events."""
        for change in changes:
            if change["what"] != "ignore":
                continue
            old, new = change.get("old"), change.get("new")
            if new is not None and new in self.base:
                self.removed.discard(new)
            elif new is not None:
                self.added.append(new)
            if old is not None and new is None and old in self.base:
                self.removed.add(old)
            elif old is not None and new is None:
                self.added.remove(old)
        self.revisions[revision] = (frozenset(self.removed), tuple(self.added))
        self.last = revision

    def read(self, events):
        for event in events:
            if event["event_type"] == "intercept" and event["intercept"].get("action") == "change":
                self.apply(event["intercept"]["policy_rev"], event["intercept"]["changes"])

    @staticmethod
    def texts(address, port):
        plain = "%s:%d" % (address, port)
        return [plain, "[%s]:%d" % (address, port)] if ":" in address else [plain]

    def rule(self, address, port, revision=None):
        """The pattern that decides; None if it is intercepted."""
        removed, added = self.revisions[revision or self.last]
        texts = self.texts(address, port)
        key = texts[0]
        if key not in self.base_hits:
            self.base_hits[key] = [pattern for pattern in self.base
                                   if any(self.finds(pattern, text) for text in texts)]
        for pattern in self.base_hits[key]:
            if pattern not in removed:
                return pattern
        for pattern in added:
            if any(self.finds(pattern, text) for text in texts):
                return pattern
        return None
