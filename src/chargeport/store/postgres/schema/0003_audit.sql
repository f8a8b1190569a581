-- The audit log: see SQLite's step 0016.
INSERT INTO sequences VALUES ('audit', 0) ON CONFLICT DO NOTHING;
CREATE TABLE audit (
  number  bigint PRIMARY KEY DEFAULT next_number('audit'),
  act     text NOT NULL,
  actor   text NOT NULL,
  address text NOT NULL,
  subject text NOT NULL,
  detail  text NOT NULL,
  count   bigint NOT NULL,
  at      bigint NOT NULL,
  last_at bigint NOT NULL
);
CREATE INDEX audit_by_time ON audit (last_at);
CREATE INDEX audit_by_actor ON audit (actor, act, at);

ALTER TABLE tokens ADD COLUMN person text;
