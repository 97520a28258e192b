"""Each project's certificate authority: one of its own, whose key is readable only with the secret keys."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

import pytest

from toygres.config import Settings
from toygres.domain.authority import Authority
from toygres.engine import authority
from toygres.errors import Misconfigured
from toygres.home import Home
from toygres.keyring import KeyFile
from toygres.platforms.kubernetes.certificates import make_authority
from toygres.rotation import rotate
from toygres.secrets import Cipher
from toygres.services import Services

PROJECTS = ("default", "other")


@pytest.fixture
def made(services: Services) -> dict[str, Authority]:
    """That of each of two projects, as a step is given it."""
    services.store.run("INSERT INTO toygres.projects (name) VALUES ('other')")
    return {project: asked(services, project) for project in PROJECTS}


def asked(services: Services, project: str) -> Authority:
    return authority(services, project, partial(make_authority, project, datetime.now(UTC)))


def sealed(services: Services, project: str = "default") -> bytes:
    found = services.store.one("SELECT key_ciphertext FROM toygres.authorities WHERE project = %(p)s", p=project)
    assert found is not None
    return bytes(found.key_ciphertext)


def test_each_project_has_one_of_its_own_which_is_kept(services: Services, made: dict[str, Authority]) -> None:
    one, other = made.values()
    assert one.certificate != other.certificate
    assert one.key != other.key
    assert {project: asked(services, project) for project in PROJECTS} == made


def test_no_key_is_in_the_metadata_db_in_clear(services: Services, made: dict[str, Authority]) -> None:
    stored = services.store.all(
        "SELECT a::text AS text, encode(key_ciphertext, 'escape') AS key FROM toygres.authorities a"
    )
    assert len(stored) == len(made)
    for row, found in zip(stored, made.values(), strict=True):
        assert "PRIVATE KEY" in found.key
        assert "PRIVATE KEY" not in row.text + row.key


def test_after_a_rotation_the_old_key_opens_none_and_the_new_one_all(
    services: Services, settings: Settings, home: Home, made: dict[str, Authority]
) -> None:
    rotate(settings, services.store)
    new, old = KeyFile(home.secret_keys).read()
    for project in PROJECTS:
        assert Cipher([new]).open_bytes(sealed(services, project)).decode() == made[project].key
        with pytest.raises(Misconfigured):
            Cipher([old]).open_bytes(sealed(services, project))
    assert {project: asked(services, project) for project in PROJECTS} == made
