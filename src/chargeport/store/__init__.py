"""The store: its protocols, and the databases that keep them. What is acknowledged is on disk."""
