ALTER TABLE toygres.workers
    -- When it last found its session lost: for some seconds after that it judges nobody by theirs.
    ADD COLUMN cut_at timestamptz;
