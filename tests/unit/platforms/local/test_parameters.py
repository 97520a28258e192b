"""Every parameter of the lists, tried on real servers: they take what we take, and mean the same by it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from making import MakeSubject, Subject
from psycopg import sql

from toygres import postgres
from toygres.domain.instance import Way
from toygres.platforms.local.platform import LocalPlatform
from toygres.platforms.parameters import catalogue
from toygres.platforms.parameters.figures import read_integer, read_real, units
from toygres.platforms.parameters.texts import TEXTS, timezones
from toygres.platforms.parameters.values import check
from toygres.platforms.protocol import Parameter

Connection = psycopg.Connection[tuple[str, ...]]

# At the upper bound of any of these a server takes more memory than a machine may have.
HUNGRY = {
    "max_connections", "max_locks_per_transaction", "max_notify_queue_pages", "max_pred_locks_per_transaction",
    "max_prepared_transactions", "max_replication_slots", "min_dynamic_shared_memory", "shared_buffers", "temp_buffers",
    "wal_buffers", "max_worker_processes", "max_wal_senders", "autovacuum_max_workers", "autovacuum_worker_slots",
    "max_active_replication_origins", "max_logical_replication_workers", "track_activity_query_size",
    "commit_timestamp_buffers", "multixact_member_buffers", "multixact_offset_buffers", "notify_buffers",
    "serializable_buffers", "subtransaction_buffers", "transaction_buffers", "io_max_concurrency",
}  # fmt: skip
BUFFERS = ("commit_timestamp_buffers", "subtransaction_buffers", "transaction_buffers")
ALIASES = {("wal_compression", "on"): "pglz"}
TEXT_VALUES = {
    "datestyle": "sql, dmy",
    "default_text_search_config": "pg_catalog.german",
    "log_connections": "authorization",
    "log_timezone": "europe/zurich",
    "search_path": 'app, "$user"',
    "timezone": "Etc/GMT+12",
}


# What our sessions set for themselves: a server may have the tightest of each.
LIMITS = ("statement_timeout", "lock_timeout", "idle_session_timeout", "idle_in_transaction_session_timeout")


@pytest.fixture(params=["18", "15"])
def version(request: pytest.FixtureRequest, local: LocalPlatform) -> str:
    """Each version of which there is a server here."""
    if request.param not in local.versions:
        pytest.skip(f"PostgreSQL {request.param} isn't installed here (Debian's postgresql-{request.param})")
    return str(request.param)


def test_a_server_takes_every_parameter_at_its_default_and_reads_other_values_as_we_do(
    make_subject: MakeSubject, version: str
) -> None:
    asked = {name: known.default for name, known in catalogue.parameters(version).items()}
    subject = _started(make_subject, version, {**asked, "shared_buffers": "1MB"})
    with _connected(subject) as connection:
        _see_the_same_figures(connection, version)
        _see_the_same_texts(connection, version)


def test_a_server_takes_every_parameter_at_another_value_and_clients_can_still_work(
    make_subject: MakeSubject, version: str
) -> None:
    others = {name: _another(known) for name, known in catalogue.parameters(version).items()}
    subject = _started(make_subject, version, others | dict.fromkeys(LIMITS, "1"))
    # As the steps of a create and the health checks do it.
    assert subject.instance.endpoint is not None
    for login, probe in (
        (subject.credentials.user, postgres.test_connection),
        (subject.credentials.monitor, postgres.check_health),
    ):
        assert probe(Way(endpoint=subject.instance.endpoint), "postgres", login) is None


def test_every_text_has_a_value_here_that_it_takes() -> None:
    assert TEXT_VALUES.keys() == TEXTS.keys()


def _see_the_same_figures(connection: Connection, version: str) -> None:
    contexts = dict(connection.execute("SELECT lower(name), context FROM pg_settings").fetchall())
    # Not those that would end the session, nor those of which it shows what the system makes.
    tried = [
        known
        for name, known in sorted(catalogue.parameters(version).items())
        if known.type != "string" and contexts[name] in ("user", "superuser")
        if not (name.endswith("_timeout") or name.startswith("tcp_"))
    ]

    @settings(max_examples=200, deadline=None)
    @given(st.sampled_from(tried), st.data())
    def compare(known: Parameter, data: st.DataObject) -> None:
        value = data.draw(_spellings(known))
        taken = _set(connection, known.name, value)
        if check(known, value) is None:
            assert taken is not None, (known, value)
            _compare(known, value, taken)

    compare()


def _see_the_same_texts(connection: Connection, version: str) -> None:
    # One statement for all, since each would be refused with an error.
    connection.execute(
        "SELECT set_config('timezone', zone, false) FROM unnest(%s::text[]) AS zone", [list(timezones())]
    )
    for name in ("datestyle", "search_path"):
        known = catalogue.parameters(version)[name]
        values = {known.default, TEXT_VALUES[name], TEXT_VALUES[name].upper()}
        fit = [value for value in values if check(known, value) is None]
        assert fit
        assert [value for value in fit if _set(connection, name, value) is None] == []


def _started(make_subject: MakeSubject, version: str, asked: dict[str, str]) -> Subject:
    """A server that was asked for all of this, and has it."""
    known = catalogue.parameters(version)
    assert {name: check(known[name], value) for name, value in asked.items() if check(known[name], value)} == {}
    subject = make_subject(version=version, **asked)
    subject.bring_up()
    with _connected(subject) as connection:
        rows = connection.execute("SELECT lower(name), setting, source FROM pg_settings").fetchall()
    shown = {name: setting for name, setting, source in rows if source != "client"}
    assert asked.keys() - shown.keys() == set(LIMITS)
    for name in asked.keys() & shown.keys():
        _compare(known[name], asked[name], shown[name])
    return subject


def _compare(known: Parameter, written: str, shown: str) -> None:
    """See that the server shows what it was asked for as what we read in it."""
    told = (known.name, written, shown)
    if known.type == "integer":
        assert int(shown) == read_integer(written, known.unit) or _adjusted(known, written), told
    elif known.type == "real":
        assert float(shown) == pytest.approx(read_real(written, known.unit), rel=1e-5), told
    elif known.type == "bool":
        assert shown == ("on" if written.lower().startswith(("on", "t", "y", "1")) else "off"), told
    else:
        assert _plain(shown) in (_plain(written), ALIASES.get((known.name, _plain(written)))), told


def _plain(text: str) -> str:
    return text.lower().replace(", ", ",")


def _adjusted(known: Parameter, written: str) -> bool:
    """Whether it asks for the server's or the system's own choice, which is shown instead."""
    return known.name.startswith(("tcp_keepalives", "wal_buffers", "io_max_conc", *BUFFERS)) and written in ("-1", "0")


def _another(known: Parameter) -> str:
    """A legal value that isn't the default: at a bound where there is one."""
    if known.type == "string":
        return TEXT_VALUES[known.name]
    if known.type == "bool":
        return "F" if known.default == "on" else "yes"
    if known.type == "enum":
        return next(choice.upper() for choice in known.choices if choice != known.default)
    if known.name not in HUNGRY:
        return known.maximum if known.maximum != known.default else known.minimum
    return known.minimum if known.minimum != known.default else known.multiple_of or str(int(known.minimum) + 1)


