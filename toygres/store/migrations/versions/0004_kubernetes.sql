-- Who signs the certificates of a project's servers; the key is encrypted as passwords on their way are.
CREATE TABLE toygres.authorities (
    project text PRIMARY KEY REFERENCES toygres.projects,
    certificate text NOT NULL,
    key_ciphertext bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT toygres.toygres_now()
);

ALTER TABLE toygres.steps
    -- What a step that is done tells of how it went.
    ADD COLUMN told text,
    -- While the platform didn't answer nobody could look: it takes nothing of the time that the step may wait.
    ADD COLUMN excused interval NOT NULL DEFAULT '0',
    ADD COLUMN away_since timestamptz,
    -- How often in a row it didn't answer.
    ADD COLUMN outages integer NOT NULL DEFAULT 0;
