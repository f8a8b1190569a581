-- The application that sent the message of an issue, '' for our own sources: each has its own limit, so that none can remove
-- the issues of others.
CREATE TABLE issues_by_application (
  client_id TEXT NOT NULL,
  source    TEXT NOT NULL,
  vehicle   TEXT NOT NULL,
  subject   TEXT NOT NULL,
  detail    TEXT NOT NULL,
  raw       TEXT NOT NULL,
  count     INTEGER NOT NULL,
  first_at  INTEGER NOT NULL,
  last_at   INTEGER NOT NULL,
  PRIMARY KEY (client_id, source, vehicle, subject, detail)
) WITHOUT ROWID;
INSERT INTO issues_by_application
  SELECT '', source, vehicle, subject, detail, raw, count, first_at, last_at FROM issues;
DROP TABLE issues;
ALTER TABLE issues_by_application RENAME TO issues;
CREATE INDEX issues_by_age ON issues (client_id, last_at);

ALTER TABLE issue_messages ADD COLUMN client_id TEXT NOT NULL DEFAULT '';
DROP INDEX issue_messages_by_issue;
CREATE INDEX issue_messages_by_issue ON issue_messages (client_id, source, vehicle, subject, detail, id);
CREATE INDEX issue_messages_by_application ON issue_messages (client_id, id);
