"""Dialects: what the fields of a source mean, as tables. Nothing here does anything."""
