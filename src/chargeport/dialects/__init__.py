"""Dialects: tables of what the fields of a source's messages mean, and how its payloads are read."""
