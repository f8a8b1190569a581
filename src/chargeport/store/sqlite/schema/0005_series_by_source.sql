-- A series has the reports of one source about one signal of one vehicle: latest values, history and hours are by series.
-- Derived values are a source of their own. `rules` has the texts of their rules.
-- The data to be computed row by row (the latest values of signals with several sources) is in `split.py`.
CREATE TABLE rules (
  key  INTEGER PRIMARY KEY,
  text TEXT NOT NULL UNIQUE
);
INSERT OR IGNORE INTO sources (key, name) VALUES (0, 'derived');  -- 0 and 1 take no byte in a row: left for the first source
INSERT INTO rules (text) SELECT substr(name, 9) FROM sources WHERE name LIKE 'derived:%' ORDER BY key;

CREATE TEMP TABLE series_source AS
  SELECT s.key AS old_key, coalesce(d.key, s.key) AS source_key, r.key AS rule_key
  FROM sources s
  LEFT JOIN sources d ON d.name = 'derived' AND s.name LIKE 'derived:%'
  LEFT JOIN rules r ON s.name LIKE 'derived:%' AND r.text = substr(s.name, 9);
CREATE UNIQUE INDEX temp.series_source_key ON series_source (old_key);

-- What only `latest` has of the present runs is moved to history, so that a run can be assigned to its source as a whole.
UPDATE history SET seen = CAST(coalesce(history.seen, x'') || l.seen AS BLOB), last_seen_at = l.observed_at FROM latest l
  WHERE l.seen IS NOT NULL AND history.vehicle_key = l.vehicle_key AND history.signal_key = l.signal_key
    AND history.observed_at = l.run_at AND history.position = l.position;
UPDATE history SET last_seen_at = l.absence_at FROM latest l
  WHERE l.absence_at IS NOT NULL AND history.vehicle_key = l.vehicle_key AND history.signal_key = l.signal_key
    AND history.observed_at < l.absence_at AND history.absence IS NOT NULL AND history.position = (
      SELECT h.position FROM history h
      WHERE h.vehicle_key = l.vehicle_key AND h.signal_key = l.signal_key AND h.absence IS NOT NULL
      ORDER BY h.observed_at DESC, h.absence DESC LIMIT 1);

ALTER TABLE latest RENAME TO latest_by_signal;
-- `slot` is vehicle key × 2^28 + signal key × 2^20 + source key: one integer, so that the series of a signal, and all of a vehicle,
-- are ranges of a tree whose inner pages hold keys only. `rule_key` belongs to the newest reading, of a value or of an absence.
CREATE TABLE latest (
  slot                INTEGER PRIMARY KEY,
  value,
  observed_at         INTEGER,
  changed_at          INTEGER,
  received_at         INTEGER,
  position            INTEGER NOT NULL,
  run_at              INTEGER NOT NULL,
  absence             TEXT,
  absence_at          INTEGER,
  absence_received_at INTEGER,
  rule_key            INTEGER,
  seen                BLOB,
  vehicle_key         INTEGER GENERATED ALWAYS AS (slot >> 28) VIRTUAL,
  signal_key          INTEGER GENERATED ALWAYS AS ((slot >> 20) & 255) VIRTUAL,
  source_key          INTEGER GENERATED ALWAYS AS (slot & 1048575) VIRTUAL
);

ALTER TABLE history RENAME TO history_by_signal;
DROP INDEX history_by_position;
CREATE TABLE history (
  vehicle_key  INTEGER NOT NULL,
  signal_key   INTEGER NOT NULL,
  source_key   INTEGER NOT NULL,
  observed_at  INTEGER NOT NULL,
  position     INTEGER NOT NULL,
  received_at  INTEGER NOT NULL,
  value,
  absence      TEXT,
  last_seen_at INTEGER,
  continues    INTEGER,
  rule_key     INTEGER,
  seen         BLOB,
  PRIMARY KEY (vehicle_key, signal_key, source_key, observed_at, position)
) WITHOUT ROWID;
INSERT INTO history
  SELECT h.vehicle_key, h.signal_key & 127, s.source_key, h.observed_at, h.position, h.received_at, h.value, h.absence,
    h.last_seen_at, h.continues, s.rule_key, h.seen
  FROM history_by_signal h JOIN series_source s ON s.old_key = h.source_key
  ORDER BY 1, 2, 3, 4, 5;
CREATE UNIQUE INDEX history_by_position ON history (position);
DROP TABLE history_by_signal;

ALTER TABLE hourly RENAME TO hourly_by_signal;
CREATE TABLE hourly (
  vehicle_key INTEGER NOT NULL,
  signal_key  INTEGER NOT NULL,
  source_key  INTEGER NOT NULL,
  hour        INTEGER NOT NULL,
  changes     INTEGER NOT NULL,
  held_ms     INTEGER NOT NULL,
  least,
  most,
  mean        REAL,
  shares      TEXT,
  value,
  value_at    INTEGER,
  since_at    INTEGER,
  rule_key    INTEGER,
  absence     TEXT,
  absence_at  INTEGER,
  PRIMARY KEY (vehicle_key, signal_key, source_key, hour)
) WITHOUT ROWID;
-- An hour of several sources is assigned to the one whose value was known at its end; where none was, to that of the
-- newest absence.
INSERT INTO hourly
  SELECT h.vehicle_key, h.signal_key & 127, s.source_key, h.hour, h.changes, h.held_ms, h.least, h.most, h.mean, h.shares,
    h.value, h.value_at, h.since_at, s.rule_key, h.absence, h.absence_at
  FROM hourly_by_signal h
  JOIN latest_by_signal l ON l.slot = (h.vehicle_key << 8) + h.signal_key
  JOIN series_source s ON s.old_key = coalesce(h.source_key, l.absence_source_key, l.source_key)
  ORDER BY 1, 2, 3, 4;
DROP TABLE hourly_by_signal;

-- A signal with one source, and all that was derived, is one series already.
INSERT INTO latest
  SELECT (l.vehicle_key << 28) + ((l.signal_key & 127) << 20) + s.source_key, l.value, l.observed_at, l.changed_at, l.received_at,
    l.position, l.run_at, l.absence, l.absence_at, l.absence_received_at, s.rule_key, NULL
  FROM latest_by_signal l
  JOIN series_source s ON s.old_key = coalesce(l.source_key, l.absence_source_key)
  JOIN sources d ON d.name = 'derived'
  WHERE (l.signal_key > 128) = (s.source_key = d.key)
    AND (l.signal_key > 128 OR coalesce(l.absence_source_key, s.old_key) = s.old_key)
    AND NOT EXISTS (
      SELECT 1 FROM history h WHERE h.vehicle_key = l.vehicle_key AND h.signal_key = l.signal_key
        AND h.source_key NOT IN (s.source_key, d.key))
    AND NOT EXISTS (
      SELECT 1 FROM hourly h WHERE h.vehicle_key = l.vehicle_key AND h.signal_key = l.signal_key
        AND h.source_key NOT IN (s.source_key, d.key));
