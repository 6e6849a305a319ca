"""What is made of the fields of a call: whether it connected, its talk time, and whether it was a conversation.

Owns these three, in the words of a condition; facts.py gives them their names. What people may say of a conversation is
schemas/config/conversation.py, which comes here as `Rules`. What the lead clocks need of a call stands in
processor/core/touches.py, as plain Python of the same meaning.
"""

from schemas.catalogue.conditions import AtLeast, Condition, Else, First, Flag, Gap, Is, IsSet, every, opposite, some
from schemas.catalogue.rules import Rules

CONNECTED = some([Is("outcome", "connected"), every([opposite(IsSet(("outcome",))), IsSet(("answered_at",))])])
TALK = Else(Gap(First(("answered_at",)), First(("ended_at",)), is_clipped=True), First(("talk_seconds",)))


def conversation(rules: Rules) -> Condition:
    """Where a call is one: it connected, was talked in for long enough, in a direction that counts, by no machine."""
    direction = {"both": True, "none": False}.get(rules.calls, Is("direction", rules.calls))
    return every([CONNECTED, AtLeast(TALK, rules.min_talk), direction, opposite(Flag("automated"))])
