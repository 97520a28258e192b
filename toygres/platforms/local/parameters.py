"""The server parameters that may be set: a literal list, with PostgreSQL's own bounds.

None of them runs commands, loads libraries, or names files, sockets, ports or authentication.
"""

from __future__ import annotations

from toygres.platforms.protocol import Parameter

_INT_MAX = "2147483647"
_REAL_MAX = "1.79769e+308"


def _integer(name: str, unit: str, least: int, most: str, description: str, *, restart: bool = False) -> Parameter:
    return Parameter(
        name=name,
        type="integer",
        unit=unit,
        minimum=str(least),
        maximum=most,
        restart=restart,
        description=description,
    )


def _other(name: str, kind: str, description: str, *, most: str = "", choices: tuple[str, ...] = ()) -> Parameter:
    return Parameter(
        name=name,
        type=kind,
        unit="",
        minimum="0" if most else "",
        maximum=most,
        restart=False,
        description=description,
        choices=choices,
    )


_ALL = (
    _integer("shared_buffers", "8kB", 16, "1073741823", "Memory for the server's shared page cache.", restart=True),
    _integer("max_connections", "", 1, "262143", "How many clients may be connected at once.", restart=True),
    _integer("work_mem", "kB", 64, _INT_MAX, "Memory for each sort or hash of a query."),
    _integer("maintenance_work_mem", "kB", 1024, _INT_MAX, "Memory for VACUUM, CREATE INDEX and the like."),
    _integer("temp_buffers", "8kB", 100, "1073741823", "Memory for a session's temporary tables."),
    _integer("effective_cache_size", "8kB", 1, _INT_MAX, "How much cache the planner assumes, the system's included."),
    _integer("max_wal_size", "MB", 32, _INT_MAX, "How much WAL may be written before a checkpoint begins."),
    _integer("checkpoint_timeout", "s", 30, "86400", "The longest time between checkpoints."),
    _integer("default_statistics_target", "", 1, "10000", "How finely ANALYZE samples each column."),
    _integer("effective_io_concurrency", "", 0, "1000", "How many reads are asked of the disk at once."),
    _integer("max_parallel_workers_per_gather", "", 0, "1024", "How many processes may help with one query."),
    _integer("statement_timeout", "ms", 0, _INT_MAX, "The longest that a statement may run; 0 for ever."),
    _integer("lock_timeout", "ms", 0, _INT_MAX, "The longest that a statement may wait for a lock; 0 for ever."),
    _integer("deadlock_timeout", "ms", 1, _INT_MAX, "How long a lock is waited for before a deadlock is looked for."),
    _integer(
        "idle_in_transaction_session_timeout", "ms", 0, _INT_MAX, "The longest idle time in a transaction; 0 for ever."
    ),
    _integer("idle_session_timeout", "ms", 0, _INT_MAX, "The longest idle time outside a transaction; 0 for ever."),
    _integer(
        "log_min_duration_statement", "ms", -1, _INT_MAX, "From what duration on statements are logged; -1: none."
    ),
    _other("random_page_cost", "real", "What the planner reckons for a page read out of order.", most=_REAL_MAX),
    _other("seq_page_cost", "real", "What the planner reckons for a page read in order.", most=_REAL_MAX),
    _other("autovacuum", "bool", "Whether tables are vacuumed and analysed by themselves."),
    _other("autovacuum_vacuum_scale_factor", "real", "Which share of a table's rows must be dead.", most="100"),
    _other("track_io_timing", "bool", "Whether the time that reads and writes take is measured."),
    _other(
        "default_transaction_isolation",
        "enum",
        "The isolation of transactions that name none.",
        choices=("serializable", "repeatable read", "read committed", "read uncommitted"),
    ),
    _other("timezone", "string", "The time zone in which sessions begin, such as UTC or Europe/Zurich."),
)

PARAMETERS = {parameter.name: parameter for parameter in _ALL}
