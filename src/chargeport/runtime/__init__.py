"""The sources that run: built from the settings, run and restarted, with their status."""
