"""Each project's certificate authority: made once, its key encrypted."""

from __future__ import annotations

from collections.abc import Callable

from toygres.domain.authority import Authority
from toygres.errors import Bug
from toygres.store.session import Connection, Store

_FIND = "SELECT certificate, key_ciphertext FROM toygres.authorities WHERE project = %(project)s"
_KEEP = """
INSERT INTO toygres.authorities (project, certificate, key_ciphertext)
VALUES (%(project)s, %(certificate)s, %(key)s) ON CONFLICT DO NOTHING
"""


def kept(
    store: Store,
    project: str,
    make: Callable[[], Authority],
    seal: Callable[[bytes], bytes],
    open_: Callable[[bytes], bytes],
) -> Authority:
    """The project's authority, which `make` makes when there is none; of several made at once the first is kept."""
    found = store.one(_FIND, project=project)
    if found is None:
        made = make()
        with store.transaction() as connection:
            # Against `renew`, which must not miss what was sealed with the key before.
            connection.execute("LOCK TABLE toygres.credentials IN ROW EXCLUSIVE MODE")
            values = {"project": project, "certificate": made.certificate, "key": seal(made.key.encode())}
            connection.execute(_KEEP, values)
        found = store.one(_FIND, project=project)
        if found is None:
            raise Bug("an authority that was kept is gone")
    return Authority(certificate=found.certificate, key=open_(bytes(found.key_ciphertext)).decode())


def renew(connection: Connection, change: Callable[[bytes], bytes]) -> None:
    """Put every key through `change`."""
    for row in connection.execute("SELECT project, key_ciphertext FROM toygres.authorities").fetchall():
        connection.execute(
            "UPDATE toygres.authorities SET key_ciphertext = %(key)s WHERE project = %(project)s",
            {"project": row.project, "key": change(bytes(row.key_ciphertext))},
        )
