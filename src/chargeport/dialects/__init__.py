"""Dialects: tables of the meanings of a source's fields, and the readers of its payloads."""
