"""Causes: what a person is told, whatever a server wrote."""

from __future__ import annotations

import json

from toygres.errors import Cause, CauseCode


def test_what_a_server_wrote_can_be_stored_and_shown() -> None:
    cause = Cause(
        code=CauseCode.SERVER_EXITED,
        message="FATAL:\x00 \x1b]0;pwned\x07",
        remedy="Look\x1b[31m.",
        evidence=("a\x00b", "tab\tstays, é too"),
    )
    stored = json.dumps(cause.to_json())
    assert "\\u0000" not in stored
    assert "\\u001b" not in stored
    assert cause.evidence == ("a\N{REPLACEMENT CHARACTER}b", "tab\tstays, é too")
    assert Cause.from_json(json.loads(stored)) == cause
