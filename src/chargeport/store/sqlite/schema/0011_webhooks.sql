-- Webhooks of applications. `document` has what a client may change, as JSON.
CREATE TABLE webhooks (
  id          TEXT PRIMARY KEY,
  client_id   TEXT NOT NULL,
  document    TEXT NOT NULL,
  verified_at INTEGER,
  failing_at  INTEGER,  -- since when no delivery has succeeded
  reason      TEXT,     -- why it was disabled, where it was not a person
  created_at  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX webhooks_by_application ON webhooks (client_id, created_at);

-- The vehicles of a webhook. `sent` is the content of the newest event, as JSON by code; `look_at` is when that may change by
-- itself, because a value goes stale.
CREATE TABLE subscriptions (
  vehicle_key INTEGER NOT NULL,
  webhook_id  TEXT NOT NULL,
  id          TEXT NOT NULL,
  user_uuid   TEXT NOT NULL,
  sent        TEXT,
  look_at     INTEGER,
  created_at  INTEGER NOT NULL,
  PRIMARY KEY (vehicle_key, webhook_id)
) WITHOUT ROWID;
CREATE INDEX subscriptions_by_webhook ON subscriptions (webhook_id, created_at);
CREATE INDEX subscriptions_by_id ON subscriptions (id);
CREATE INDEX subscriptions_due ON subscriptions (look_at) WHERE look_at IS NOT NULL;

-- The outbox: an event is written in the same transaction as `sent` above. `due_at` is null once it is delivered or given up.
CREATE TABLE webhook_events (
  id          TEXT PRIMARY KEY,
  webhook_id  TEXT NOT NULL,
  vehicle_key INTEGER NOT NULL,
  kind        TEXT NOT NULL,
  document    TEXT NOT NULL,     -- JSON, without what differs from one attempt to the next
  created_at  INTEGER NOT NULL,
  attempts    INTEGER NOT NULL DEFAULT 0,
  due_at      INTEGER,
  state       TEXT NOT NULL DEFAULT 'pending'
) WITHOUT ROWID;
CREATE INDEX webhook_events_due ON webhook_events (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX webhook_events_by_webhook ON webhook_events (webhook_id, created_at);
CREATE INDEX webhook_events_by_vehicle ON webhook_events (vehicle_key);

CREATE TABLE webhook_attempts (
  id          TEXT PRIMARY KEY,  -- the deliveryId
  event_id    TEXT NOT NULL,
  webhook_id  TEXT NOT NULL,
  started_at  INTEGER NOT NULL,
  duration_ms INTEGER NOT NULL,
  status      INTEGER,
  error       TEXT,
  response    TEXT
) WITHOUT ROWID;
CREATE INDEX webhook_attempts_by_webhook ON webhook_attempts (webhook_id, started_at);
CREATE INDEX webhook_attempts_by_event ON webhook_attempts (event_id, started_at);
