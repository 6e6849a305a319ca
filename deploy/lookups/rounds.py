"""Look-ups and reconciliation of one connection.

Owns the order of things. What was asked for and answered lies in the log, so whoever is killed here begins again where
the log ends. The next reconciliation looks back from where the last one *began*, less the longer of `overlap` and
`settle`: what an index had not yet is asked for again, and so are the associations, which move no modified date.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import structlog

from deploy.lookups.client import Client, CrmApiError, of_one_object
from deploy.lookups.comparing import instants_of_news, without
from deploy.lookups.known import MISSED, KnownFile, Pending
from deploy.lookups.log import Append, answer_deliveries
from schemas.connection_states import LimitsState
from schemas.connectors.asking import ALL, ApiObject, BadAnswerError, Envelope, Learned
from schemas.connectors.lists import Walk
from schemas.connectors.words import CrmConnection
from schemas.dead_letters import DeadLetter
from schemas.deliveries import LOOKUP, RECONCILIATION, Delivery
from schemas.instants import DAY, HOUR, MINUTE
from schemas.records import DELETED, MERGED, Record

log = structlog.get_logger("lookups")

LINKED_AT_ONCE = 1000
PATIENCE = MINUTE
"""A webhook that comes within it was not missed: what changed in it is left to the next round."""
GIVEN_UP_AFTER = DAY
GONE_AT_MOST = 10
GONE_SHARE = 0.01
LEFT_AT_MOST = 4
"""One of so many people may leave between two rounds, or one."""
_LOOKED_AT_SINGLY = 200

CaughtUp = Callable[[], Awaitable[None]]


class Rounds:
    """One connection."""

    def __init__(
        self,
        name: str,
        connection: CrmConnection,
        *,
        client: Client,
        known: KnownFile,
        append: Append,
        catch_up: CaughtUp,
        clock: Callable[[], int],
    ) -> None:
        """`append` stores deliveries; `catch_up` takes what is stored into `known`."""
        self.name = name
        self._settings = connection
        self._client = client
        self._source = client.source
        self._known = known
        self._append = append
        self._catch_up = catch_up
        self._clock = clock
        self.learned: Learned | None = None
        """What the account's own words are; None: nobody has asked yet."""
        self._suspected: dict[tuple[str, str], int] = {}
        """What says something new that has no instant of its own -> when that was first seen."""
        self._counted: set[tuple[str, str]] = set()
        """What this round has found missed: pages overlap, and a record counts once."""
        self._is_first = False
        """Whether the connection is new: what a round brings then, no webhook could have brought."""
        self.lacking: dict[str, CrmApiError | BadAnswerError] = {}
        """Objects that the last round could not ask for, though the API answers of others."""

    @property
    def limits(self) -> LimitsState | None:
        """Of requests, as the API last told."""
        return self._client.limits

    @property
    def statuses(self) -> Mapping[str, str]:
        """What a deal in each stage is, as far as the API says."""
        deals = next((object.name for object in self._source.objects.values() if object.record == "deal"), "")
        return {} if self.learned is None else self.learned.words.get(deals, {})

    @property
    def not_visible(self) -> int:
        """How many records were asked for and not there, without anybody having said that they were deleted.

        A record may be deleted before it is asked for: one by one that is looked at of a few, for so it happens. Of
        many a right was lost.
        """
        count = self._known.unseen_count(self.name)
        if count > _LOOKED_AT_SINGLY:
            return count
        return sum(not self._is_deleted(object, id) for object, id in self._known.unseen(self.name))

    def _is_deleted(self, object: str, id: str) -> bool:
        named = self._source.objects.get(object)
        kinds = () if named is None else named.kinds
        found = [self._known.record(self.name, kind, self._id_of(named, id)) for kind in kinds if named is not None]
        return any(record is not None and record.is_deleted for record in found)

    # Look-ups.

    async def look_up(self) -> list[DeadLetter]:
        """Ask for all that waits. Gives what has waited too long; raises ApiError if the API cannot be asked.

        An object that it refuses to tell of holds up no other one.
        """
        refused: dict[str, CrmApiError | BadAnswerError] = {}
        try:
            await self._ask_for_all(refused)
        except (CrmApiError, BadAnswerError) as error:
            refused = dict.fromkeys(self._source.objects, error)
        waiting = self._known.pending(self.name, self._source.batch * 8) if refused else ()
        given_up = self._clock() - GIVEN_UP_AFTER
        late = [each for each in waiting if each.object in refused and each.first_at < given_up]
        self._known.give_up(self.name, late)
        if refused and not late:
            raise next(iter(refused.values()))
        return [self._dead(each, refused[each.object]) for each in late]

    async def _ask_for_all(self, refused: dict[str, CrmApiError | BadAnswerError]) -> None:
        while pending := self._known.pending(self.name, self._source.batch * 8, without=refused):
            if self.learned is None:
                await self._learn_words(may_wait=False)
            await self._ask_for(pending, refused)
            await self._catch_up()

    def _dead(self, each: Pending, error: Exception) -> DeadLetter:
        reason = error.reason if isinstance(error, CrmApiError) else "bad_answer"
        detail = f"{each.object}: could not be asked for during 24 h ({reason})"
        return DeadLetter(self.name, "not_looked_up", detail, each.partition, each.offset, None, each.first_at)

    async def _ask_for(self, pending: Sequence[Pending], refused: dict[str, CrmApiError | BadAnswerError]) -> None:
        by_object: dict[str, list[str]] = {}
        for each in pending:
            by_object.setdefault(each.object, []).append(each.id)
        for object, ids in by_object.items():
            if object not in self._source.objects:
                self._known.give_up(self.name, [each for each in pending if each.object == object])
                continue
            with of_one_object(object, refused):
                if ALL in ids:
                    # The vendor has lost count of what has changed: everything since a while before it said so.
                    lost = [each for each in pending if (each.object, each.id) == (object, ALL)]
                    since = min(each.first_at for each in lost) - max(self._source.overlap, HOUR)
                    await self._reconcile_changed(self._source.objects[object], since, self._clock() + PATIENCE)
                    self._known.give_up(self.name, lost)
                    ids.remove(ALL)
                for chunk in _chunks(ids, self._source.batch):
                    asked_at = self._clock()
                    envelope = await self._client.run(self._source.read(object, chunk), may_wait=False)
                    # Under an id that was merged away there may lie another record: it has been asked for all the same.
                    told = {record["id"] for record in envelope.records}
                    envelope.missing = [id for id in chunk if id not in told]
                    await self._store(self._worded(envelope), LOOKUP, asked_at)

    # Reconciliation.

    async def reconcile(self, last: int | None) -> int:
        """One round; when it began (microseconds). `last`: when the last whole one began. Raises ApiError."""
        begun, self._is_first = self._clock(), last is None
        self._counted.clear()
        settings = self._settings.reconcile
        overlap = self._source.overlap if settings.overlap is None else settings.overlap
        since = (begun if last is None else last) - max(overlap, settings.settle)
        self.lacking = {}
        await self._catch_up()
        await self._ask_for_all({})
        await self._learn_words()
        with of_one_object(self._source.people, self.lacking):
            await self._reconcile_people()
        for object in self._source.objects.values():
            if not object.is_on_demand:
                await self._reconcile_object(object, since, begun, is_first=last is None)
        if self._are_ids_due(begun):
            for object in self._source.objects.values():
                if object.is_listed and object.name not in self.lacking:
                    with of_one_object(object.name, self.lacking):
                        await self._compare_ids(object)
            self._known.note(f"{self.name}.ids_at", str(begun))
        await self._catch_up()
        for name, error in self.lacking.items():
            log.warning("connection.lacking", connection=self.name, object=name, problem=str(error))
        return begun

    async def _learn_words(self, *, may_wait: bool = True) -> None:
        """What the account's words mean. An API that does not say so is asked for the rest all the same."""
        with of_one_object("words", self.lacking):
            self.learned = await self._client.run(self._source.words(), may_wait=may_wait)
        self.learned = self.learned or Learned()

    async def _reconcile_object(self, object: ApiObject, since: int, begun: int, *, is_first: bool) -> None:
        """What changed in one of them, and what was deleted; from where it was last told of, if that is longer ago."""
        mark = f"{self.name}.told_until.{object.name}"
        told_until = self._known.fact(mark)
        since = since if told_until is None else min(since, int(told_until))
        with of_one_object(object.name, self.lacking):
            await self._reconcile_changed(object, since, begun)
            await self._reconcile_gone(object, 0 if is_first else since, begun)
        self._known.note(mark, str(since) if object.name in self.lacking else None)

    async def _reconcile_people(self) -> None:
        asked_at = self._clock()
        envelope = await self._client.run(self._source.everybody())
        news = [record for record in envelope.records if self._news(envelope.object, record, asked_at)[0]]
        left = self._who_left({str(record["id"]) for record in envelope.records})
        await self._store(Envelope(object=envelope.object, records=news, gone=left), RECONCILIATION, asked_at)

    def _who_left(self, there: set[str]) -> list[str]:
        """People whom the list does not name any more. A token that sees less than before does not say so of many."""
        if not self._source.are_people_there or not there:
            return []
        people = ApiObject(self._source.people, "rep")
        known, lacking = self._not_listed(people, there)
        found = [
            id
            for id in lacking
            if (record := self._known.record(self.name, "rep", self._id_of(people, id))) is not None
            and record.get("active") is not False
        ]
        return found if len(found) <= max(1, known // LEFT_AT_MOST) else []

    async def _reconcile_changed(self, object: ApiObject, since: int, begun: int) -> None:
        walk, goes_on = Walk(), True
        while goes_on:
            asked_at = self._clock()
            page = await self._client.run(self._source.changed(object.name, since, walk.cursor))
            # One that is due may have changed as well: which instant of it was compared is noted for each.
            noted_as = f"{object.name} due" if page.is_due else object.name
            compared = self._known.compared(self.name, noted_as, [id for id, _ in page.found])
            latest = begun if page.is_due else begun - PATIENCE
            changed = [
                (id, at) for id, at in page.found if at <= latest and (bool(page.records) or compared.get(id, -1) < at)
            ]
            whole = {str(record["id"]): record for record in page.records}
            for chunk in _chunks(changed, self._source.batch):
                ids = [id for id, _ in chunk]
                if whole:
                    envelope = Envelope(object=object.name, records=[whole[id] for id in ids])
                else:
                    asked_at = self._clock()
                    envelope = await self._client.run(self._source.read(object.name, ids))
                held = await self._tell(object, envelope, asked_at, begun)
                done = [(id, at) for id, at in chunk if id not in held and compared.get(id, -1) < at]
                self._known.note_compared(self.name, noted_as, done, at=self._clock(), forget=since - HOUR)
            if object.has_links:
                await self._reconcile_links(object, [id for id, at in page.found if compared.get(id) == at], begun)
            goes_on = walk.goes_on(page)

    async def _reconcile_links(self, object: ApiObject, ids: Sequence[str], begun: int) -> None:
        for chunk in _chunks(ids, LINKED_AT_ONCE):
            asked_at = self._clock()
            envelope = await self._client.run(self._source.links(object.name, chunk))
            await self._tell(object, envelope, asked_at, begun)

    async def _reconcile_gone(self, object: ApiObject, since: int, begun: int) -> None:
        walk, goes_on = Walk(), True
        while goes_on:
            asked_at = self._clock()
            page = await self._client.run(self._source.gone(object.name, since, asked_at, walk.cursor))
            await self._tell(object, Envelope(object=object.name, records=page.records), asked_at, begun)
            goes_on = walk.goes_on(page)

    async def _tell(
        self,
        object: ApiObject,
        envelope: Envelope,
        asked_at: int,
        begun: int,
    ) -> set[str]:
        """Store what is new; the ids of what is left to the next round, as its webhook may be under way.

        Of what is merely due, or happened before the connection was there, no webhook was missed.
        """
        news: dict[str, list[dict[str, Any]]] = {}
        restored: list[str] = []
        held: set[str] = set()
        for record in envelope.records:
            id = str(record["id"])
            found, changed, is_back, kind = self._news(object.name, record, asked_at)
            if not found:
                self._suspected.pop((object.name, id), None)
            elif changed and not self._is_old(object.name, id, changed, asked_at, begun):
                held.add(id)
            else:
                kind = kind if kind in object.kinds else object.record
                is_missed = bool(changed) and not (self._is_first or (object.name, id) in self._counted)
                if is_missed:
                    self._counted.add((object.name, id))
                news.setdefault(kind if is_missed else "", []).append(record)
                restored += [id] if is_back else []
        for missed, records in news.items():
            told = Envelope(object=object.name, records=records, restored=restored)
            await self._store(self._worded(told), RECONCILIATION, asked_at, {MISSED: missed} if missed else {})
        return held

    def _is_old(self, object: str, id: str, found: Sequence[int], asked_at: int, begun: int) -> bool:
        """Whether its webhook would have been here by now; by those instants of its news that the CRM names, if any."""
        if told := [at for at in found if at < asked_at]:
            return max(told) <= begun - PATIENCE
        first = self._suspected.setdefault((object, id), begun)
        if first > begun - PATIENCE:
            return False
        del self._suspected[object, id]
        return True

    def _news(self, object: str, record: dict[str, Any], asked_at: int) -> tuple[list[int], list[int], bool, str]:
        """The instants of what a record says that is not known; of these, what the clock alone has not made so.

        And whether it was held to be deleted, and its kind.
        """

        def known(kind: str, id: str) -> Record | None:
            return self._known.record(self.name, kind, id)

        envelope = self._worded(Envelope(object=object, records=[record]))
        (delivery,) = self._deliveries(envelope, RECONCILIATION, asked_at)
        parsed = self._known.read(delivery)
        found = changed = instants_of_news(parsed.changes, known, asked_at, is_exact=self._source.is_exact)
        kind = parsed.changes[0].kind if parsed.changes else ""
        named = self._source.objects.get(object)
        if found and named is not None and named.falls_due:
            others = [without(change, named.falls_due) for change in parsed.changes]
            changed = instants_of_news(others, known, asked_at, is_exact=self._source.is_exact)
        if named is not None and self._source.is_there(record):
            held = known(kind or named.record, self._id_of(named, str(record["id"])))
            if held is not None and held.is_deleted:
                return [*found, asked_at], [*changed, asked_at], True, kind
        return found, changed, False, kind

    async def _compare_ids(self, object: ApiObject) -> None:
        """Records that no list names any more, and that nobody said were deleted."""
        asked_at = self._clock()
        there: set[str] = set()
        walk, goes_on = Walk(), True
        while goes_on:
            page = await self._client.run(self._source.listed(object.name, walk.cursor))
            there.update(id for id, _ in page.found)
            goes_on = walk.goes_on(page)
        known, lacking = self._not_listed(object, there)
        missing: list[str] = []
        for chunk in _chunks(lacking, self._source.batch):
            envelope = await self._client.run(self._source.read(object.name, chunk))
            await self._tell(object, envelope, asked_at, asked_at)  # archived, or made while the list was read
            missing += envelope.missing
        is_trusted = len(missing) <= max(GONE_AT_MOST, GONE_SHARE * known)
        told = Envelope(object=object.name)
        told.gone, told.missing = (missing, ()) if is_trusted else ((), missing)
        if not is_trusted:
            log.warning("connection.not_visible", connection=self.name, object=object.name, records=len(missing))
        await self._store(told, RECONCILIATION, asked_at, {MISSED: object.record})

    def _not_listed(self, object: ApiObject, there: set[str]) -> tuple[int, list[str]]:
        """How many of such records are known, and the ids of those of them that a list does not name."""
        known = 0
        lacking: dict[str, None] = {}
        start = self._id_of(object, "")
        for kind in object.kinds:
            others = [self._id_of(other, "") for other in self._source.objects.values() if kind in other.kinds]
            for id, record in self._known.ids(self.name, kind):
                if not id.startswith(start + object.begins) or any(
                    len(other) > len(start) and id.startswith(other) for other in others
                ):
                    continue
                if record.get(DELETED) is True or record.get(MERGED) is not None:
                    continue
                if object.leaves_as and record.get("status") == object.leaves_as:
                    continue
                known += 1
                if id[len(start) :] not in there and not self._known.others_know(self.name, kind, id):
                    lacking[id[len(start) :]] = None
        return known, list(lacking)

    def _are_ids_due(self, now: int) -> bool:
        noted = self._known.fact(f"{self.name}.ids_at")
        if noted is None:
            # A list of everything at the first start would tell of nothing that is known.
            self._known.note(f"{self.name}.ids_at", str(now))
            return False
        return int(noted) <= now - self._settings.reconcile.ids

    def _id_of(self, object: ApiObject, id: str) -> str:
        namespace = self._settings.namespace
        return f"{namespace}:{object.prefix}{id}" if namespace else object.prefix + id

    def _worded(self, envelope: Envelope) -> Envelope:
        envelope.words = {} if self.learned is None else dict(self.learned.words.get(envelope.object, {}))
        return envelope

    def _deliveries(
        self, envelope: Envelope, source: str, asked_at: int, more: dict[str, str] | None = None
    ) -> list[Delivery]:
        return answer_deliveries(
            envelope,
            connection=self.name,
            source=source,
            asked_at=asked_at,
            received_at=self._clock(),
            more=more or {},
        )

    async def _store(self, envelope: Envelope, source: str, asked_at: int, more: dict[str, str] | None = None) -> None:
        await self._append(self._deliveries(envelope, source, asked_at, more))


def _chunks(items: Sequence[Any], size: int) -> list[Sequence[Any]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
