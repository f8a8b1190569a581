"""Derivation from stored readings: values that no source reports, sessions, records."""
