"""A cause as declared, with its sentence and remedy, and a verdict: one such cause found to be the case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from toygres.errors import Cause, CauseCode


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Why something isn't as it was asked for; `heals` says that it may go away by waiting."""

    cause: Cause
    heals: bool


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One cause that Kubernetes can give, as the docs list it: sentence and remedy have {places} for what is found.

    `heals` is what holds unless the place where it is found knows better; `sign` is what it is told by.
    """

    code: CauseCode
    sentence: str
    remedy: str
    sign: str
    heals: bool = False

    def found(self, evidence: Sequence[str] = (), *, heals: bool | None = None, **words: object) -> Verdict:
        """This cause, with `words` in the places of its sentence and its remedy."""
        cause = Cause(
            code=self.code,
            message=self.sentence.format(**words),
            remedy=self.remedy.format(**words),
            evidence=tuple(evidence),
        )
        return Verdict(cause=cause, heals=self.heals if heals is None else heals)


def sentence_end(text: str) -> str:
    """Somebody else's words, in one line and without the full stop that our sentence has."""
    # Inside of a line nothing is changed: a secret that is known must be known again.
    return " ".join(filter(None, map(str.strip, text.splitlines()))).rstrip(".: ")
