"""The roster as the api serves it. Owns nothing: it is the roster of schemas/people.py, which the worker reads too."""

from schemas.people import Person, Roster

__all__ = ["Person", "Roster"]
