"""Derive the live values that no source reports from those that sources report, by one table of rules."""
