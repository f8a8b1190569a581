-- The management token that an application had before, while receivers of its webhooks may still know no other.
CREATE TABLE previous_management_tokens (
  client_id   TEXT PRIMARY KEY,
  token       TEXT NOT NULL,
  valid_until INTEGER NOT NULL
) WITHOUT ROWID;

-- A token that came of a person's consent is good for what that person has connected alone.
ALTER TABLE tokens ADD COLUMN user_uuid TEXT;
ALTER TABLE consents ADD COLUMN user_uuid TEXT;

-- A subscription that was ended stays known, so that a webhook that subscribes itself to every vehicle does not make it again.
ALTER TABLE subscriptions ADD COLUMN ended_at INTEGER;

-- The outbox is read receiver by receiver: one that is dead, and has a million events, costs the others nothing.
DROP INDEX webhook_events_due;
CREATE INDEX webhook_events_due ON webhook_events (webhook_id, due_at, created_at) WHERE due_at IS NOT NULL;