def _spellings(known: Parameter) -> st.SearchStrategy[str]:
    if known.type == "bool":
        return st.sampled_from(["on", "OFF", "t", "fals", "y", "n", "1", "0", "o", " on", "onn", "tr", "2", ""])
    if known.type == "enum":
        return st.sampled_from([*known.choices, *(choice.upper() for choice in known.choices), "none", "", "on "])
    number = st.one_of(
        st.integers(-(2**33), 2**66).map(str),
        st.integers(0, 5000).map(str),
        st.integers(0, 2**40).map(hex),
        st.integers(0, 2**33).map(lambda value: f"0{value:o}"),
        st.decimals(-10, 10**7, places=3).map(str),
        st.from_regex(r"[-+]?[0-9]{0,4}\.?[0-9]{0,4}([eE][-+]?[0-9]{1,3})?", fullmatch=True),
        st.text("0123456789.eExX+- ", max_size=8),
    )
    unit = st.sampled_from(["", "", *units(known.unit), "kB", "ms", "KB", "x"])
    blank = st.sampled_from(["", "", " ", "  "])
    return st.tuples(blank, number, blank, unit, blank).map("".join)


@contextmanager
def _connected(subject: Subject) -> Iterator[Connection]:
    """A session that none of the limits ends."""
    with psycopg.connect(
        host="127.0.0.1",
        port=subject.instance.port,
        user=subject.credentials.user.user,
        password=subject.credentials.user.password,
        dbname="postgres",
        options=" ".join(f"-c {limit}=0" for limit in LIMITS),
        autocommit=True,
    ) as connection:
        yield connection


def _set(connection: Connection, name: str, value: str) -> str | None:
    """What the server makes of `value`, or None when it refuses it; nothing stays set."""
    try:
        with connection.transaction(force_rollback=True):
            connection.execute("SELECT set_config(%s, %s, true)", [name, value])
            asked = sql.SQL("SELECT setting FROM pg_settings WHERE lower(name) = %s")
            row = connection.execute(asked, [name]).fetchone()
    except psycopg.Error:
        return None
    return row[0] if row else None
