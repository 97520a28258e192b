"""The generated parts of docs/kubernetes.md, in place: `python -m toygres.platforms.kubernetes.document`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from toygres.platforms.kubernetes import rights
from toygres.platforms.kubernetes.causes.document import causes_table
from toygres.platforms.kubernetes.rights import Right

PAGE = Path(__file__).parents[3] / "docs" / "kubernetes.md"

_HEAD = "| what | verbs |\n|---|---|"
_WHOSE = (
    ("The worker, in each namespace with instances:", rights.WORKER),
    ("The web process, in each namespace with instances:", rights.WEB),
    ("The worker, in the whole cluster, only where Toygres is to make namespaces itself:", rights.NAMESPACES),
)


def page(before: str) -> str:
    """The page as it should be, with what stands between the marks of each part written anew."""
    return _filled(_filled(before, "rights", "\n".join(_rights())), "causes", causes_table())


def _filled(before: str, part: str, text: str) -> str:
    begin, end = f"<!-- {part}: begin -->", f"<!-- {part}: end -->"
    whole = "\n".join([begin, "", text, end])
    return re.sub(f"{begin}.*{end}", lambda _: whole, before, flags=re.DOTALL)


def _rights() -> Iterator[str]:
    for whose, given in _WHOSE:
        yield from (whose, "", _HEAD, *_rows(given), "")


def _rows(given: Sequence[Right]) -> Iterator[str]:
    for right in given:
        what = f"{right.resource}.{right.group}" if right.group else right.resource
        yield f"| `{what}` | {', '.join(right.verbs)} |"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
