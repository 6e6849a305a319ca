from collections.abc import Mapping

from processor.core.plan import Contribution
from schemas.catalogue.plan import Plan

class CompiledPlan:
    def __init__(self, plan: Plan, aliases: Mapping[str, str]) -> None: ...
    def contributions(self, row: bytes) -> list[Contribution] | None: ...
