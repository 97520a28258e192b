"""Identities: a UUIDv7 in the metadata DB, a TypeID such as `ins_01h455vb4pex5vsknk084sn02q` outside.

TypeID is a public format (https://github.com/jetify-com/typeid): a prefix and a UUID in base 32.
"""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from typeid import TypeID
from typeid.errors import TypeIDException

from toygres.errors import FieldError, Invalid

INSTANCE = "ins"
OPERATION = "op"
EVENT = "evt"


def new() -> UUID:
    """A fresh UUIDv7: sorts by the time it was made."""
    return UUID(str(TypeID().uuid))


def shown(prefix: str, uuid: UUID) -> str:
    """The form in which `uuid` leaves the metadata DB."""
    # The library names its own UUID type and takes anything with the same bytes.
    return str(TypeID.from_uuid(suffix=cast("Any", uuid), prefix=prefix))


def parse(prefix: str, text: str) -> UUID | None:
    """The UUID behind `text`, or None when `text` isn't an identity of this kind."""
    try:
        typeid = TypeID.from_string(text)
    except TypeIDException:
        return None
    return UUID(str(typeid.uuid)) if typeid.prefix == prefix else None


def parse_cursor(prefix: str, cursor: str | None) -> UUID | None:
    """The identity that a list goes on after. Raises Invalid when it isn't one that a list gave out."""
    if cursor is None:
        return None
    found = parse(prefix, cursor)
    if found is None:
        raise Invalid(
            [FieldError(field="cursor", value=cursor, message="isn't a cursor of this list", allowed="a next_cursor")]
        )
    return found
