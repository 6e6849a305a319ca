"""Scopes: whose numbers they are.

Owns nothing else: who counts for whom on which day is for merged_panes.py.
"""

from typing import NamedTuple


class Scope(NamedTuple):
    """Whose numbers: a rep's, a team's, or the organisation's (id None)."""

    kind: str
    id: str | None


ORGANISATION = Scope("organisation", None)


def rep_scope(rep: str) -> Scope:
    """One rep."""
    return Scope("rep", rep)


def team_scope(team: str) -> Scope:
    """What reps did on days they were in that team."""
    return Scope("team", team)
