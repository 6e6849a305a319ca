"""Every topic that the api reads, and what for. It writes `deliveries`, `alert-actions` and `access` (api/write)."""

from schemas.topics import ACCESS, DELIVERIES, ENGAGEMENTS, GENERATIONS, PANES, PROGRESS, RECORD_CHANGES, VIEW_TOPICS

VIEW = VIEW_TOPICS
"""What the view is made of, from the first message on (consumer.py)."""

BUSY = (PANES, PROGRESS)
"""Those of them that change with every batch. They are read over a connection of their own: each of its requests and
answers names every partition that is read there."""

POINTER = GENERATIONS
"""Says which generation of the derived topics is served (generations.py)."""

STAGE_INPUTS = {"normalise": DELIVERIES, "ledger": RECORD_CHANGES, "responses": ENGAGEMENTS}
"""What each stage reads. Of these only the ends are asked, never a message: they tell how far the stage is behind."""

WHO_MAY = ACCESS
"""API keys, screens and what they are to do (access.py)."""
