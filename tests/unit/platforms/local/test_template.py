"""The data directory that all others are copied from."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from toygres.platforms.local import binaries, template
from toygres.platforms.local.commands import run
from toygres.platforms.local.place import Place
from toygres.platforms.local.platform import LocalPlatform


def test_it_is_made_once_however_many_ask(new_place: Place) -> None:
    programs = binaries.bundled(new_place)
    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(template.ensure, [new_place] * 4, [programs] * 4))
    assert len(found) == 1
    assert [path.name for path in (new_place.root / "templates").iterdir()] == [found.pop().name]


def test_what_a_crash_left_of_one_is_made_anew(new_place: Place, local: LocalPlatform) -> None:
    programs = binaries.bundled(new_place)
    name = template.ensure(local.place, programs).name
    run(new_place, ["mkdir", "-p", new_place.root / "templates" / f"{name}.partial" / "base"], seconds=10)
    made = template.ensure(new_place, programs)
    assert (made / "PG_VERSION").read_text() == "18\n"
    assert not made.with_name(f"{name}.partial").exists()


def test_it_lets_nobody_in_without_a_password(local: LocalPlatform) -> None:
    made = template.ensure(local.place, local.versions["18"])
    rules = [line.split() for line in (made / "pg_hba.conf").read_text().splitlines() if not line.startswith("#")]
    assert rules
    assert {rule[-1] for rule in rules} == {"scram-sha-256"}
    assert made.stat().st_mode & 0o777 == 0o700
