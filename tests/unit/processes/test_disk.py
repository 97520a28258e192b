"""What a disk refuses, told so that a person can mend it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from toygres.errors import Misconfigured, Unavailable
from toygres.home import Home
from toygres.processes.disk import blamed, trouble

HOME = Home(Path("/home/of/toygres"))


def refusal(number: int, file: str = "/home/of/toygres/token") -> OSError:
    return OSError(number, os.strerror(number), file)


@pytest.mark.parametrize(
    ("number", "kind", "told"),
    [
        (errno.ENOSPC, Unavailable, "is full"),
        (errno.EDQUOT, Unavailable, "is full"),
        (errno.EROFS, Misconfigured, "its disk is read-only"),
        (errno.EACCES, Misconfigured, "can't be written: Permission denied"),
    ],
)
def test_each_refusal_has_its_sentence_and_its_remedy(number: int, kind: type[Exception], told: str) -> None:
    found = trouble(HOME, refusal(number))
    assert isinstance(found, kind)
    assert told in found.message
    assert found.remedy


def test_what_no_disk_says_stays_an_error_of_ours() -> None:
    assert trouble(HOME, refusal(errno.EACCES, "/etc/shadow")) is None
    assert trouble(HOME, refusal(errno.EBADF)) is None


def test_a_failure_that_has_nothing_to_do_with_the_disk_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="the real reason"), blamed(Home(tmp_path), Misconfigured):
        raise Misconfigured("the real reason")
