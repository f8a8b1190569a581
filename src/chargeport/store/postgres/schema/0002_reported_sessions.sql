-- Sessions that sources report have the same name here as everywhere else.
ALTER TABLE told_sessions RENAME TO reported_sessions;
ALTER TABLE reported_sessions RENAME COLUMN told_at TO reported_at;
