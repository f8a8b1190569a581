-- Readings of a source that were erased: what was derived from them has to be derived again.
CREATE TABLE erasures (
  number      INTEGER PRIMARY KEY AUTOINCREMENT,
  vehicle_key INTEGER NOT NULL,
  first_at    INTEGER NOT NULL,
  last_at     INTEGER NOT NULL
);
CREATE INDEX erasures_by_vehicle ON erasures (vehicle_key);
