"""Whether credentials may read what look-ups, back-fill and reconciliation ask for: each object is asked for once.

Owns which objects are tried and what a refusal means. What is asked are the very requests that a round begins with.
"""

import asyncio
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from deploy.lookups.client import Client, CrmApiError
from deploy.lookups.pacing import SharedPace
from schemas.connectors import Connection, build_source
from schemas.connectors.asking import BadAnswerError, CrmSource, NotSeenError
from schemas.instants import MINUTE
from schemas.machine_clock import machine_clock

_LONGEST_WAIT = 5.0
"""Seconds. Whoever has typed a command is told, instead of waiting on."""


@dataclass(slots=True)
class Rights:
    """What was found."""

    readable: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """No right to it, or no such object in this account."""
    absent: list[str] = field(default_factory=list)
    """Not every account has it, and this one has none that the credentials see."""
    unknown: str | None = None
    """Why the others could not be asked for."""


def rights_of(connection: Connection) -> Rights | None:
    """Ask for each object. None: there is no API. Call it once the credentials are known to be taken."""
    source = build_source(connection)
    return None if source is None else asyncio.run(_ask(source))


async def _ask(source: CrmSource) -> Rights:
    found = Rights()
    with tempfile.TemporaryDirectory() as folder:
        async with Client(source, SharedPace(Path(folder) / "limits.json"), sleep=_sleep) as client:
            for name, object in source.objects.items():
                if object.is_on_demand:
                    continue
                try:
                    page = await client.run(source.changed(name, machine_clock() - MINUTE, None))
                except NotSeenError:
                    found.refused.append(name)
                except BadAnswerError as error:
                    found.unknown = f"{name}: {error}"
                except CrmApiError as error:
                    # A scope that is missing is a 401 at one vendor, a 403 or a 404 at others.
                    if error.reason not in {"forbidden", "credentials", "refused"}:
                        found.unknown = str(error)
                        return found
                    found.refused.append(name)
                else:
                    (found.absent if page.is_absent else found.readable).append(name)
    return found


async def _sleep(seconds: float) -> None:
    if seconds > _LONGEST_WAIT:
        raise CrmApiError(reason="unreachable", problem="does not answer in time")
    await asyncio.sleep(seconds)
