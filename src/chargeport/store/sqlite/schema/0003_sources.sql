-- The persistent state of sources, and their status: small texts, which only the source interprets.
CREATE TABLE remembered (
  owner TEXT NOT NULL,
  key   TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (owner, key)
) WITHOUT ROWID;

CREATE TABLE source_states (
  name       TEXT PRIMARY KEY,
  state      TEXT NOT NULL,  -- JSON
  written_at INTEGER NOT NULL
) WITHOUT ROWID;

-- The messages of the rows of `issues`, the newest of each kind: they are read again once a table is corrected.
CREATE TABLE issue_messages (
  id          INTEGER PRIMARY KEY,
  source      TEXT NOT NULL,
  vehicle     TEXT NOT NULL,
  subject     TEXT NOT NULL,
  detail      TEXT NOT NULL,
  raw         TEXT NOT NULL,
  received_at INTEGER NOT NULL
);
CREATE INDEX issue_messages_by_issue ON issue_messages (source, vehicle, subject, detail, id);
