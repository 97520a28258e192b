"""Where less is offered than PostgreSQL's description allows, since a server would not start or not do its job."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limit:
    """What narrows a parameter: bounds in its own unit, values beside them, choices left out; and why."""

    least: int | None = None
    most: int | None = None
    also: tuple[str, ...] = ()
    multiple_of: int | None = None
    without: tuple[str, ...] = ()
    note: str


_PROCESSES = "PostgreSQL runs 262143 processes at most, of all kinds together."
_AT_START = "The server takes the memory for all of them when it starts."
_SEGMENTS = "It must hold two WAL segments, of 16 MB on most platforms."
_SLRU = Limit(multiple_of=16, note="PostgreSQL takes only multiples of 16 pages.")
_KERNEL = "Linux takes no more."

LIMITS = {
    "autovacuum_max_workers": Limit(most=10_000, note=_PROCESSES),
    "autovacuum_worker_slots": Limit(most=10_000, note=_PROCESSES),
    "commit_timestamp_buffers": _SLRU,
    "compute_query_id": Limit(without=("regress",), note="The value `regress` is for PostgreSQL's own tests."),
    "huge_pages": Limit(without=("on",), note="With `on` a server doesn't start where the machine has none."),
    "io_max_concurrency": Limit(least=1, also=("-1",), note="PostgreSQL doesn't take 0."),
    "io_method": Limit(without=("io_uring",), note="Many machines forbid io_uring, and a server doesn't start then."),
    "max_connections": Limit(
        least=10, most=200_000, note=f"3 are kept for superusers and 5 for the health checks. {_PROCESSES}"
    ),
    "max_locks_per_transaction": Limit(most=10_000, note=_AT_START),
    "max_pred_locks_per_transaction": Limit(most=10_000, note=_AT_START),
    "max_prepared_transactions": Limit(most=10_000, note=_AT_START),
    "max_wal_senders": Limit(most=10_000, note=_PROCESSES),
    "max_wal_size": Limit(least=32, note=_SEGMENTS),
    "max_worker_processes": Limit(most=10_000, note=_PROCESSES),
    "min_wal_size": Limit(least=32, note=_SEGMENTS),
    "multixact_member_buffers": _SLRU,
    "multixact_offset_buffers": _SLRU,
    "notify_buffers": _SLRU,
    "serializable_buffers": _SLRU,
    "subtransaction_buffers": _SLRU,
    "tcp_keepalives_count": Limit(most=127, note=_KERNEL),
    "tcp_keepalives_idle": Limit(most=32_767, note=_KERNEL),
    "tcp_keepalives_interval": Limit(most=32_767, note=_KERNEL),
    "tcp_user_timeout": Limit(least=1000, also=("0",), note="Less would end sessions of a network that is only slow."),
    "transaction_buffers": _SLRU,
    "vacuum_buffer_usage_limit": Limit(least=128, also=("0",), note="PostgreSQL takes 0, or 128 kB and more."),
    "wal_level": Limit(without=("minimal",), note="With `minimal` a server with WAL senders doesn't start."),
}
