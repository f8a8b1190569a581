-- History is two tables of the same form. New runs are written to `recent`; while it is small, all of it is in memory. The
-- writer moves them to `settled` later, in the order of series, so that a page is written for many changes at once (see
-- `moving.py`). `history` is both, for readers. Instants are stored as offsets from `observed_at`: `lag`
-- until it was received, `lasted` until it was last seen. The rest is the same as in schema 5.
CREATE TABLE settled (
  vehicle_key INTEGER NOT NULL,
  signal_key  INTEGER NOT NULL,
  source_key  INTEGER NOT NULL,
  observed_at INTEGER NOT NULL,
  position    INTEGER NOT NULL,
  lag         INTEGER NOT NULL,
  value,
  absence     TEXT,
  lasted      INTEGER,
  continues   INTEGER,
  rule_key    INTEGER,
  seen        BLOB,
  PRIMARY KEY (vehicle_key, signal_key, source_key, observed_at, position)
) WITHOUT ROWID;
INSERT INTO settled
  SELECT vehicle_key, signal_key, source_key, observed_at, position, received_at - observed_at, value, absence,
    last_seen_at - observed_at, continues, rule_key, seen
  FROM history ORDER BY 1, 2, 3, 4, 5;

CREATE TABLE recent (
  vehicle_key INTEGER NOT NULL,
  signal_key  INTEGER NOT NULL,
  source_key  INTEGER NOT NULL,
  observed_at INTEGER NOT NULL,
  position    INTEGER NOT NULL,
  lag         INTEGER NOT NULL,
  value,
  absence     TEXT,
  lasted      INTEGER,
  continues   INTEGER,
  rule_key    INTEGER,
  seen        BLOB,
  PRIMARY KEY (vehicle_key, signal_key, source_key, observed_at, position)
) WITHOUT ROWID;

-- The newest positions, and the place in history of each. `sequences` has how far it goes back ('feed'): an index of all
-- positions would be a third of the file.
CREATE TABLE feed (
  position    INTEGER PRIMARY KEY,
  slot        INTEGER NOT NULL,  -- as in `latest`
  observed_at INTEGER NOT NULL,
  vehicle_key INTEGER GENERATED ALWAYS AS (slot >> 28) VIRTUAL,
  signal_key  INTEGER GENERATED ALWAYS AS ((slot >> 20) & 255) VIRTUAL,
  source_key  INTEGER GENERATED ALWAYS AS (slot & 1048575) VIRTUAL
);
INSERT INTO sequences SELECT 'feed', max(0, value - 500000) FROM sequences WHERE name = 'position';
INSERT INTO feed (position, slot, observed_at)
  SELECT position, (vehicle_key << 28) + (signal_key << 20) + source_key, observed_at FROM history
  WHERE position > (SELECT value FROM sequences WHERE name = 'feed') ORDER BY position;

DROP TABLE history;
CREATE VIEW history AS
  SELECT vehicle_key, signal_key, source_key, observed_at, position, observed_at + lag AS received_at, value, absence,
    observed_at + lasted AS last_seen_at, continues, rule_key, seen
  FROM recent
  UNION ALL
  SELECT vehicle_key, signal_key, source_key, observed_at, position, observed_at + lag, value, absence,
    observed_at + lasted, continues, rule_key, seen
  FROM settled;

-- Counts the changes that invalidate a cached vehicle: readers of the cache check it first.
INSERT INTO sequences VALUES ('vehicle changes', 0);
CREATE TRIGGER vehicle_changed AFTER UPDATE ON vehicles BEGIN
  UPDATE sequences SET value = value + 1 WHERE name = 'vehicle changes';
END;
CREATE TRIGGER vehicle_removed AFTER DELETE ON vehicles BEGIN
  UPDATE sequences SET value = value + 1 WHERE name = 'vehicle changes';
END;
