"""Normalising: from what was sent to readings, absences and issues. Pure functions, no I/O."""
