"""Instances: what was asked for, how it stands, and who holds a name or a port."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from types import MappingProxyType
from uuid import UUID

from psycopg import IntegrityError

from toygres.domain import ids
from toygres.domain.instance import Availability, Endpoint, Instance, InstanceSpec, InstanceState, ServiceType
from toygres.domain.names import is_name
from toygres.domain.records import Page
from toygres.errors import Cause, Conflict, NotFound
from toygres.store.session import Connection, Row, Store

# Every query that joins other tables names the instances' one `i`.
COLUMNS = """
    i.id AS instance_id, i.project AS instance_project, i.name AS instance_name, i.platform, i.spec, i.generation,
    i.observed_generation, i.state AS instance_state, i.port, i.endpoint, i.available, i.available_since,
    i.available_cause, i.login_seconds, i.created_at AS instance_created_at, i.updated_at AS instance_updated_at,
    (SELECT id FROM toygres.operations WHERE instance_id = i.id AND ended_at IS NULL) AS open_operation_id
"""

# A name means the instance that holds it; when none does, the last one that failed, so that one sees why.
_BY_NAME = f"""
SELECT {COLUMNS} FROM toygres.instances i
WHERE i.project = %(project)s AND i.name = %(name)s AND (i.state <> 'deleted' OR %(even_deleted)s)
ORDER BY i.released_at IS NULL DESC, i.id DESC LIMIT 1
"""
_BY_ID = f"SELECT {COLUMNS} FROM toygres.instances i WHERE i.id = %(id)s"
_BY_ID_IN_PROJECT = f"{_BY_ID} AND i.project = %(project)s"
# Not the row's own lock: steps lock an operation's row before its instance's, requests would the other way round.
_SERIALISE = "SELECT pg_advisory_xact_lock(7400003, hashtext(CAST(%(id)s AS text)))"
_READY_AND_IDLE = f"""
SELECT {COLUMNS} FROM toygres.instances i
WHERE i.state = 'ready' AND NOT EXISTS (
    SELECT FROM toygres.operations o WHERE o.instance_id = i.id AND o.ended_at IS NULL)
"""
_DUE = """
UPDATE toygres.instances SET checked_at = toygres.toygres_now() WHERE id = ANY(ARRAY(
    SELECT i.id FROM toygres.instances i
    WHERE i.state = 'ready' AND i.platform = ANY(%(platforms)s)
      -- A time ahead of now is a clock that stepped back.
      AND (i.checked_at IS NULL OR i.checked_at > toygres.toygres_now() + interval '5 seconds'
           OR i.checked_at < toygres.toygres_now()
              - make_interval(secs => CASE WHEN i.available THEN %(every)s ELSE %(every_unavailable)s END))
      AND NOT EXISTS (SELECT FROM toygres.operations o WHERE o.instance_id = i.id AND o.ended_at IS NULL)
    ORDER BY i.checked_at NULLS FIRST LIMIT %(limit)s FOR UPDATE SKIP LOCKED))
RETURNING id
"""
_WITH_SERVERS = f"""
SELECT {COLUMNS} FROM toygres.instances i
WHERE i.platform = %(platform)s AND i.state IN ('creating', 'ready') ORDER BY i.id
"""
# Of a name that is given back nothing is left, unless something goes on with it again.
_LEFT_ELSEWHERE = f"""
SELECT {COLUMNS} FROM toygres.instances i
WHERE i.platform <> 'local' AND (i.released_at IS NULL OR EXISTS (
    SELECT FROM toygres.operations o WHERE o.instance_id = i.id AND o.ended_at IS NULL))
ORDER BY i.platform, i.id
"""
_PAGE = f"""
SELECT {COLUMNS} FROM toygres.instances i
WHERE i.project = %(project)s AND (CAST(%(state)s AS text) IS NULL AND i.state <> 'deleted' OR i.state = %(state)s)
  AND (CAST(%(before)s AS uuid) IS NULL OR i.id < %(before)s)
