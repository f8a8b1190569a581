-- Late reports of a source, at an instant within its history, of the value before and after. They are no changes, so the feed
-- does not have them; but a session may last longer by them. One row for each day of a series, with its last position.
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
