"""Sign-in codes: good once, for some minutes; only their hashes are kept."""

from __future__ import annotations

import hashlib
import secrets

from toygres.store.session import Store


def create(store: Store, seconds: float = 300.0) -> str:
    """A new code, good for `seconds`; forgets those that are over."""
    code = secrets.token_urlsafe(24)
    store.run("DELETE FROM toygres.signins WHERE expires_at < toygres.toygres_now()")
    store.run(
        """INSERT INTO toygres.signins (code_hash, expires_at)
           VALUES (%(hash)s, toygres.toygres_now() + make_interval(secs => %(seconds)s))""",
        hash=_hash(code),
        seconds=seconds,
    )
    return code


def redeem(store: Store, code: str) -> bool:
    """Use the code up; False when it was used before, is over, or never was."""
    return (
        store.run(
            "DELETE FROM toygres.signins WHERE code_hash = %(hash)s AND expires_at >= toygres.toygres_now()",
            hash=_hash(code),
        )
        > 0
    )


def _hash(code: str) -> bytes:
    return hashlib.sha256(code.encode()).digest()
