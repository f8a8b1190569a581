"""Charging sessions, as a pure function of the stored history."""
