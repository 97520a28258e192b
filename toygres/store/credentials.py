"""Passwords on their way from the request to the platform: encrypted, and gone once delivered."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from sqlalchemy import Connection, text

from toygres.store.session import Store


def put(connection: Connection, operation_id: UUID, seal: Callable[[], bytes]) -> None:
    """Keep what the operation is to deliver, encrypted by `seal`.

    It is called with the table locked against `renew`: what it encrypts is renewed, or is under the new key.
    """
    connection.execute(text("LOCK TABLE toygres.credentials IN ROW EXCLUSIVE MODE"))
    connection.execute(
        text("INSERT INTO toygres.credentials (operation_id, ciphertext) VALUES (:id, :ciphertext)"),
        {"id": operation_id, "ciphertext": seal()},
    )


def get(store: Store, operation_id: UUID) -> bytes | None:
    """What the operation is to deliver; None once it has, or has ended."""
    row = store.one("SELECT ciphertext FROM toygres.credentials WHERE operation_id = :id", id=operation_id)
    return bytes(row.ciphertext) if row else None


def renew(store: Store, change: Callable[[bytes], bytes]) -> int:
    """Put all that is encrypted through `change`, or nothing; how many passwords were on their way."""
    with store.transaction() as connection:
        connection.execute(text("LOCK TABLE toygres.credentials IN SHARE ROW EXCLUSIVE MODE"))
        rows = connection.execute(text("SELECT operation_id, ciphertext FROM toygres.credentials")).all()
        for row in rows:
            connection.execute(
                text("UPDATE toygres.credentials SET ciphertext = :ciphertext WHERE operation_id = :id"),
                {"id": row.operation_id, "ciphertext": change(bytes(row.ciphertext))},
            )
        check = connection.execute(text("SELECT key_check FROM toygres.installation FOR UPDATE")).scalar_one()
        connection.execute(
            text("UPDATE toygres.installation SET key_check = :ciphertext"), {"ciphertext": change(bytes(check))}
        )
        return len(rows)
