"""Whose instances a home's metadata DB knows, before they are deleted with the home."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from pydantic import SecretStr

from toygres.config import load
from toygres.errors import Misconfigured
from toygres.home import Home
from toygres.oneshot import own
from toygres.oneshot.database import Database
from toygres.platforms.local import host
from toygres.store import installation
from toygres.store.session import Store


@pytest.fixture
def held(database_url: str) -> Database:
    return Database(load().model_copy(update={"database_url": SecretStr(database_url)}), None)


def _meet(url: str, identity: str) -> None:
    with closing(Store(url, connections=1)) as store:
        installation.meet_platform(store, "local", "local", identity)


def test_a_home_that_never_had_servers_or_has_its_own_is_the_original(
    held: Database, database_url: str, tmp_path: Path
) -> None:
    own.require_original(Home(tmp_path), held)
    _meet(database_url, host.identity(tmp_path))
    own.require_original(Home(tmp_path), held)


def test_a_copy_deletes_nothing_of_the_original(held: Database, database_url: str, tmp_path: Path) -> None:
    _meet(database_url, host.identity(tmp_path / "original"))
    with pytest.raises(Misconfigured, match="this is a copy") as refused:
        own.require_original(Home(tmp_path), held)
    assert "--leave-clusters" in refused.value.remedy
