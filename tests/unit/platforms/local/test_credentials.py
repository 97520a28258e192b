"""The file with an instance's logins."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from making import Subject, make_credentials

from toygres.domain.instance import Credentials
from toygres.errors import Bug
from toygres.platforms.local import credentials
from toygres.platforms.local.layout import Layout


def test_only_its_owner_can_read_it_and_no_server_can_reach_it(layout: Layout, subject: Subject) -> None:
    credentials.apply(layout, 1, lambda: subject.credentials)
    found = layout.credentials.stat()
    assert (found.st_mode & 0o777, found.st_uid) == (0o600, os.geteuid())
    assert not layout.credentials.is_relative_to(layout.place.root)


def test_two_that_apply_at_once_keep_the_same(layout: Layout) -> None:
    def apply(number: int) -> Credentials | None:
        credentials.apply(layout, number, make_credentials)
        return credentials.read(layout)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(apply, [1] * 8))
    assert len({kept.user.password for kept in found if kept}) == 1


def test_what_a_killed_writer_left_is_named_and_removed(layout: Layout, subject: Subject) -> None:
    credentials.apply(layout, 1, lambda: subject.credentials)
    scratch = layout.credentials.with_name(f".{layout.credentials.name}.4711")
    scratch.write_text("half")
    assert f"file {scratch}" in subject.objects
    credentials.remove(layout, 1)
    assert not scratch.exists()
    assert subject.objects == []


def test_a_failure_to_choose_keeps_nothing(layout: Layout) -> None:
    with suppress(LookupError):
        credentials.apply(layout, 1, _fail)
    assert credentials.read(layout) is None


def test_they_are_not_removed_before_the_data(layout: Layout, subject: Subject) -> None:
    subject.store()
    with pytest.raises(Bug, match="still there"):
        credentials.remove(layout, 1)
    assert credentials.read(layout) is not None


def test_neither_password_is_in_a_repr(subject: Subject) -> None:
    shown = repr(subject.credentials) + repr(subject.credentials.user)
    assert subject.credentials.user.password not in shown


def _fail() -> Credentials:
    raise LookupError
