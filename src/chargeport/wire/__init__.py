"""Smartcar's JSON: the format of signals, vehicles, absences and errors for clients, in all answers and events."""
