"""The golden files: what is applied for an instance, for readers. `python tests/golden_manifests.py` writes them."""

from __future__ import annotations

import base64
import sys
from pathlib import Path

import yaml

sys.path.append(str(Path(__file__).parent.parent))

from manifest_subject import Manifest, all_manifests, fussy, fussy_target, plain, target

FOLDER = Path(__file__).parent / "unit/platforms/kubernetes/golden"
_HEAD = "# Written by `python tests/golden_manifests.py`; a test compares.\n"
# The objects that look otherwise with every setting set and every choice made.
_OTHERWISE = ("service", "network_policy", "stateful_set")


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as such, and every object out in full."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def pages() -> dict[str, str]:
    """Every file's content, by its name."""
    made = {kind: page(manifest) for kind, manifest in all_manifests(target(), plain()).items()}
    chosen = all_manifests(fussy_target(), fussy())
    made.update({f"{kind}_with_everything": page(chosen[kind]) for kind in _OTHERWISE})
    return {f"{name}.yaml": text for name, text in made.items()}


def page(manifest: Manifest) -> str:
    """A manifest as people read it; what a Secret's data mean stands beside them."""
    dumped = yaml.dump(manifest, Dumper=_Dumper, sort_keys=False, width=1000, allow_unicode=True)
    return _HEAD + (_meaning(manifest) if manifest["kind"] == "Secret" else "") + dumped


def _meaning(secret: Manifest) -> str:
    lines = (f"#   {key}: {base64.b64decode(value).decode().rstrip()}" for key, value in secret["data"].items())
    return "\n".join(["# Its data, decoded:", *lines, ""])


def main() -> None:
    """Write all files anew."""
    for old in FOLDER.glob("*.yaml"):
        old.unlink()
    for name, text in pages().items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
