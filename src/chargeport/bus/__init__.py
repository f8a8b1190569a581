"""The doorbell between tasks and processes: it tells that something was stored, and carries no data."""
