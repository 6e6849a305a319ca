from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import TypeGuard

from processor.core.batch import Changes
from processor.core.outputs import LedgerOutput
from processor.core.retention import Expiry
from processor.native.batch import ChangeBatch
from processor.native.panes import PaneTable
from schemas.records import Record, RecordChange

class Plain:
    def __init__(self, panes: PaneTable) -> None: ...
    def takes(self, changes: Changes) -> TypeGuard[ChangeBatch]: ...
    def fold(
        self,
        batch: ChangeBatch,
        rows: dict[bytes, bytes],
        kept_from: int,
        expiry: Expiry[bytes],
        look_at: Callable[[bytes, LedgerOutput], Record | None],
        output: LedgerOutput,
    ) -> list[RecordChange]: ...
    def derive(self, rows: dict[bytes, bytes], kept_from: int, filed: defaultdict[int, list[bytes]]) -> list[bytes]: ...
    def follow(
        self, rows: dict[bytes, bytes], news: Mapping[bytes, bytes | None], kept_from: int, expiry: Expiry[bytes]
    ) -> list[bytes]: ...
