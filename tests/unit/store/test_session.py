"""Connections to the metadata DB."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from psycopg.conninfo import conninfo_to_dict

from toygres.errors import Unavailable
from toygres.store.session import Store


@pytest.mark.parametrize("folder", ["/a home/with spaces", "/a+b/c%d", "/it's#1é"])
def test_a_direct_connection_goes_where_the_others_go(folder: str) -> None:
    store = Store(f"postgresql://we%20ird:p%20w%2B@/my%20db?host={quote(folder, safe='')}")
    parts = conninfo_to_dict(store.conninfo)
    assert (parts["host"], parts["user"], parts["password"], parts["dbname"]) == (folder, "we ird", "p w+", "my db")
    with pytest.raises(Unavailable):
        store.direct()
    store.close()


def test_a_direct_connection_has_its_name_and_its_own_session(store: Store) -> None:
    with store.direct("by another name") as connection:
        found = connection.execute("SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()")
        assert found.fetchone() == ("by another name",)
