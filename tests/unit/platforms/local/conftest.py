"""A local platform for the tests of its parts, and folders to put homes into."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from making import MakeSubject, Subject, local_platform, subjects

from toygres.home import Home
from toygres.platforms.local import place
from toygres.platforms.local.layout import Layout
from toygres.platforms.local.place import Place
from toygres.platforms.local.platform import LocalPlatform


@pytest.fixture(scope="session")
def local() -> Iterator[LocalPlatform]:
    """One local platform for the whole run, since its template takes a second to make."""
    with local_platform() as platform:
        yield platform


@pytest.fixture
def make_subject(local: LocalPlatform) -> Iterator[MakeSubject]:
    """Makes instances that are gone after the test."""
    with subjects(local) as make:
        yield make


@pytest.fixture
def subject(make_subject: MakeSubject) -> Subject:
    """One instance of which nothing is made yet."""
    return make_subject()


@pytest.fixture
def layout(local: LocalPlatform, subject: Subject) -> Layout:
    """Where the instance's things are."""
    return Layout(local.place, subject.instance.id)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short folder of the test's own: pytest's are too long for sockets."""
    made = Path(tempfile.mkdtemp(prefix="tg-"))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def new_home(folder: Path) -> Iterator[Home]:
    """A home that nobody has used yet."""
    home = Home(folder / "home")
    yield home
    place.forget(home)


@pytest.fixture
def new_place(new_home: Home) -> Place:
    """The place of a home of the test's own, with nothing in it."""
    return place.find(new_home)
