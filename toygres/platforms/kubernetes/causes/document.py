"""The table of causes for docs/kubernetes.md, written from their declarations."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from toygres.platforms.kubernetes.causes import (
    admission,
    answers,
    container,
    exits,
    image,
    last_words,
    login,
    pod,
    readiness,
    scheduling,
    service,
    stateful_set,
    volume_claim,
)
from toygres.platforms.kubernetes.causes.verdict import Kind

GROUPS: tuple[tuple[str, Sequence[Kind]], ...] = (
    ("Refused by the cluster", admission.KINDS),
    ("Other answers of the Kubernetes API", answers.KINDS),
    ("No pod", stateful_set.KINDS),
    ("The pod's node", pod.KINDS),
    ("The volume", volume_claim.KINDS),
    ("Scheduling", scheduling.KINDS),
    ("The image", image.KINDS),
    ("The container", container.KINDS),
    ("The server's end", exits.KINDS),
    ("PostgreSQL's last words", last_words.KINDS),
    ("Readiness", readiness.KINDS),
    ("The load balancer", service.KINDS),
    ("Logging in", login.KINDS),
)

_HEAD = "| cause | what is told | what to do | by waiting | told by |\n|---|---|---|---|---|"
_PLACE = re.compile(r"\{(\w+)(?::[^}]*)?\}")


def kinds() -> tuple[Kind, ...]:
    """All causes that Kubernetes can give, in the order in which they are read."""
    return tuple(kind for _, group in GROUPS for kind in group)


def causes_table() -> str:
    """A table for each kind of evidence, in Markdown: the code, the sentence, the remedy, whether it may heal."""
    return "\n\n".join(_section(title, group) for title, group in GROUPS) + "\n"


def _section(title: str, group: Sequence[Kind]) -> str:
    return "\n".join([f"### {title}", "", _HEAD, *_rows(group)])


def _rows(group: Sequence[Kind]) -> Iterator[str]:
    for kind in group:
        heals = "may heal" if kind.heals else "ends the wait"
        cells = (f"`{kind.code.value}`", _shown(kind.sentence), _shown(kind.remedy), heals, kind.sign)
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _shown(template: str) -> str:
    """A sentence for reading: its places in capitals."""
    return _PLACE.sub(lambda place: place[1].upper(), template)
