"""Loops are compiled at their first call, which takes seconds: examples of properties have no deadline here."""

from hypothesis import settings

settings.register_profile("compiled", deadline=None)
settings.load_profile("compiled")
