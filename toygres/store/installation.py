"""Who this installation is, which keys it encrypts with, and which platforms it has met."""

from __future__ import annotations

from uuid import UUID

from toygres.errors import Misconfigured
from toygres.store.session import Store


def identity(store: Store) -> UUID:
    """The installation's ID, made with the schema; labels every platform object."""
    row = store.one("SELECT id FROM toygres.installation")
    if row is None:
        raise Misconfigured("The metadata DB has no installation row.", "Run `toygres migrate`.")
    return UUID(str(row.id))


def key_check(store: Store) -> bytes | None:
    """The known text under the installation's key; None before the first use."""
    row = store.one("SELECT key_check FROM toygres.installation")
    return bytes(row.key_check) if row and row.key_check else None


def set_key_check(store: Store, ciphertext: bytes) -> bool:
    """Record the first use of a key; False when another process was first."""
    return store.run("UPDATE toygres.installation SET key_check = %(c)s WHERE key_check IS NULL", c=ciphertext) > 0


def meet_platform(store: Store, name: str, kind: str, found: str) -> str:
    """Remember the place behind a platform's name at first use; the identity that is known under it.

    Nothing is written when there is one. Raises Misconfigured when the name is another kind of platform's.
    """
    store.run(
        """INSERT INTO toygres.platforms (name, kind, identity) VALUES (%(name)s, %(kind)s, %(identity)s)
           ON CONFLICT (name) DO NOTHING""",
        name=name,
        kind=kind,
        identity=found,
    )
    row = store.one("SELECT kind, identity FROM toygres.platforms WHERE name = %(name)s", name=name)
    if row is None or row.kind != kind:
        raise Misconfigured(
            f"The platform {name!r} is of another kind than the one that this metadata DB knows under that name.",
            "Give the platform another name, or use the metadata DB that belongs to it.",
        )
    return str(row.identity)


def platform_identity(store: Store, name: str) -> str | None:
    """The place that is known under the platform's name; None before its first use."""
    row = store.one("SELECT identity FROM toygres.platforms WHERE name = %(name)s", name=name)
    return str(row.identity) if row else None
