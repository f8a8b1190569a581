"""The doorbell between tasks and processes: signals that something was stored, and carries no data."""
