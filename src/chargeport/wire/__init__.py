"""Smartcar's JSON: how signals, vehicles, absences and errors are written for clients, whatever way they are sent."""
