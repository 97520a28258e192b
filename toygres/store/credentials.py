"""Passwords on their way from the request to the platform: encrypted, and gone once delivered."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection, text

from toygres.store.session import Store


def put(connection: Connection, operation_id: UUID, ciphertext: bytes) -> None:
    """Keep what the operation is to deliver."""
    connection.execute(
        text("INSERT INTO toygres.credentials (operation_id, ciphertext) VALUES (:id, :ciphertext)"),
        {"id": operation_id, "ciphertext": ciphertext},
    )


def get(store: Store, operation_id: UUID) -> bytes | None:
    """What the operation is to deliver; None once it has, or has ended."""
    row = store.one("SELECT ciphertext FROM toygres.credentials WHERE operation_id = :id", id=operation_id)
    return bytes(row.ciphertext) if row else None
