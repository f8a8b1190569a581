-- The content of an hour of history once its runs are no longer stored: `changes` that began in it, how long values were valid,
-- and of numbers the bounds and the mean by time (null: only `value`), of flags and texts [[value, ms], ...] in `shares`
-- (null: only `value`). From `value` on: what was known at the hour's end, as in `latest`; `since_at` is since when it was so.
-- An hour in which nothing was reported and no live value was valid has no row. `hour` counts from 1970.
CREATE TABLE hourly (
  vehicle_key INTEGER NOT NULL,
  signal_key  INTEGER NOT NULL,
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
  source_key  INTEGER,
  absence     TEXT,
  absence_at  INTEGER,
  PRIMARY KEY (vehicle_key, signal_key, hour)
) WITHOUT ROWID;

-- From when on the runs of a car's group of signals are complete: older ones were folded. Runs with a greater position
-- that are older than `raw_from` were stored after that. `hours_from`: hours that are older were dropped (null: none was).
CREATE TABLE horizons (
  vehicle_key  INTEGER NOT NULL,
  signal_group TEXT NOT NULL,
  raw_from     INTEGER NOT NULL,
  position     INTEGER NOT NULL,
  hours_from   INTEGER,
  PRIMARY KEY (vehicle_key, signal_group)
) WITHOUT ROWID;
