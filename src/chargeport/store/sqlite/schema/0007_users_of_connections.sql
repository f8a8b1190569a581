-- Smartcar's users have UUIDs. `user_id` is the name as a person wrote it; `user_uuid` is the UUID for clients.
ALTER TABLE connections ADD COLUMN user_uuid TEXT NOT NULL DEFAULT '';
CREATE INDEX connections_by_user ON connections (client_id, user_uuid);

-- An application that sees every vehicle has a connection to each, without a row of its own, until it ends it.
CREATE TABLE ended_connections (
  client_id   TEXT NOT NULL,
  vehicle_key INTEGER NOT NULL,
  ended_at    INTEGER NOT NULL,
  PRIMARY KEY (client_id, vehicle_key)
) WITHOUT ROWID;
CREATE INDEX ended_connections_by_vehicle ON ended_connections (vehicle_key);
