-- How long verify_login's login took: of the step that made it, and the newest one of the instance. Null where none did
-- yet, or only a version that doesn't measure.
ALTER TABLE toygres.steps ADD COLUMN login_seconds double precision;
ALTER TABLE toygres.instances ADD COLUMN login_seconds double precision;
