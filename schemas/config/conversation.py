"""What counts as a conversation, as the configuration says it.

Owns the settings; `rules.py` hands them on. What is made of them stands in `schemas/catalogue/calls.py`,
`schemas/catalogue/facts.py` (mails) and `schemas/catalogue/derived.py` (meetings).
"""

from typing import Literal

from schemas.documents.values import DurationSetting, Model
from schemas.instants import MINUTE


class Conversation(Model):
    """What is a conversation."""

    min_talk: DurationSetting = MINUTE
    """How long must be talked in a call."""
    calls: Literal["both", "outbound", "inbound", "none"] = "both"
    """Of which direction a call must be to be one."""
    mails: Literal["answers", "none"] = "answers"
    """Whether answers by mail count."""
    meetings: Literal["held", "none"] = "held"
    """Whether held meetings count among conversations; as meetings they do either way."""
