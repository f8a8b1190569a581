"""Storage: the database is the truth. Readings are on disk before they are acknowledged."""
