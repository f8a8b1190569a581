-- People who sign in to the page. Nothing here is for programs: those have applications and tokens.
CREATE TABLE users (
  name          TEXT PRIMARY KEY,
  password_hash TEXT,              -- Argon2id; none for whoever signs in by links alone
  created_at    INTEGER NOT NULL
) WITHOUT ROWID;

-- Links that sign in once. Only the hash of the link's secret is stored.
CREATE TABLE sign_in_links (
  link_hash  BLOB PRIMARY KEY,
  user       TEXT NOT NULL,
  expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX sign_in_links_by_user ON sign_in_links (user);

-- A browser that is signed in. `session_hash` is the hash of its cookie, `id` its name for people.
CREATE TABLE page_sessions (
  session_hash BLOB PRIMARY KEY,
  id           TEXT NOT NULL UNIQUE,
  user         TEXT NOT NULL,
  browser      TEXT NOT NULL,
  address      TEXT NOT NULL,
  created_at   INTEGER NOT NULL,
  used_at      INTEGER NOT NULL,
  expires_at   INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX page_sessions_by_user ON page_sessions (user);

-- Links that show one vehicle. Each has an application of its own, which is connected to that vehicle only.
CREATE TABLE share_links (
  link_hash  BLOB PRIMARY KEY,
  client_id  TEXT NOT NULL UNIQUE,
  label      TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER
) WITHOUT ROWID;
