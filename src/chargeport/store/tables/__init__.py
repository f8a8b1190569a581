"""The tables, in the SQL that SQLite and PostgreSQL share (see `store.sql`). What only one has is in its own folder."""
