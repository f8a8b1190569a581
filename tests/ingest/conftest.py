from feeding_fixtures import clock, folder, house, store

__all__ = ["clock", "folder", "house", "store"]
