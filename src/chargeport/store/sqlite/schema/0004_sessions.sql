-- Charging sessions, derived from `history`, as JSON; edits by people are separate, so nothing is lost.
CREATE TABLE sessions (
  vehicle_key INTEGER NOT NULL,
  started_at  INTEGER NOT NULL,
  id          TEXT NOT NULL,
  is_open     INTEGER NOT NULL,
  document    TEXT NOT NULL,
  PRIMARY KEY (vehicle_key, started_at, id)
) WITHOUT ROWID;
CREATE INDEX sessions_open ON sessions (vehicle_key) WHERE is_open;

-- Sessions that a source reported by itself, each as reported last: a list leaves old ones out, and history is folded.
CREATE TABLE told_sessions (
  vehicle_key INTEGER NOT NULL,
  source      TEXT NOT NULL,
  name        TEXT NOT NULL,  -- the source's own id, or when it began
  told_at     INTEGER NOT NULL,
  started_at  INTEGER NOT NULL,
  document    TEXT NOT NULL,
  PRIMARY KEY (vehicle_key, source, name)
) WITHOUT ROWID;

-- An edit is never changed or deleted: reverting one is an edit, too.
CREATE TABLE session_edits (
  number      INTEGER PRIMARY KEY AUTOINCREMENT,
  vehicle_key INTEGER NOT NULL,
  made_at     INTEGER NOT NULL,
  document    TEXT NOT NULL
);
CREATE INDEX session_edits_by_vehicle ON session_edits (vehicle_key, number);
