"""What a password that somebody chooses may be."""

from __future__ import annotations

RULE_FOR_PASSWORDS = "8 to 128 printable ASCII characters, or none: then one is generated"


def is_password(text: str) -> bool:
    """Whether `text` follows the rule."""
    # libpq prepares other characters by rules (SASLprep) that not every client has; ASCII is the same for all.
    return 8 <= len(text) <= 128 and text.isascii() and text.isprintable()