ORDER BY i.id DESC LIMIT %(limit)s
"""
_INSERT = """
INSERT INTO toygres.instances (id, project, name, platform, spec, port)
VALUES (%(id)s, %(project)s, %(name)s, %(platform)s, CAST(%(spec)s AS jsonb), %(port)s)
"""
_TAKE_UP_AGAIN = """
UPDATE toygres.instances SET state = 'requested', released_at = NULL, port = NULL, endpoint = NULL, checked_at = NULL,
    available = false, available_since = NULL, available_cause = NULL, login_seconds = NULL,
    updated_at = toygres.toygres_now()
WHERE id = %(id)s AND state IN ('failed', 'deleted') AND released_at IS NOT NULL
"""
_ENDPOINT = """
UPDATE toygres.instances i SET endpoint = CAST(%(endpoint)s AS jsonb), updated_at = toygres.toygres_now()
FROM toygres.operations o
WHERE i.id = %(id)s AND o.id = %(operation)s AND o.fence = %(fence)s AND o.owner IS NOT NULL AND o.ended_at IS NULL
"""
_AVAILABLE = """
WITH changed AS (
    UPDATE toygres.instances i SET available = %(value)s, available_cause = CAST(%(cause)s AS jsonb),
        available_since = CASE WHEN i.available <> %(value)s THEN toygres.toygres_now() ELSE i.available_since END,
        updated_at = toygres.toygres_now()
    WHERE i.id = %(id)s AND i.state = 'ready' AND (i.available <> %(value)s OR %(new_cause)s)
      AND NOT EXISTS (SELECT FROM toygres.operations o WHERE o.instance_id = i.id AND o.ended_at IS NULL)
    RETURNING i.*
)
INSERT INTO toygres.events (project, instance_id, actor, kind, data)
SELECT project, id, 'observer', 'availability', jsonb_build_object('value', available, 'cause', available_cause)
FROM changed
"""


def from_row(row: Row) -> Instance:
    """The instance in a row that has COLUMNS."""
    spec = dict(row.spec)
    spec["parameters"] = MappingProxyType(dict(spec["parameters"]))
    # An older version stored none of these.
    spec["service_type"] = ServiceType(spec.get("service_type", ServiceType.CLUSTER_IP))
    for several in ("allowed_cidrs", "allowed_namespaces"):
        spec[several] = tuple(spec.get(several, ()))
    return Instance(
        id=row.instance_id,
        project=row.instance_project,
        name=row.instance_name,
        platform=row.platform,
        spec=InstanceSpec(**spec),
        generation=row.generation,
        observed_generation=row.observed_generation,
        state=InstanceState(row.instance_state),
        port=row.port,
        endpoint=Endpoint(**row.endpoint) if row.endpoint else None,
        available=Availability(
            value=row.available,
            since=row.available_since,
            cause=Cause.from_json(row.available_cause) if row.available_cause else None,
        ),
        operation_id=row.open_operation_id,
        created_at=row.instance_created_at,
        updated_at=row.instance_updated_at,
        login_seconds=row.login_seconds,
    )


def get(store: Store, project: str, ref: str, *, even_deleted: bool = False) -> Instance:
    """The instance with this name or ID; by name a deleted one only when `even_deleted`. Raises NotFound."""
    identity = ids.parse(ids.INSTANCE, ref)
    if identity is not None:
        row = store.one(_BY_ID_IN_PROJECT, project=project, id=identity)
    else:
        row = store.one(_BY_NAME, project=project, name=ref, even_deleted=even_deleted) if is_name(ref) else None
    if row is None:
        raise NotFound(f"There is no instance {ref!r}.", "`toygres list` shows those that exist.")
    return from_row(row)


def one_request_at_a_time(connection: Connection, instance_id: UUID) -> None:
    """Until this transaction ends, no other request about the instance goes on."""
    connection.execute(_SERIALISE, {"id": instance_id})


def reread(connection: Connection, found: Instance) -> Instance:
    """The same instance as it is now."""
    return from_row(connection.execute(_BY_ID, {"id": found.id}).fetchone())


def begin(connection: Connection, instance_id: UUID, state: InstanceState, cause: Cause) -> None:
    """What an operation makes of its instance while it runs; it can't be counted on as available."""
    connection.execute(
        """UPDATE toygres.instances SET state = %(state)s, available = false, updated_at = toygres.toygres_now(),
               available_since = toygres.toygres_now(), available_cause = CAST(%(cause)s AS jsonb)
           WHERE id = %(id)s""",
        {"id": instance_id, "state": state.value, "cause": json.dumps(cause.to_json())},
    )


