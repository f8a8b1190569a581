"""The tables, in the SQL that SQLite and PostgreSQL share (see `store.sql`). What only one of them has is in its own folder."""
