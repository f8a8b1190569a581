"""The sources that run: put together from the settings, kept running, watched."""
