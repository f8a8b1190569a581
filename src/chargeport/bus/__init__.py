"""The doorbell between tasks and processes: a signal that something was stored, without data."""
