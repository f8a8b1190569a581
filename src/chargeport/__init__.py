"""Chargeport: the open, self-hosted charge-signals server."""

__version__ = "0.1.0"
