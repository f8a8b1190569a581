-- Authentications that failed in the current minute, by a digest of name and address. Unlogged: a crash may
-- lose them, and a standby needs none.
CREATE UNLOGGED TABLE failed_attempts (
  key     bytea PRIMARY KEY,
  count   bigint NOT NULL,
  ends_at timestamptz NOT NULL
);
