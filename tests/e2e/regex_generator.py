# SPDX-License-Identifier: GPL-3.0-or-later
"""Random regular expressions that Python takes, and texts that are near enough to match some."""

import random
import re
import warnings

LITERALS = "abcAB01.:-"
ESCAPES = [r"\.", r"\d", r"\D", r"\w", r"\W", r"\s", r"\S", r"\-", r"\:", r"\x61", r"\061", r"\u0062"]
ANCHORS = ["^", "$", r"\b", r"\B", r"\A", r"\Z"]
QUANTIFIERS = ["*", "+", "?", "{2}", "{1,2}", "{,2}", "{1,}", "{,}", "*?", "+?", "??", "{1,2}?"]
# Python 3.11 has these, and gets them wrong (bpo-101955 and others) where groups are inside.
POSSESSIVE = ["*+", "++", "?+", "{1,2}+"]


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.groups = 0
        self.closed = []  # groups that may be referred to: Python refuses those that are still open

    def pick(self, items):
        return self.random.choice(items)

    def character_class(self):
        members = []
        for _ in range(self.random.randint(1, 3)):
            members.append(self.pick(["a", "b", "c", "0", ".", ":", "[", "a-c", "A-Z", "0-9", r"\d",
                                      r"\w", r"\]", "[:alpha:", r"\x62", r"\u0061"]))
        first = self.pick(["", "", "", "]"])
        return "[" + self.pick(["", "", "^"]) + first + "".join(members) + "]"

    def atom(self, depth):
        roll = self.random.random()
        if roll < 0.45:
            return self.pick(LITERALS)
        if roll < 0.60:
            return self.pick(ESCAPES)
        if roll < 0.72 or depth <= 0:
            return self.character_class()
        return self.group(depth)

    def group(self, depth):
        kind = self.random.randint(0, 9)
        if kind <= 3:
            self.groups += 1
            number = self.groups
            name = "?P<n%d>" % number if kind == 3 else ""
            inner = self.alternatives(depth - 1)
            self.closed.append(number)
            return "(" + name + inner + ")"
        if kind == 4:
            return "(?:" + self.alternatives(depth - 1) + ")"
        if kind == 5:
            return "(?i:" + self.alternatives(depth - 1) + ")"
        if kind == 6:
            return "(?>" + "|".join(self.pick(LITERALS) + self.pick(["", "a", "0*"]) for _ in "12") + ")"
        if kind == 7:
            return "(?=" + self.alternatives(depth - 1) + ")"
        if kind == 8:
            return "(?!" + self.alternatives(depth - 1) + ")"
        return self.pick(["(?<=%s)", "(?<!%s)"]) % self.pick(["a", "ab", r"\d", "[a-c]", "a|b", r"\.",])

    def reference(self):
        number = self.pick(self.closed)
        return self.pick(["\\%d" % number, "(?(%d)a|b)" % number, "(?(%d)0)" % number])

    def sequence(self, depth):
        parts = []
        for _ in range(self.random.randint(1, 4)):
            if self.closed and self.random.random() < 0.12:
                part = self.reference()
            elif self.random.random() < 0.12:
                parts.append(self.pick(ANCHORS))
                continue
            else:
                part = self.atom(depth)
            part += self.quantifier(part)
            parts.append(part)
        return "".join(parts)

    def quantifier(self, part):
        """Assertions and conditions get none: there Python and Perl differ in what that means."""
        if self.random.random() > 0.35 or part.startswith(("(?=", "(?!", "(?<", "(?(")):
            return ""
        if not part.startswith("(") and self.random.random() < 0.2:
            return self.pick(POSSESSIVE)
        return self.pick(QUANTIFIERS)

    def alternatives(self, depth):
        return "|".join(self.sequence(depth) for _ in range(self.pick([1, 1, 1, 2, 3])))

    def pattern(self):
        """A pattern that Python compiles."""
        while True:
            self.groups = 0
            self.closed = []
            text = self.pick(["", "", "", "", "(?s)", "(?i)", "(?a)", "(?u)", "(?m)", "(?x)", "(?ai)"])
            text += self.alternatives(3)
            if "#" in text or text != text.strip():
                continue
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    re.compile(text, re.IGNORECASE)
            except (re.error, OverflowError):
                continue
            return text

    def subject(self):
        """Something:port, mostly of the letters that patterns are made of."""
        length = self.random.randint(1, 12)
        host = "".join(self.pick("aabbcAB01.-") for _ in range(length))
        return "%s:%d" % (host, self.pick([0, 1, 10, 80, 101, 443]))


def python_finds(pattern, subject):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return re.search(pattern, subject, re.IGNORECASE) is not None
