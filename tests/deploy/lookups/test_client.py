"""Requests to an API: token, limits and back-off, against a real server on loopback in simulated time."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from deploy.lookups.client import ATTEMPTS, Client, CrmApiError
from deploy.lookups.pacing import SharedPace
from schemas.connectors.asking import Ask, BadAnswerError, Envelope, Steps, decode_envelope, encode_envelope
from schemas.connectors.hubspot.api import HubSpotSource
from schemas.connectors.hubspot.object_types import BY_TYPE_ID
from tests.deploy.lookups.world import Clock
from tests.fakes.http import Request, Response
from tests.fakes.hubspot import FakeHubSpot

pytestmark = pytest.mark.asyncio
TAKEN = "pat-token-1"


class Account:
    """The fake, and a client of it."""

    def __init__(self, folder: Path, url: str, crm: FakeHubSpot, clock: Clock) -> None:
        self.crm = crm
        self.clock = clock
        self.folder = folder
        self.source = HubSpotSource(address=url, token=TAKEN, objects=BY_TYPE_ID)
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await self.clock.sleep(seconds)

    def client(self) -> Client:
        pace = SharedPace(self.folder / "limits.json")
        return Client(self.source, pace, clock=self.clock, sleep=self.sleep, chance=lambda: 1.0)


@pytest.fixture
async def account(tmp_path: Path) -> AsyncIterator[Account]:
    clock = Clock()
    crm = FakeHubSpot(clock.seconds)
    with crm.serving() as url:
        yield Account(tmp_path, url, crm, clock)


async def test_a_burst_stays_below_every_limit_and_uses_it(account: Account) -> None:
    begun = account.clock()
    async with account.client() as client:
        for _ in range(250):
            await client.run(account.source.listed("deals", None))

    assert account.crm.over_limit == 0
    assert 20 <= (account.clock() - begun) / 1e6 <= 21


async def test_processes_on_one_folder_share_the_limit(account: Account) -> None:
    async with account.client() as one, account.client() as other:
        for _ in range(75):
            await one.run(account.source.listed("deals", None))
            await other.run(account.source.listed("deals", None))

    assert account.crm.over_limit == 0


async def test_searches_have_a_limit_of_their_own(account: Account) -> None:
    begun = account.clock()
    async with account.client() as client:
        for _ in range(11):
            await client.run(account.source.changed("calls", 0, None))

    assert account.crm.over_limit == 0
    assert (account.clock() - begun) / 1e6 >= 2


async def test_a_higher_limit_is_followed_once_an_answer_tells_it(account: Account) -> None:
    account.crm.rolling.most = 190
    begun = account.clock()
    async with account.client() as client:
        for _ in range(190):
            await client.run(account.source.listed("deals", None))

    assert (account.clock() - begun) / 1e6 < 1


async def test_what_fails_is_asked_again_with_longer_and_longer_waits(account: Account) -> None:
    account.crm.faults += [Response(502), None, Response(503, raw=b"<html>")]
    async with account.client() as client:
        assert await client.run(account.source.listed("deals", None))

    assert account.slept == [1.0, 2.0, 4.0]
    assert client.requests == 4


async def test_a_refusal_for_asking_too_much_waits_as_long_as_it_says(account: Account) -> None:
    account.crm.faults += [
        Response(429, {"policyName": "TEN_SECONDLY_ROLLING"}),
        Response(429, {}, {"Retry-After": "7"}),
    ]
    async with account.client() as client:
        await client.run(account.source.listed("deals", None))

    assert account.slept == [10.0, 7.0]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("told", "date", "waited"),
    [
        ("Wed, 18 Mar 2026 09:00:20 GMT", "Wed, 18 Mar 2026 09:00:13 GMT", 7.0),
        ("Wed, 18 Mar 2026 09:00:13 GMT", "Wed, 18 Mar 2026 09:00:20 GMT", 1.0),
        ("soon", None, 1.0),
        ("\u00b2", None, 1.0),
    ],
    ids=["an instant", "an instant that is over", "a word", "no digit"],
)
async def test_a_wait_may_be_told_as_an_instant_by_the_clock_of_the_crm(
    account: Account, status: int, told: str, date: str | None, waited: float
) -> None:
    account.crm.faults.append(Response(status, {}, {"Retry-After": told, **({"Date": date} if date else {})}))
    async with account.client() as client:
        await client.run(account.source.listed("deals", None))

    assert account.slept == [waited]


async def test_a_wait_of_years_is_a_day(account: Account) -> None:
    account.crm.faults.append(Response(429, {}, {"Retry-After": "999999999999"}))
    async with account.client() as client:
        with pytest.raises(CrmApiError) as caught:
            await client.run(account.source.listed("deals", None))

    assert (caught.value.reason, caught.value.wait) == ("limit", 86400.0)


@pytest.mark.parametrize("raw", [b"<html>Just a moment</html>", b'{"results": [{"id": "1"'], ids=["a page", "cut off"])
async def test_what_is_not_json_is_asked_again(account: Account, raw: bytes) -> None:
    account.crm.faults += [Response(200, raw=raw)] * 2
    async with account.client() as client:
        assert await client.run(account.source.listed("deals", None))

    assert client.requests == 3


async def test_what_is_never_json_is_given_up_and_not_repeated_in_the_error(account: Account) -> None:
    account.crm.faults += [Response(200, raw=b"<html>Ana Lim</html>")] * ATTEMPTS
    async with account.client() as client:
        with pytest.raises(CrmApiError) as caught:
            await client.run(account.source.listed("deals", None))

    assert caught.value.reason == "unreachable"
    assert "answered what is not JSON" in str(caught.value)
    assert "Ana" not in str(caught.value)


async def test_an_api_that_lies_elsewhere_is_said_and_no_token_goes_there(account: Account) -> None:
    account.crm.faults.append(Response(302, {}, {"Location": f"{account.crm.url}/elsewhere"}))
    async with account.client() as client:
        with pytest.raises(CrmApiError, match=r"answered 302: it lies elsewhere; is api.url right") as caught:
            await client.run(account.source.listed("deals", None))

    assert caught.value.reason == "refused"
    assert [path for _, path in account.crm.requests if "elsewhere" in path] == []


async def test_the_limit_of_the_day_is_told_and_not_waited_for(account: Account) -> None:
    account.crm.faults.append(Response(429, {"policyName": "DAILY"}))
    async with account.client() as client:
        with pytest.raises(CrmApiError) as caught:
            await client.run(account.source.listed("deals", None))

    assert (caught.value.reason, caught.value.wait) == ("limit", 3600.0)


def of_the_day(left: int, of: int | None) -> Response:
    if of is None:
        return Response(200, {"results": []}, {"X-API-CREDITS-REMAINING": str(left)})
    told = {"X-HubSpot-RateLimit-Daily": str(of), "X-HubSpot-RateLimit-Daily-Remaining": str(left)}
    return Response(200, {"results": []}, told)


async def test_the_last_fifth_of_a_day_is_left_to_look_ups(account: Account) -> None:
    account.crm.faults += [of_the_day(201, 1000), of_the_day(200, 1000)]
    async with account.client() as client:
        await client.run(account.source.listed("deals", None))
        await client.run(account.source.listed("deals", None))
        with pytest.raises(CrmApiError) as caught:
            await client.run(account.source.listed("deals", None))
        await client.run(account.source.listed("deals", None), may_wait=False)

    assert (caught.value.reason, caught.value.wait) == ("limit", 3600.0)
    assert "look-ups" in str(caught.value)
    assert client.requests == 3


async def test_after_an_hour_what_may_wait_asks_once_more_and_goes_on_in_a_new_day(account: Account) -> None:
    account.crm.faults += [of_the_day(10, 1000), of_the_day(9, 1000), of_the_day(990, 1000)]
    async with account.client() as client:
        for _ in range(2):
            await client.run(account.source.listed("deals", None))
            with pytest.raises(CrmApiError):
                await client.run(account.source.listed("deals", None))
            await account.clock.sleep(3600)
        await client.run(account.source.listed("deals", None))
        await client.run(account.source.listed("deals", None))

    assert client.requests == 4


async def test_without_a_total_the_reserve_is_a_fifth_of_the_most_that_was_left(account: Account) -> None:
    account.crm.faults += [of_the_day(1000, None), of_the_day(201, None), of_the_day(200, None)]
    async with account.client() as client:
        for _ in range(3):
            await client.run(account.source.listed("deals", None))
        with pytest.raises(CrmApiError):
            await client.run(account.source.listed("deals", None))


async def test_what_never_answers_is_given_up(account: Account) -> None:
    account.crm.faults += [Response(500)] * ATTEMPTS
    async with account.client() as client:
        with pytest.raises(CrmApiError) as caught:
            await client.run(account.source.listed("deals", None))

    assert caught.value.reason == "unreachable"
    assert len(account.crm.requests) == ATTEMPTS


@pytest.mark.parametrize("following", [None, [1], "2"])
async def test_an_answer_that_nobody_thought_of_is_a_wrong_one_and_ends_nothing_else(
    account: Account, following: object
) -> None:
    account.crm.faults.append(Response(200, {"results": [{"id": "1"}], "paging": {"next": following}}))
    async with account.client() as client:
        with pytest.raises(BadAnswerError, match="not as it is documented"):
            await client.run(account.source.everybody())

        assert (await client.run(account.source.everybody())).object == "owners"


async def test_half_a_character_in_one_record_costs_no_other_of_its_page(account: Account) -> None:
    """A sender cut a name in the middle of an emoji, and an amount is none."""
    page = b'{"results":[{"id":"1","name":"Ana \\ud83d"},{"id":"2","name":"Ben","amount":1e400}]}'
    account.crm.faults.append(Response(200, raw=page))

    def steps() -> Steps[Envelope]:
        answer = yield Ask("GET", "/odd")
        return Envelope(object="contacts", records=answer.data["results"])

    async with account.client() as client:
        found = await client.run(steps())

    assert found.records == [{"id": "1", "name": "Ana \ufffd"}, {"id": "2", "name": "Ben", "amount": None}]
    assert decode_envelope(encode_envelope(found)) == found


@pytest.mark.parametrize(("status", "reason"), [(403, "forbidden"), (404, "refused"), (400, "refused")])
async def test_what_is_refused_is_asked_once(account: Account, status: int, reason: str) -> None:
    account.crm.faults.append(Response(status, {"message": "no"}))
    async with account.client() as client:
        with pytest.raises(CrmApiError) as caught:
            await client.run(account.source.listed("deals", None))

    assert caught.value.reason == reason
    assert len(account.crm.requests) == 1


async def test_a_token_that_is_not_taken_is_renewed_once_and_never_told(account: Account) -> None:
    account.crm.tokens = {"another"}
    async with account.client() as client:
        with pytest.raises(CrmApiError) as caught:
            await client.run(account.source.listed("deals", None))

    assert caught.value.reason == "credentials"
    assert len(account.crm.requests) == 2
    assert TAKEN not in str(caught.value)


async def test_an_expired_token_is_renewed_once_for_all(account: Account) -> None:
    logins: list[str] = []

    class Renewing(HubSpotSource):
        def login(self) -> Steps[Mapping[str, str]]:
            logins.append("login")
            return {"authorization": f"Bearer token-{len(logins)}"}
            yield Ask("GET", "/")

    account.crm.tokens = {"token-1"}
    account.source = Renewing(address=account.crm.url, token="", objects=BY_TYPE_ID)
    async with account.client() as client:
        await client.run(account.source.listed("deals", None))
        account.crm.tokens = {"token-2"}
        await client.run(account.source.listed("deals", None))
        await client.run(account.source.listed("deals", None))

    assert logins == ["login", "login"]


class Tokens(HubSpotSource):
    """An API whose tokens are asked for."""

    def login(self) -> Steps[Mapping[str, str]]:
        answer = yield Ask("GET", "/token")
        return {"authorization": f"Bearer {answer.data['token']}"}


async def test_a_token_that_expires_under_several_requests_is_renewed_once(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = account.crm.answer

    def answer(request: Request) -> Response:
        return Response(200, {"token": min(account.crm.tokens)}) if request.path == "/token" else answered(request)

    monkeypatch.setattr(account.crm, "answer", answer)
    account.source = Tokens(address=account.crm.url, token="", objects=BY_TYPE_ID)
    account.crm.tokens = {"first"}
    async with account.client() as client:
        await client.run(account.source.listed("deals", None))
        account.crm.tokens = {"second"}
        await asyncio.gather(*(client.run(account.source.listed("deals", None)) for _ in range(3)))

    assert [path for _, path in account.crm.requests].count("/token") == 2


async def test_a_limit_on_tokens_is_waited_for_and_no_loss_of_credentials(account: Account) -> None:
    account.source = Tokens(address=account.crm.url, token="", objects=BY_TYPE_ID)
    account.crm.faults += [
        Response(429, {}, {"Retry-After": "40"}), Response(503), None, Response(200, raw=b"<html>"),
        Response(200, {"token": TAKEN}),
    ]  # fmt: skip
    async with account.client() as client:
        assert await client.run(account.source.listed("deals", None))

    assert account.slept == [40.0, 2.0, 4.0, 8.0]


async def test_who_is_given_no_token_is_not_asked_again(account: Account) -> None:
    account.source = Tokens(address=account.crm.url, token="", objects=BY_TYPE_ID)
    account.crm.faults.append(Response(401, {"error": "invalid_client"}))
    async with account.client() as client:
        with pytest.raises(CrmApiError, match="/token: answered 401: no token for api") as caught:
            await client.run(account.source.listed("deals", None))

    assert caught.value.reason == "credentials"
    assert len(account.crm.requests) == 1


async def test_a_batch_is_read_part_by_part(account: Account) -> None:
    crm = account.crm
    there, _ = crm.create("calls", {"hs_call_direction": "OUTBOUND"})
    gone, _ = crm.create("calls", {})
    crm.archive("calls", gone)
    async with account.client() as client:
        found = await client.run(account.source.read("calls", [there, gone, "99999"]))

    assert isinstance(found, Envelope)
    assert [(record["id"], record["archived"]) for record in found.records] == [(there, False), (gone, True)]
    assert found.missing == ["99999"]


async def test_all_associations_are_read_however_many_pages_they_have(account: Account) -> None:
    crm = account.crm
    call, _ = crm.create("calls", {})
    contacts = [crm.create("contacts", {})[0] for _ in range(5)]
    for contact in contacts:
        crm.associate("calls", call, "contacts", contact)
    async with account.client() as client:
        found = await client.run(account.source.links("calls", [call]))

    assert [entry["id"] for entry in found.records[0]["associations"]["contacts"]] == contacts


async def test_no_record_is_lost_where_a_query_gives_no_more_than_its_cap(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.fakes.hubspot.SEARCH_CAP", 400)
    ids = {account.crm.create("calls", {}, at=account.crm.now() - 60_000)[0] for _ in range(1001)}
    found: list[str] = []
    async with account.client() as client:
        cursor: str | None = None
        while True:
            page = await client.run(account.source.changed("calls", 0, cursor))
            found += [id for id, _ in page.found]
            cursor = page.cursor
            if cursor is None:
                break

    assert len(found) == 1001
    assert set(found) == ids
    assert page.total == 1
