"""What `toygres doctor` looks at: home, metadata DB, keys, broker, platforms. Nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from toygres.config import Settings, variable
from toygres.domain.findings import Finding, fine, noted, unchecked, wrong
from toygres.errors import Misconfigured, Unavailable
from toygres.keyring import load_keys
from toygres.processes import outside, running
from toygres.processes.broker_answer import ask_broker
from toygres.processes.platform_checkup import examine_platforms
from toygres.secrets import Cipher
from toygres.store import directness, installation, schema, workers
from toygres.store.session import Store

_LONGEST = 500
_NAME_IT = f"See that it runs, and that {variable('database_url')} names it."
# What PgBouncer says to the options that each of our connections begins with.
_NOT_LET_THROUGH = "unsupported startup parameter"
_POOLER = (
    f"A pooler is in between: let {variable('database_url')} name the server itself, or add `options` to PgBouncer's "
    "ignore_startup_parameters."
)
_ELSE_UP = "Start it with `toygres up`, or set {variable}."


def examine(settings: Settings, *, web: bool = False) -> Iterator[Finding]:
    """One finding after the other, as soon as it is known; `web` looks at the rights of the web process alone."""
    yield _home(settings)
    known: dict[str, str] = {}
    yield from _metadata(settings, known)
    yield _broker(settings)
    yield from examine_platforms(settings, known, web=web)


def _home(settings: Settings) -> Finding:
    home, about = settings.home_folder, "home"
    if not home.path.is_dir():
        return noted(about, f"There is no {home.path} yet; `toygres up` makes it.")
    found = running.find(home)
    if found is None:
        return fine(about, f"{home.path} is there; no `toygres up` runs from it.")
    if found.lives:
        return fine(about, f"`toygres up` (process {found.pid}) runs from {home.path}, at {found.url}.")
    told = f"The `toygres up` that ran from {home.path} was killed; what it left behind still names its addresses."
    return wrong(about, told, "Run `toygres up`, which tidies up after it.")


def _metadata(settings: Settings, known: dict[str, str]) -> Iterator[Finding]:
    """The metadata DB, and what only it can tell; the platforms' identities go into `known`."""
    about, url = "metadata DB", settings.database_url
    if url is None:
        yield unchecked(about, "It doesn't run.", _ELSE_UP.format(variable=variable("database_url")))
        return
    try:
        store = Store(url.get_secret_value(), connections=1)
    except Misconfigured as unreadable:
        yield wrong(about, unreadable.message, unreadable.remedy or "Correct it.")
        return
    with closing(store):
        try:
            yield (found := _schema(store, outside.without_secrets(url.get_secret_value())))
            yield _sessions(store)
            if not found.remedy:
                yield from _inside(settings, store, known)
        except Unavailable as away:
            why = _why(away)
            yield wrong(about, why, _POOLER if _NOT_LET_THROUGH in why else _NAME_IT)


def _schema(store: Store, where: str) -> Finding:
    """Whether it answers, and with a schema that this code can use; only what it can't has a remedy."""
    about = "metadata DB"
    with store.transaction() as connection:
        server = connection.execute("SHOW server_version").fetchone()
        found = schema.version_of(connection)
    told = f"PostgreSQL {server[0] if server else '?'} answers at {where}"
    newest, *older = schema.known()
    if found is None or found in older:
        have = f"its schema is at {found}" if found else "it has no schema yet"
        return wrong(about, f"{told}; {have}, and this Toygres needs {newest}.", "Run `toygres migrate`.")
    if found != newest:
        return noted(about, f"{told}; its schema is at {found}, newer than this Toygres, which can use it.")
    return fine(about, f"{told}; its schema is at {found}, as this Toygres needs.")


def _sessions(store: Store) -> Finding:
    """What a pooler would take away."""
    found, about = directness.try_out(store), "sessions"
    if found.locks and found.listens:
        way = "through a pooler that keeps sessions apart" if found.pooled else "directly"
        return fine(about, f"The metadata DB is reached {way}: session locks hold, and LISTEN hears.")
    lost = [
        *([] if found.locks else ["session locks don't hold, so a worker's death is told by its row alone, after 5 s"]),
        *([] if found.listens else ["LISTEN hears nothing, so changes are seen up to 2 s later"]),
    ]
    return noted(
        about,
        f"The metadata DB is reached through a pooler: {'; '.join(lost)}.",
        f"It works; for more speed let {variable('database_url')} name the server itself.",
    )


def _inside(settings: Settings, store: Store, known: dict[str, str]) -> Iterator[Finding]:
    yield _keys(settings, store)
    crew = workers.living(store)
    if crew.workers:
        hung = f", {crew.hung} of them hung" if crew.hung else ""
        yield fine("workers", f"{crew.workers} of them live, with {crew.slots} slots{hung}.")
    else:
        yield noted("workers", "None lives, so nothing that is ordered is carried out.", "Start one, or `toygres up`.")
    for name in settings.platforms or ("local", settings.platform):
        if identity := installation.platform_identity(store, name):
            known[name] = identity


def _keys(settings: Settings, store: Store) -> Finding:
    about, named = "keys", variable("secret_keys")
    where = named if settings.secret_keys is not None else settings.home_folder.secret_keys
    try:
        cipher, count = Cipher.of(settings), len(load_keys(settings))
    except Misconfigured as missing:
        return wrong(about, missing.message, missing.remedy)
    except OSError as unreadable:
        return wrong(about, f"{where} can't be read: {unreadable.strerror}.", "Run this as its owner.")
    told = f"{'One key' if count == 1 else f'{count} keys'} in {where}"
    if installation.key_check(store) is None:
        return fine(about, f"{told}; nothing was encrypted yet.")
    if cipher.reads_check(store):
        return fine(about, f"{told}: what the metadata DB holds can be read.")
    return wrong(about, f"{told}: none of them is the metadata DB's.", f"Set {named} to the installation's keys.")


def _broker(settings: Settings) -> Finding:
    about, url = "broker", settings.redis_url
    if url is None:
        return unchecked(about, "It doesn't run.", _ELSE_UP.format(variable=variable("redis_url")))
    where = outside.without_secrets(url.get_secret_value())
    try:
        ask_broker(url.get_secret_value(), settings.redis_prefix)
    except Unavailable as away:
        return wrong(about, f"{away.message.removesuffix('.')}: {where}.", away.remedy)
    return fine(about, f"It answers at {where}, and writes.")


def _why(away: Unavailable) -> str:
    """What the driver said, which holds no password; our own words where it said nothing."""
    said = " ".join(str(away.__cause__ or "").split()).rstrip(".")
    return f"{away.message.removesuffix('.')}: {said[:_LONGEST]}." if said else away.message
