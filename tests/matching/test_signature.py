"""Signatures as plain data."""

from __future__ import annotations

import json

from forensics.matching.load import load_signatures
from forensics.matching.locate import find_signatures
from forensics.matching.signature import from_plain, to_plain


def test_every_signature_survives_a_walk_through_json() -> None:
    """So that parsed knowledge can be cached."""
    for each in load_signatures(find_signatures()):
        assert from_plain(to_plain(each)) == each
        assert from_plain(json.loads(json.dumps(to_plain(each)))) == each
