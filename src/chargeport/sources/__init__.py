"""Transports: each receives messages of a system and passes them on unchanged. None interprets signals."""
