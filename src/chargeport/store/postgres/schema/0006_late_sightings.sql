-- That a source saw late, at an instant within what is known, what it said before and after. It is no change, so the feed does not
-- tell it; but a session may last longer by it. One row for each day of a series: with the position at which it was stored last.
CREATE TABLE late_sightings (
  vehicle_key bigint NOT NULL,
  signal_key  smallint NOT NULL,
  source_key  integer NOT NULL,
  day         bigint NOT NULL,
  first_at    bigint NOT NULL,
  last_at     bigint NOT NULL,
  position    bigint NOT NULL,
  PRIMARY KEY (vehicle_key, signal_key, source_key, day)
);
CREATE INDEX late_sightings_by_position ON late_sightings (position);
