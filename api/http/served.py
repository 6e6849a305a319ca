"""The configuration that is served by: after a reload the new one, from the moment in which the numbers are new too.

What an api reads once, when it starts (connections, secrets, `cors`), is not asked for here.
"""

from starlette.types import Scope

from schemas.config import Config


def config_of(scope: Scope) -> Config:
    """That of this request: of what is served, or where nothing is read (role `ingest`) of the start."""
    state = scope["app"].state
    read_side = getattr(state, "read_side", None)
    found: Config = state.config if read_side is None else read_side.view.config
    return found
