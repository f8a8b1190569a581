from hypothesis import settings

from feeding_fixtures import clock, folder, house, store

__all__ = ["clock", "folder", "house", "store"]

# How long an example takes says something of the machine, not of the code.
settings.register_profile("without_clock", deadline=None)
settings.load_profile("without_clock")
