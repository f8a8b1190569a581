-- The audit log: who did what, when and from where. Frequent actions have one row for each day, with a count.
CREATE TABLE audit (
  number  INTEGER PRIMARY KEY,
  act     TEXT NOT NULL,
  actor   TEXT NOT NULL,  -- client_…, user:NAME, shell:NAME or server
  address TEXT NOT NULL,
  subject TEXT NOT NULL,  -- the id or name of what it was done to; empty where that is erased
  detail  TEXT NOT NULL,
  count   INTEGER NOT NULL,
  at      INTEGER NOT NULL,
  last_at INTEGER NOT NULL
);
CREATE INDEX audit_by_time ON audit (last_at);
CREATE INDEX audit_by_actor ON audit (actor, act, at);

-- The person for whom the page got a token: actions with it are recorded as that person's.
ALTER TABLE tokens ADD COLUMN person TEXT;
