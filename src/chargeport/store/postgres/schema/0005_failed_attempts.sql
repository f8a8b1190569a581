-- Attempts to prove oneself that failed in the current minute, by a digest of what was named and whence. Not logged: a crash may
-- forget them, and a standby needs none.
CREATE UNLOGGED TABLE failed_attempts (
  key     bytea PRIMARY KEY,
  count   bigint NOT NULL,
  ends_at timestamptz NOT NULL
);
