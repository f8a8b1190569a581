-- Vehicles and signals have integer keys: a row is smaller and the rows of one car's signals are on one page.
-- Keys are assigned from `sequences` and never reused, so no old row can refer to a new object.
CREATE TABLE sequences (
  name  TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO sequences VALUES ('vehicle', 0), ('position', 0);

CREATE TABLE vehicles (
  id         TEXT PRIMARY KEY,
  key        INTEGER NOT NULL UNIQUE,
  vin        TEXT,
  make       TEXT,
  model      TEXT,
  year       INTEGER,
  powertrain TEXT,
  mode       TEXT NOT NULL,
  aliases    TEXT NOT NULL,  -- JSON array
  created_at INTEGER NOT NULL
) WITHOUT ROWID;

-- Every name of a vehicle: its id, its VIN, its aliases.
CREATE TABLE vehicle_references (
  reference   TEXT PRIMARY KEY,
  vehicle_key INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX vehicle_references_by_vehicle ON vehicle_references (vehicle_key);

CREATE TABLE sources (
  key  INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
);

-- The newest value of each signal, and the newest absence. `slot` is vehicle key × 256 + signal key: one integer,
-- so that a vehicle's rows are adjacent in a tree whose inner pages hold keys only, however long a document is. `value` has no
-- type: a number, a text, or 0 and 1. `changed_at` is since when it is the same. (`run_at`, `position`) is its run in
-- history, `seen` the sightings not yet moved there.
CREATE TABLE latest (
  slot                INTEGER PRIMARY KEY,
  value,
  observed_at         INTEGER,
  changed_at          INTEGER,
  received_at         INTEGER,
  source_key          INTEGER,
  position            INTEGER NOT NULL,
  run_at              INTEGER NOT NULL,
  absence             TEXT,
  absence_at          INTEGER,
  absence_received_at INTEGER,
  absence_source_key  INTEGER,
  seen                BLOB,
  vehicle_key         INTEGER GENERATED ALWAYS AS (slot >> 8) VIRTUAL,
  signal_key          INTEGER GENERATED ALWAYS AS (slot & 255) VIRTUAL
);

-- Runs: from `observed_at` to `last_seen_at` (null: the same instant) the signal had this value, or none for the reason in
-- `absence`. `seen` has the instants between, as 32-bit offsets in milliseconds from the start, so that a late reading that falls
-- inside a run can split it exactly. `continues` marks a run that only continues the one before (its sightings were many).
CREATE TABLE history (
  vehicle_key  INTEGER NOT NULL,
  signal_key   INTEGER NOT NULL,
  observed_at  INTEGER NOT NULL,
  position     INTEGER NOT NULL,
  received_at  INTEGER NOT NULL,
  source_key   INTEGER NOT NULL,
  value,
  absence      TEXT,
  last_seen_at INTEGER,
  continues    INTEGER,
  seen         BLOB,
  PRIMARY KEY (vehicle_key, signal_key, observed_at, position)
) WITHOUT ROWID;
CREATE UNIQUE INDEX history_by_position ON history (position);

CREATE TABLE applications (
  client_id        TEXT PRIMARY KEY,
  name             TEXT NOT NULL,
  secret_hash      BLOB NOT NULL,
  management_token TEXT NOT NULL,  -- in clear: webhooks are signed with it
  permissions      TEXT NOT NULL,  -- space-separated
  connected_only   INTEGER NOT NULL,
  created_at       INTEGER NOT NULL,
  revoked_at       INTEGER
) WITHOUT ROWID;

CREATE TABLE tokens (
  token_hash BLOB PRIMARY KEY,
  client_id  TEXT NOT NULL,
  expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX tokens_by_application ON tokens (client_id, expires_at);

CREATE TABLE connections (
  id          TEXT PRIMARY KEY,
  client_id   TEXT NOT NULL,
  user_id     TEXT NOT NULL,
  vehicle_key INTEGER NOT NULL,
  permissions TEXT NOT NULL,
  created_at  INTEGER NOT NULL,
  UNIQUE (client_id, vehicle_key, user_id)
) WITHOUT ROWID;
CREATE INDEX connections_by_vehicle ON connections (vehicle_key);
CREATE INDEX connections_by_age ON connections (created_at, id);

-- One row for each kind of issue: source, vehicle, subject and detail, with the newest message that had it.
CREATE TABLE issues (
  source   TEXT NOT NULL,
  vehicle  TEXT NOT NULL,
  subject  TEXT NOT NULL,
  detail   TEXT NOT NULL,
  raw      TEXT NOT NULL,
  count    INTEGER NOT NULL,
  first_at INTEGER NOT NULL,
  last_at  INTEGER NOT NULL,
  PRIMARY KEY (source, vehicle, subject, detail)
) WITHOUT ROWID;
CREATE INDEX issues_by_age ON issues (last_at);
