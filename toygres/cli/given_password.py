"""The password that POSTGRES_PASSWORD gives: taken out of the environment at once, used by what orders an instance.

`bin/toygres` hands it on by an open file, whose number is in TOYGRES_PASSWORD_FD. Where nobody did, this process has
it in its environment, which other processes can read for as long as it lives: it then begins anew, without.
"""

from __future__ import annotations

import os
import sys
import tempfile

from toygres.domain.passwords import RULE_FOR_PASSWORDS, is_password
from toygres.errors import FieldError, Invalid, Misconfigured

VARIABLE = "POSTGRES_PASSWORD"
DESCRIPTOR = "TOYGRES_PASSWORD_FD"

# More than any password that can be used, so that one which can't doesn't become one that can.
_MOST_BYTES = 4096

# A process is given one: whichever command needs it finds it here.
_GIVEN: list[str] = []


def take() -> None:
    """Take the password, if one is given, out of the environment and away from every child.

    Begins this process anew when the variable itself is there. Raises Misconfigured when the descriptor isn't one.
    """
    _GIVEN.clear()
    password = os.environ.pop(VARIABLE, "")
    if password:
        _begin_anew(password)
    number = os.environ.pop(DESCRIPTOR, "")
    if number:
        _GIVEN[:] = [text for text in [_read(number)] if text]


def given() -> str | None:
    """The password for the instance that this command orders, or None. Raises Invalid when it can't be used."""
    if _GIVEN and not is_password(_GIVEN[0]):
        raise Invalid([FieldError(field=VARIABLE, value=None, message="can't be used", allowed=RULE_FOR_PASSWORDS)])
    return _GIVEN[0] if _GIVEN else None


def _begin_anew(password: str) -> None:
    # Not a pipe, which would block once it is full; it has no name, and only we can read it.
    with tempfile.TemporaryFile() as file:
        file.write(os.fsencode(password))
        file.seek(0)
        os.set_inheritable(file.fileno(), True)
        os.environ[DESCRIPTOR] = str(file.fileno())
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606


def _read(number: str) -> str:
    """What the descriptor holds, without the line end that a here-document adds; closes it."""
    try:
        with os.fdopen(int(number), "rb") as file:
            found = file.read(_MOST_BYTES)
    except (OSError, TypeError, ValueError):
        raise Misconfigured(
            f"{DESCRIPTOR} isn't the number of an open file.", f"Unset it, or set {VARIABLE}."
        ) from None
    return found.removesuffix(b"\n").decode(errors="replace")
