-- Only this decides what time it is; tests shift it by one row.
CREATE TABLE toygres.clock (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    shift interval NOT NULL DEFAULT '0'
);
INSERT INTO toygres.clock DEFAULT VALUES;

-- STABLE, so that a condition on it can use an index; a volatile function can't.
CREATE FUNCTION toygres.toygres_now() RETURNS timestamptz LANGUAGE sql STABLE AS
    'SELECT clock_timestamp() + shift FROM toygres.clock';

CREATE FUNCTION toygres.new_id() RETURNS uuid LANGUAGE sql VOLATILE AS $$
    -- A UUIDv7 (RFC 9562): 48 bits of milliseconds, then random bits with the version in bits 48 to 51.
    SELECT encode(
        set_bit(set_bit(overlay(
            uuid_send(gen_random_uuid())
            PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
            FROM 1 FOR 6
        ), 52, 1), 53, 1), 'hex')::uuid
$$;

CREATE TABLE toygres.installation (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    id uuid NOT NULL DEFAULT toygres.new_id(),
    -- A known text under the newest secret key: a process that can't read it has other keys.
    key_check bytea,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO toygres.installation DEFAULT VALUES;

CREATE TABLE toygres.projects (
    name text PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO toygres.projects (name) VALUES ('default');

CREATE TABLE toygres.platforms (
    name text PRIMARY KEY,
    kind text NOT NULL,
    identity text NOT NULL,
    first_used_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE toygres.instances (
    id uuid PRIMARY KEY,
    project text NOT NULL REFERENCES toygres.projects,
    name text NOT NULL CHECK (name ~ '^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$'),
    platform text NOT NULL REFERENCES toygres.platforms,
    spec jsonb NOT NULL,
    generation integer NOT NULL DEFAULT 1,
    observed_generation integer NOT NULL DEFAULT 0,
    state text NOT NULL DEFAULT 'requested'
        CHECK (state IN ('requested', 'creating', 'ready', 'stopped', 'deleting', 'deleted', 'failed')),
    port integer CHECK (port BETWEEN 1 AND 65535),
    endpoint jsonb,
    available boolean NOT NULL DEFAULT false,
    available_since timestamptz,
    available_cause jsonb,
    -- When a client last tried to log in; null once an operation ended, so that one does soon.
    checked_at timestamptz,
    -- When its name and port became free: deleted, or failed with nothing left behind.
    released_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT toygres.toygres_now(),
    updated_at timestamptz NOT NULL DEFAULT toygres.toygres_now(),
    CHECK (state <> 'deleted' OR released_at IS NOT NULL),
    CHECK (released_at IS NULL OR state IN ('deleted', 'failed', 'deleting'))
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX instances_held_name ON toygres.instances (project, name) WHERE released_at IS NULL;
CREATE UNIQUE INDEX instances_held_port ON toygres.instances (platform, port) WHERE released_at IS NULL;
CREATE INDEX instances_listed ON toygres.instances (project, id DESC) WHERE state <> 'deleted';
CREATE INDEX instances_to_check ON toygres.instances (checked_at NULLS FIRST) WHERE state = 'ready';
CREATE INDEX instances_name ON toygres.instances (project, name, id DESC);

CREATE TABLE toygres.operations (
    id uuid PRIMARY KEY,
    project text NOT NULL REFERENCES toygres.projects,
    instance_id uuid NOT NULL REFERENCES toygres.instances,
    kind text NOT NULL,
    state text NOT NULL DEFAULT 'queued' CHECK (state IN
        ('queued', 'running', 'waiting', 'undoing', 'succeeded', 'failed', 'cancelled', 'superseded')),
    -- What it is heading for: turned round, it heads for failed or cancelled.
    outcome text NOT NULL DEFAULT 'succeeded' CHECK (outcome IN ('succeeded', 'failed', 'cancelled')),
    gives text NOT NULL,
    gives_failed text NOT NULL,
    gives_cancelled text NOT NULL,
    persistent boolean NOT NULL DEFAULT false,
    -- The position of the step whose turn it is, and how many there are, undos included.
    cursor integer NOT NULL DEFAULT 0,
    nsteps integer NOT NULL,
    max_attempts integer NOT NULL,
    -- Grows with each claim and with each operation of the instance: the newest writer has the highest.
    fence bigint NOT NULL,
    owner integer,
    claimed_at timestamptz,
    lease_until timestamptz,
    -- When somebody should look at it, if nothing else happens. Null once it has ended: the planner's statistics
    -- know the whole column, not the index's condition, and would take all that ever ended for due.
    due_at timestamptz,
    -- After a failed attempt: no claim before this, whoever delivers a message and whatever changes meanwhile.
    not_before timestamptz,
    wakes integer NOT NULL DEFAULT 0,
    unclaimed integer NOT NULL DEFAULT 0,
    cancel_requested_at timestamptz,
    deadline_at timestamptz,
    retry_of uuid REFERENCES toygres.operations,
    supersedes uuid REFERENCES toygres.operations,
    superseded_by uuid,
    actor text NOT NULL,
    request_id text NOT NULL,
    cause jsonb,
    leftovers jsonb NOT NULL DEFAULT '[]',
    revision bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT toygres.toygres_now(),
    started_at timestamptz,
    ended_at timestamptz,
    CHECK ((ended_at IS NOT NULL) = (state IN ('succeeded', 'failed', 'cancelled', 'superseded'))),
    CHECK ((ended_at IS NULL) = (due_at IS NOT NULL)),
    CHECK (ended_at IS NULL OR owner IS NULL),
    CHECK ((owner IS NULL) = (lease_until IS NULL)),
    CHECK (cursor BETWEEN 0 AND nsteps)
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX operations_one_open ON toygres.operations (instance_id) WHERE ended_at IS NULL;
CREATE INDEX operations_due ON toygres.operations (due_at) WHERE ended_at IS NULL;
CREATE INDEX operations_held ON toygres.operations (owner) WHERE owner IS NOT NULL;
CREATE INDEX operations_of_instance ON toygres.operations (instance_id, id DESC);
CREATE INDEX operations_listed ON toygres.operations (project, id DESC);

CREATE TABLE toygres.steps (
    operation_id uuid NOT NULL REFERENCES toygres.operations,
    position integer NOT NULL,
    name text NOT NULL,
    undo text,
    -- The position of the step that this one undoes.
    undoes integer,
    state text NOT NULL DEFAULT 'pending'
        CHECK (state IN ('pending', 'running', 'waiting', 'done', 'failed', 'skipped', 'undone')),
    attempts integer NOT NULL DEFAULT 0,
    looks integer NOT NULL DEFAULT 0,
    within_seconds double precision,
    limit_seconds double precision NOT NULL,
    turn_at timestamptz,
    first_claimed_at timestamptz,
    claimed_at timestamptz,
    worked interval NOT NULL DEFAULT '0',
    ended_at timestamptz,
    cause jsonb,
    PRIMARY KEY (operation_id, position),
    UNIQUE (operation_id, name)
) WITH (fillfactor = 70);

-- Passwords on their way to the platform, encrypted; gone once delivered or once the operation ended.
CREATE TABLE toygres.credentials (
    operation_id uuid PRIMARY KEY REFERENCES toygres.operations,
    ciphertext bytea NOT NULL
) WITH (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0);

CREATE TABLE toygres.events (
    -- Readers go by (xid, position) and stop at the oldest running transaction: nothing appears behind them.
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id uuid NOT NULL DEFAULT toygres.new_id(),
    at timestamptz NOT NULL DEFAULT toygres.toygres_now(),
    project text NOT NULL,
    instance_id uuid,
    operation_id uuid,
    step text,
    actor text NOT NULL,
    kind text NOT NULL,
    data jsonb NOT NULL DEFAULT '{}',
    schema_version integer NOT NULL DEFAULT 1
);
CREATE INDEX events_in_order ON toygres.events (xid, position);
CREATE INDEX events_of_instance ON toygres.events (instance_id, xid, position);

CREATE FUNCTION toygres.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'toygres.events only grows: % refused', TG_OP;
END $$;
CREATE TRIGGER events_only_grow BEFORE UPDATE OR DELETE OR TRUNCATE ON toygres.events
    FOR EACH STATEMENT EXECUTE FUNCTION toygres.refuse_change();

CREATE FUNCTION toygres.tell_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('toygres_events', coalesce(NEW.operation_id::text, ''));
    RETURN NULL;
END $$;
CREATE TRIGGER events_are_told AFTER INSERT ON toygres.events
    FOR EACH ROW EXECUTE FUNCTION toygres.tell_event();

CREATE TABLE toygres.workers (
    -- Also the key of the session lock that the worker holds for as long as it lives.
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    host text NOT NULL,
    pid integer NOT NULL,
    started_at timestamptz NOT NULL DEFAULT toygres.toygres_now(),
    seen_at timestamptz NOT NULL DEFAULT toygres.toygres_now()
);

CREATE TABLE toygres.signins (
    code_hash bytea PRIMARY KEY,
    expires_at timestamptz NOT NULL
);
