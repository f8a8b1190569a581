-- Every command to a vehicle, written before it is executed. Without `ended_at` its outcome is unknown.
CREATE TABLE commands (
  vehicle_key INTEGER NOT NULL,
  started_at  INTEGER NOT NULL,
  id          TEXT NOT NULL,
  client_id   TEXT NOT NULL,
  user_uuid   TEXT,
  kind        TEXT NOT NULL,
  parameters  TEXT NOT NULL,
  source      TEXT,
  ended_at    INTEGER,
  outcome     TEXT,
  detail      TEXT,
  PRIMARY KEY (vehicle_key, started_at, id)
) WITHOUT ROWID;
