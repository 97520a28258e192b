"""Passwords on their way from the request to the platform: encrypted, and gone once delivered."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from toygres.store import authorities
from toygres.store.session import Connection, Store


def put(connection: Connection, operation_id: UUID, seal: Callable[[], bytes]) -> None:
    """Keep what the operation is to deliver, encrypted by `seal`.

    It is called with the table locked against `renew`: what it encrypts is renewed, or is under the new key.
    """
    connection.execute("LOCK TABLE toygres.credentials IN ROW EXCLUSIVE MODE")
    connection.execute(
        "INSERT INTO toygres.credentials (operation_id, ciphertext) VALUES (%(id)s, %(ciphertext)s)",
        {"id": operation_id, "ciphertext": seal()},
    )


def get(store: Store, operation_id: UUID) -> bytes | None:
    """What the operation is to deliver; None once it has, or has ended."""
    row = store.one("SELECT ciphertext FROM toygres.credentials WHERE operation_id = %(id)s", id=operation_id)
    return bytes(row.ciphertext) if row else None


def renew(store: Store, change: Callable[[bytes], bytes]) -> int:
    """Put all that is encrypted through `change`, or nothing; how many passwords were on their way."""
    with store.transaction() as connection:
        connection.execute("LOCK TABLE toygres.credentials IN SHARE ROW EXCLUSIVE MODE")
        rows = connection.execute("SELECT operation_id, ciphertext FROM toygres.credentials").fetchall()
        for row in rows:
            connection.execute(
                "UPDATE toygres.credentials SET ciphertext = %(ciphertext)s WHERE operation_id = %(id)s",
                {"id": row.operation_id, "ciphertext": change(bytes(row.ciphertext))},
            )
        authorities.renew(connection, change)
        (kept,) = connection.execute("SELECT key_check FROM toygres.installation FOR UPDATE").fetchall()
        connection.execute(
            "UPDATE toygres.installation SET key_check = %(ciphertext)s",
            {"ciphertext": change(bytes(kept.key_check))},
        )
        return len(rows)
