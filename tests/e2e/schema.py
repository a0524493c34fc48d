# SPDX-License-Identifier: GPL-3.0-or-later
"""Every record that a test leaves is as the schema has it that we install."""

import json
from collections import Counter

import jsonschema

from lab import ROOT

SCHEMA = json.loads((ROOT / "scripts/install/eve-schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
# To validate takes a millisecond; of thousands that have the same keys some will do.
OF_A_SHAPE = 20


def shape(value):
    """Of a record: its keys, and the types of what they have."""
    if isinstance(value, dict):
        return tuple((key, shape(item)) for key, item in value.items())
    if isinstance(value, list):
        return tuple(sorted({shape(item) for item in value}, key=repr))
    return type(value).__name__


def faults(record):
    """What is wrong with it, in words."""
    return ["%s: %s" % (error.json_path, error.message) for error in VALIDATOR.iter_errors(record)]


def check_file(path):
    """Of a file that nobody writes any more; its last line may have been cut by the engine's end."""
    text = path.read_text()
    seen = Counter()
    for line in text[:text.rfind("\n") + 1].splitlines():
        record = json.loads(line)
        key = (record.get("event_type"), record.get("intercept", {}).get("action"), shape(record))
        seen[key] += 1
        found = faults(record) if seen[key] <= OF_A_SHAPE else []
        assert not found, "%s\n%s" % ("\n".join(found), line)