def find(store: Store, instance_id: UUID) -> Instance | None:
    """The instance with this ID, of whichever project, deleted ones included."""
    row = store.one(_BY_ID, id=instance_id)
    return from_row(row) if row else None


def with_servers(store: Store, platform: str) -> list[Instance]:
    """The instances of a platform, of whichever project, whose server runs or is being made; the oldest first."""
    return [from_row(row) for row in store.all(_WITH_SERVERS, platform=platform)]


def left_elsewhere(store: Store) -> list[Instance]:
    """The instances, of whichever project, that have something on other platforms than this machine; by platform."""
    return [from_row(row) for row in store.all(_LEFT_ELSEWHERE)]


def list_page(store: Store, project: str, limit: int, cursor: str | None, state: str | None = None) -> Page[Instance]:
    """The newest instances first; deleted ones only when asked for by `state`. Raises Invalid for a bad cursor."""
    before = ids.parse_cursor(ids.INSTANCE, cursor)
    rows = store.all(_PAGE, project=project, state=state, before=before, limit=limit + 1)
    items = tuple(from_row(row) for row in rows[:limit])
    more = ids.shown(ids.INSTANCE, items[-1].id) if len(rows) > limit else None
    return Page(items=items, next_cursor=more)


def insert(
    connection: Connection, instance_id: UUID, project: str, name: str, platform: str, spec: InstanceSpec
) -> None:
    """Add the instance, without a port. Raises Conflict when the name is held."""
    with _holding_name(connection, project, name):
        connection.execute(
            _INSERT,
            {
                "id": instance_id,
                "project": project,
                "name": name,
                "platform": platform,
                "port": None,
                "spec": json.dumps(stored_spec(spec)),
            },
        )


def take_up_again(connection: Connection, found: Instance) -> None:
    """Make an instance whose create left nothing behind one that is requested anew, without a port.

    Raises Conflict when another has its name by now, or when it isn't such an instance.
    """
    with _holding_name(connection, found.project, found.name):
        taken = connection.execute(_TAKE_UP_AGAIN, {"id": found.id}).rowcount
    if not taken:
        raise Conflict(
            f"{found.name} is {found.state.value}: it can't be created again.",
            "Only one whose create failed or was cancelled can.",
            instance_id=ids.shown(ids.INSTANCE, found.id),
        )


@contextmanager
def _holding_name(connection: Connection, project: str, name: str) -> Iterator[None]:
    """Do what gives an instance its name. Raises Conflict when another has it, or takes it at the same time."""
    holder = connection.execute(
        "SELECT id FROM toygres.instances WHERE project = %(project)s AND name = %(name)s AND released_at IS NULL",
        {"project": project, "name": name},
    ).fetchone()
    if holder is not None:
        raise _name_held(name, holder.id)
    try:
        with connection.transaction():
            yield
    except IntegrityError as held:
        raise _name_held(name, None) from held


def take_port(
    connection: Connection, instance_id: UUID, platform: str, ports: Sequence[int], in_use: Callable[[int], bool]
) -> int | None:
    """Give the instance the first of `ports` that no other holds, for life; None when all are held.

    A stranger that listens on a port (`in_use`) may be gone soon: such ports come last.
    """
    # One request at a time chooses, so that two never meet at the constraint that stands behind this.
    connection.execute("SELECT pg_advisory_xact_lock(7400002, hashtext(%(platform)s))", {"platform": platform})
    rows = connection.execute(
        "SELECT port FROM toygres.instances WHERE platform = %(platform)s AND released_at IS NULL AND port > 0",
        {"platform": platform},
    )
    held = {row.port for row in rows}
    left = [port for port in ports if port not in held]
    port = next((port for port in left if not in_use(port)), left[0] if left else None)
    if port is not None:
        connection.execute(
            "UPDATE toygres.instances SET port = %(port)s WHERE id = %(id)s", {"port": port, "id": instance_id}
        )
    return port


