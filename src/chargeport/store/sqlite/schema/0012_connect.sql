-- The addresses to which applications may redirect people after they chose vehicles.
CREATE TABLE redirects (
  client_id TEXT NOT NULL,
  uri       TEXT NOT NULL,
  PRIMARY KEY (client_id, uri)
) WITHOUT ROWID;

-- Codes and refresh tokens, by their hashes. All that derive from one consent are of one family: they end together if one is
-- used twice.
CREATE TABLE consents (
  secret_hash  BLOB PRIMARY KEY,
  family       TEXT NOT NULL,
  client_id    TEXT NOT NULL,
  redirect_uri TEXT,  -- of a code
  challenge    TEXT,
  token_hash   BLOB,  -- the access token that it was exchanged for
  expires_at   INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX consents_by_family ON consents (family);
