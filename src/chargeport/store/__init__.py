"""Storage: the database is the truth. Readings are on disk before anybody is told that they are."""
