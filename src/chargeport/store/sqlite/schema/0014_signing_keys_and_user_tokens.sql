-- The previous management token of an application, while receivers of its webhooks may not have the new one yet.
CREATE TABLE previous_management_tokens (
  client_id   TEXT PRIMARY KEY,
  token       TEXT NOT NULL,
  valid_until INTEGER NOT NULL
) WITHOUT ROWID;

-- A token from a person's consent is valid only for the connections of that person.
ALTER TABLE tokens ADD COLUMN user_uuid TEXT;
ALTER TABLE consents ADD COLUMN user_uuid TEXT;

-- A subscription that was ended stays stored, so that a webhook that subscribes itself to every vehicle does not add it again.
ALTER TABLE subscriptions ADD COLUMN ended_at INTEGER;

-- The outbox is read by receiver: a failing one with a million events does not delay the others.
DROP INDEX webhook_events_due;
CREATE INDEX webhook_events_due ON webhook_events (webhook_id, due_at, created_at) WHERE due_at IS NOT NULL;
