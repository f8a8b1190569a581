-- The tables of SQLite's schema after its newest step, with the types of PostgreSQL. Tables that grow with vehicles have
-- `vehicle_key` first in its primary key and in no key of its own a unique one without it, so that it can be distributed by it.
-- `value`, `least` and `most` are JSON: a number, a text, true or false, byte for byte as received.

-- Functions that SQLite has and PostgreSQL lacks, so that the modules of tables have one SQL.
CREATE FUNCTION instr(haystack text, needle text) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN strpos(haystack, needle);
CREATE FUNCTION json_each(list text) RETURNS TABLE (value text) LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN json_array_elements_text(list::json);

CREATE FUNCTION json_extract(document text, path text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN document::json ->> substr(path, 3);

-- Numbers that are assigned in the order of commits: the row is locked until the transaction ends. For the actions of people,
-- not for readings. `epoch` is added to the numbers of transactions, from which positions are made: see `positions.py`.
CREATE TABLE sequences (
  name  text PRIMARY KEY,
  value bigint NOT NULL
);
INSERT INTO sequences VALUES ('vehicle', 0), ('source', 0), ('rule', 0), ('edit', 0), ('erasure', 0), ('message', 0), ('epoch', 0);
CREATE FUNCTION next_number(of_name text) RETURNS bigint LANGUAGE sql VOLATILE AS
  'UPDATE sequences SET value = value + 1 WHERE name = of_name RETURNING value';

CREATE TABLE vehicles (
  id         text PRIMARY KEY,
  key        bigint NOT NULL UNIQUE,
  vin        text,
  make       text,
  model      text,
  year       bigint,
  powertrain text,
  mode       text NOT NULL,
  aliases    text NOT NULL,  -- JSON array
  created_at bigint NOT NULL
);
CREATE TABLE vehicle_references (
  reference   text PRIMARY KEY,
  vehicle_key bigint NOT NULL
);
CREATE INDEX vehicle_references_by_vehicle ON vehicle_references (vehicle_key);

CREATE TABLE sources (
  key  bigint PRIMARY KEY DEFAULT next_number('source'),
  name text NOT NULL UNIQUE
);
INSERT INTO sources VALUES (0, 'derived');
CREATE TABLE rules (
  key  bigint PRIMARY KEY DEFAULT next_number('rule'),
  text text NOT NULL UNIQUE
);

-- `slot` is vehicle key × 2^28 + signal key × 2^20 + source key. Half of each page is left free, so that an update that changes no
-- key stays on its page and touches no index.
CREATE TABLE latest (
  vehicle_key         bigint NOT NULL,
  slot                bigint NOT NULL,
  value               json,
  observed_at         bigint,
  changed_at          bigint,
  received_at         bigint,
  position            bigint NOT NULL,
  run_at              bigint NOT NULL,
  absence             text,
  absence_at          bigint,
  absence_received_at bigint,
  rule_key            bigint,
  seen                bytea,
  signal_key          smallint GENERATED ALWAYS AS ((slot >> 20) & 255) STORED,
  source_key          integer GENERATED ALWAYS AS (slot & 1048575) STORED,
  PRIMARY KEY (vehicle_key, slot)
) WITH (fillfactor = 50);

-- A partition a quarter of a year, made by `partitions.py` before anything is written into it.
CREATE TABLE runs (
  vehicle_key bigint NOT NULL,
  signal_key  smallint NOT NULL,
  source_key  integer NOT NULL,
  observed_at bigint NOT NULL,
  position    bigint NOT NULL,
  lag         bigint NOT NULL,
  value       json,
  absence     text,
  lasted      bigint,
  continues   smallint,
  rule_key    bigint,
  seen        bytea,
  PRIMARY KEY (vehicle_key, signal_key, source_key, observed_at, position)
) PARTITION BY RANGE (observed_at);
-- The feed is history by position. Not unique: a distributed table can't have that without its column.
CREATE INDEX runs_by_position ON runs (position);
CREATE VIEW history AS
  SELECT vehicle_key, signal_key, source_key, observed_at, position, observed_at + lag AS received_at, value, absence,
    observed_at + lasted AS last_seen_at, continues, rule_key, seen
  FROM runs;

CREATE TABLE hourly (
  vehicle_key bigint NOT NULL,
  signal_key  smallint NOT NULL,
  source_key  integer NOT NULL,
  hour        bigint NOT NULL,
  changes     bigint NOT NULL,
  held_ms     bigint NOT NULL,
  least       json,
  most        json,
  mean        double precision,
  shares      text,
  value       json,
  value_at    bigint,
  since_at    bigint,
  rule_key    bigint,
  absence     text,
  absence_at  bigint,
  PRIMARY KEY (vehicle_key, signal_key, source_key, hour)
);
CREATE TABLE horizons (
  vehicle_key  bigint NOT NULL,
  signal_group text NOT NULL,
  raw_from     bigint NOT NULL,
  position     bigint NOT NULL,
  hours_from   bigint,
  PRIMARY KEY (vehicle_key, signal_group)
);

CREATE TABLE sessions (
  vehicle_key bigint NOT NULL,
  started_at  bigint NOT NULL,
  id          text NOT NULL,
  is_open     boolean NOT NULL,
  document    text NOT NULL,
  PRIMARY KEY (vehicle_key, started_at, id)
);
CREATE INDEX sessions_open ON sessions (vehicle_key) WHERE is_open;
CREATE TABLE told_sessions (
  vehicle_key bigint NOT NULL,
  source      text NOT NULL,
  name        text NOT NULL,
  told_at     bigint NOT NULL,
  started_at  bigint NOT NULL,
  document    text NOT NULL,
  PRIMARY KEY (vehicle_key, source, name)
);
CREATE TABLE session_edits (
  number      bigint NOT NULL DEFAULT next_number('edit'),
  vehicle_key bigint NOT NULL,
  made_at     bigint NOT NULL,
  document    text NOT NULL,
  PRIMARY KEY (vehicle_key, number)
);
CREATE INDEX session_edits_by_number ON session_edits (number);
CREATE TABLE erasures (
  number      bigint NOT NULL DEFAULT next_number('erasure'),
  vehicle_key bigint NOT NULL,
  first_at    bigint NOT NULL,
  last_at     bigint NOT NULL,
  PRIMARY KEY (vehicle_key, number)
);
CREATE INDEX erasures_by_number ON erasures (number);

CREATE TABLE applications (
  client_id        text PRIMARY KEY,
  name             text NOT NULL,
  secret_hash      bytea NOT NULL,
  management_token text NOT NULL,
  permissions      text NOT NULL,
  connected_only   boolean NOT NULL,
  created_at       bigint NOT NULL,
  revoked_at       bigint
);
CREATE TABLE previous_management_tokens (
  client_id   text PRIMARY KEY,
  token       text NOT NULL,
  valid_until bigint NOT NULL
);
CREATE TABLE tokens (
  token_hash bytea PRIMARY KEY,
  client_id  text NOT NULL,
  expires_at bigint NOT NULL,
  user_uuid  text
);
CREATE INDEX tokens_by_application ON tokens (client_id, expires_at);
CREATE TABLE connections (
  id          text PRIMARY KEY,
  client_id   text NOT NULL,
  user_id     text NOT NULL,
  vehicle_key bigint NOT NULL,
  permissions text NOT NULL,
  created_at  bigint NOT NULL,
  user_uuid   text NOT NULL DEFAULT '',
  UNIQUE (client_id, vehicle_key, user_id)
);
CREATE INDEX connections_by_vehicle ON connections (vehicle_key);
CREATE INDEX connections_by_age ON connections (created_at, id);
CREATE INDEX connections_by_user ON connections (client_id, user_uuid);
CREATE TABLE ended_connections (
  client_id   text NOT NULL,
  vehicle_key bigint NOT NULL,
  ended_at    bigint NOT NULL,
  PRIMARY KEY (client_id, vehicle_key)
);
CREATE INDEX ended_connections_by_vehicle ON ended_connections (vehicle_key);
CREATE TABLE redirects (
  client_id text NOT NULL,
  uri       text NOT NULL,
  PRIMARY KEY (client_id, uri)
);
CREATE TABLE consents (
  secret_hash  bytea PRIMARY KEY,
  family       text NOT NULL,
  client_id    text NOT NULL,
  redirect_uri text,
  challenge    text,
  token_hash   bytea,
  expires_at   bigint NOT NULL,
  user_uuid    text
);
CREATE INDEX consents_by_family ON consents (family);

CREATE TABLE users (
  name          text PRIMARY KEY,
  password_hash text,
  created_at    bigint NOT NULL
);
CREATE TABLE sign_in_links (
  link_hash  bytea PRIMARY KEY,
  "user"     text NOT NULL,
  expires_at bigint NOT NULL
);
CREATE INDEX sign_in_links_by_user ON sign_in_links ("user");
CREATE TABLE page_sessions (
  session_hash bytea PRIMARY KEY,
  id           text NOT NULL UNIQUE,
  "user"       text NOT NULL,
  browser      text NOT NULL,
  address      text NOT NULL,
  created_at   bigint NOT NULL,
  used_at      bigint NOT NULL,
  expires_at   bigint NOT NULL
);
CREATE INDEX page_sessions_by_user ON page_sessions ("user");
CREATE TABLE share_links (
  link_hash  bytea PRIMARY KEY,
  client_id  text NOT NULL UNIQUE,
  label      text NOT NULL,
  created_at bigint NOT NULL,
  expires_at bigint
);

CREATE TABLE issues (
  client_id text NOT NULL,
  source    text NOT NULL,
  vehicle   text NOT NULL,
  subject   text NOT NULL,
  detail    text NOT NULL,
  raw       text NOT NULL,
  count     bigint NOT NULL,
  first_at  bigint NOT NULL,
  last_at   bigint NOT NULL,
  PRIMARY KEY (client_id, source, vehicle, subject, detail)
);
CREATE INDEX issues_by_age ON issues (client_id, last_at);
CREATE TABLE issue_messages (
  id          bigint PRIMARY KEY DEFAULT next_number('message'),
  source      text NOT NULL,
  vehicle     text NOT NULL,
  subject     text NOT NULL,
  detail      text NOT NULL,
  raw         text NOT NULL,
  received_at bigint NOT NULL,
  client_id   text NOT NULL DEFAULT ''
);
CREATE INDEX issue_messages_by_issue ON issue_messages (client_id, source, vehicle, subject, id);
CREATE INDEX issue_messages_by_application ON issue_messages (client_id, id);

CREATE TABLE remembered (
  owner text NOT NULL,
  key   text NOT NULL,
  value text NOT NULL,
  PRIMARY KEY (owner, key)
);
CREATE TABLE source_states (
  name       text PRIMARY KEY,
  state      text NOT NULL,
  written_at bigint NOT NULL
);

CREATE TABLE webhooks (
  id          text PRIMARY KEY,
  client_id   text NOT NULL,
  document    text NOT NULL,
  verified_at bigint,
  failing_at  bigint,
  reason      text,
  created_at  bigint NOT NULL,
  updated_at  bigint NOT NULL
);
CREATE INDEX webhooks_by_application ON webhooks (client_id, created_at);
CREATE TABLE subscriptions (
  vehicle_key bigint NOT NULL,
  webhook_id  text NOT NULL,
  id          text NOT NULL,
  user_uuid   text NOT NULL,
  sent        text,
  look_at     bigint,
  created_at  bigint NOT NULL,
  ended_at    bigint,
  PRIMARY KEY (vehicle_key, webhook_id)
);
CREATE INDEX subscriptions_by_webhook ON subscriptions (webhook_id, created_at);
CREATE INDEX subscriptions_by_id ON subscriptions (id);
CREATE INDEX subscriptions_due ON subscriptions (look_at) WHERE look_at IS NOT NULL;
CREATE TABLE webhook_events (
  id          text NOT NULL,
  webhook_id  text NOT NULL,
  vehicle_key bigint NOT NULL,
  kind        text NOT NULL,
  document    text NOT NULL,
  created_at  bigint NOT NULL,
  attempts    bigint NOT NULL DEFAULT 0,
  due_at      bigint,
  state       text NOT NULL DEFAULT 'pending',
  PRIMARY KEY (vehicle_key, id)
);
CREATE INDEX webhook_events_by_id ON webhook_events (id);
CREATE INDEX webhook_events_due ON webhook_events (webhook_id, due_at, created_at) WHERE due_at IS NOT NULL;
CREATE INDEX webhook_events_by_webhook ON webhook_events (webhook_id, created_at);
CREATE TABLE webhook_attempts (
  id          text PRIMARY KEY,
  event_id    text NOT NULL,
  webhook_id  text NOT NULL,
  started_at  bigint NOT NULL,
  duration_ms bigint NOT NULL,
  status      bigint,
  error       text,
  response    text
);
CREATE INDEX webhook_attempts_by_webhook ON webhook_attempts (webhook_id, started_at);
CREATE INDEX webhook_attempts_by_event ON webhook_attempts (event_id, started_at);
