-- Every command to a vehicle, written before it is executed. Without `ended_at` its outcome is unknown.
CREATE TABLE commands (
  vehicle_key bigint NOT NULL,
  started_at  bigint NOT NULL,
  id          text NOT NULL,
  client_id   text NOT NULL,
  user_uuid   text,
  kind        text NOT NULL,
  parameters  text NOT NULL,
  source      text,
  ended_at    bigint,
  outcome     text,
  detail      text,
  PRIMARY KEY (vehicle_key, started_at, id)
);
