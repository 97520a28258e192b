"""SCRAM-SHA-256 verifiers (RFC 5802, RFC 7677): what a server keeps instead of a password."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import stringprep
import unicodedata

_ITERATIONS = 4096
_SALT_BYTES = 16
_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
    stringprep.in_table_a1,
)


def verifier(password: str, salt: bytes | None = None) -> str:
    """What PostgreSQL stores for `password`, under a fresh salt unless one is given."""
    salt = secrets.token_bytes(_SALT_BYTES) if salt is None else salt
    salted = hashlib.pbkdf2_hmac("sha256", prepared(password).encode(), salt, _ITERATIONS)
    stored = hashlib.sha256(_hmac(salted, b"Client Key")).digest()
    keys = f"{_encoded(stored)}:{_encoded(_hmac(salted, b'Server Key'))}"
    return f"SCRAM-SHA-256${_ITERATIONS}:{_encoded(salt)}${keys}"


def prepared(password: str) -> str:
    """The SASLprep form (RFC 4013); like libpq, the password as it is where it has none."""
    if password.isascii():
        return password
    mapped = "".join(
        " " if stringprep.in_table_c12(letter) else letter for letter in password if not stringprep.in_table_b1(letter)
    )
    normal = unicodedata.normalize("NFKC", mapped)
    forbidden = any(prohibited(letter) for letter in normal for prohibited in _PROHIBITED)
    return password if not normal or forbidden or not _one_direction(normal) else normal


def _one_direction(text: str) -> bool:
    """Whether right-to-left letters, if any, begin and end the text and stand without left-to-right ones."""
    if not any(stringprep.in_table_d1(letter) for letter in text):
        return True
    ends = stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])
    return ends and not any(stringprep.in_table_d2(letter) for letter in text)


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()
