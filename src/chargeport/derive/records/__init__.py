"""Charge records: detected and reported sessions, joined, named, placed, priced and edited."""
