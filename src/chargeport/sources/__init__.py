"""Transports: each receives messages of a system and hands them on as they came. None knows a signal."""
