-- What a worker tells of itself with each beat, so that others can see what is wrong with it.
ALTER TABLE toygres.workers
    ADD COLUMN slots integer NOT NULL DEFAULT 0,
    ADD COLUMN busy integer NOT NULL DEFAULT 0,
    -- Slots whose step didn't return within its limit.
    ADD COLUMN hung integer NOT NULL DEFAULT 0,
    ADD COLUMN took_at timestamptz NOT NULL DEFAULT toygres.toygres_now(),
    -- When it last lost its session or missed its own beats: it judges nobody for some seconds after that.
    ADD COLUMN unsteady_at timestamptz;

-- Who leads in what only one may do: the lead ends with its worker's row, however that was seen to die.
CREATE TABLE toygres.leaders (
    matter text PRIMARY KEY,
    worker integer NOT NULL,
    since timestamptz NOT NULL DEFAULT toygres.toygres_now()
);

-- What is only counted: it changes nothing, and tells an operator something.
CREATE TABLE toygres.counters (
    name text PRIMARY KEY,
    value bigint NOT NULL,
    last_at timestamptz NOT NULL DEFAULT toygres.toygres_now()
);

-- When every session was last lost at once: the DB was started, or recovered from a crash, which starts the
-- checkpointer anew; a role that may not see that one sees the start only. Tests may replace the function.
CREATE FUNCTION toygres.database_began_at() RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT greatest(pg_postmaster_start_time(),
                    (SELECT max(backend_start) FROM pg_stat_activity WHERE backend_type = 'checkpointer'))
$$;