def set_endpoint(store: Store, instance_id: UUID, fence: int, operation_id: UUID, endpoint: Endpoint) -> bool:
    """Record where clients connect; False when the claim behind `fence` was lost."""
    values = {"id": instance_id, "fence": fence, "operation": operation_id, "endpoint": json.dumps(asdict(endpoint))}
    return store.run(_ENDPOINT, **values) > 0


def take_due_for_check(
    store: Store, platforms: Collection[str], every: float, every_unavailable: float, limit: int = 20
) -> list[UUID]:
    """Ready instances on these platforms that nobody has logged in to for so many seconds, each for one caller."""
    values = {"every": every, "every_unavailable": every_unavailable, "limit": limit}
    rows = store.all(_DUE, platforms=list(platforms), **values)
    return [row.id for row in rows]


def ready_and_idle(store: Store) -> list[Instance]:
    """Every ready instance with nothing going on, of whichever project."""
    return [from_row(row) for row in store.all(_READY_AND_IDLE)]


def look_soon(store: Store, instance_id: UUID) -> None:
    """Have the next round of checks begin with this instance."""
    store.run("UPDATE toygres.instances SET checked_at = NULL WHERE id = %(id)s AND state = 'ready'", id=instance_id)


def set_available(
    store: Store, instance_id: UUID, value: bool, cause: Cause | None, *, new_cause: bool = False
) -> bool:
    """Record what the observer saw of a ready instance with nothing going on; True when it changed.

    While it stays as unavailable as it was, its cause stays too, unless it is to be told with a `new_cause`.
    """
    stored = json.dumps(cause.to_json()) if cause else None
    return store.run(_AVAILABLE, id=instance_id, value=value, cause=stored, new_cause=new_cause) > 0


def busy_on(store: Store, platform: str) -> list[UUID]:
    """The platform's instances with which something is going on."""
    rows = store.all(
        """SELECT o.instance_id FROM toygres.operations o JOIN toygres.instances i ON i.id = o.instance_id
           WHERE o.ended_at IS NULL AND i.platform = %(platform)s""",
        platform=platform,
    )
    return [row.instance_id for row in rows]


def highest_fence(store: Store, instance_id: UUID) -> int | None:
    """The highest fence that any step of the instance was given; None when there is no such instance."""
    row = store.one("SELECT max(fence) AS fence FROM toygres.operations WHERE instance_id = %(id)s", id=instance_id)
    return row.fence if row else None


def is_over(store: Store, instance_id: UUID) -> bool:
    """Whether nothing is left of the instance, nor going on with it: its name and port are free again."""
    row = store.one(
        """SELECT i.released_at IS NOT NULL AND NOT EXISTS (
                      SELECT FROM toygres.operations o WHERE o.instance_id = i.id AND o.ended_at IS NULL) AS over
           FROM toygres.instances i WHERE i.id = %(id)s""",
        id=instance_id,
    )
    return row is not None and row.over


def stored_spec(spec: InstanceSpec) -> dict[str, object]:
    """The spec in the form in which it is stored.

    What older versions don't know is stored only where it was chosen: they read what newer ones wrote.
    """
    chosen = {
        "storage_class": spec.storage_class,
        "service_type": spec.service_type.value if spec.service_type is not ServiceType.CLUSTER_IP else None,
        "allowed_cidrs": list(spec.allowed_cidrs),
        "allowed_namespaces": list(spec.allowed_namespaces),
    }
    return {
        "version": spec.version,
        "storage_bytes": spec.storage_bytes,
        "cpu_millicores": spec.cpu_millicores,
        "memory_bytes": spec.memory_bytes,
        "parameters": dict(spec.parameters),
        "user": spec.user,
        "database": spec.database,
        **{name: value for name, value in chosen.items() if value},
    }


def _name_held(name: str, holder: UUID | None) -> Conflict:
    return Conflict(
        f"The name {name!r} is taken.",
        "Choose another name, or delete the instance that has it.",
        instance_id=ids.shown(ids.INSTANCE, holder) if holder else None,
    )
