"""The store: its protocols, and the databases that implement them. What is acknowledged is on disk."""
