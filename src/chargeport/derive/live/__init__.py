"""Signals that nobody reported, from those that somebody did: one table of rules."""
