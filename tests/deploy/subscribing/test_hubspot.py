"""What `check --online` says of a HubSpot account, over a fake of it that gives some scopes and not others."""

from zoneinfo import ZoneInfo

from deploy.subscribing.asking import Finding
from deploy.subscribing.online import connect, look_online
from tests.deploy.subscribing.crms import NOW, Crm, Opens
from tests.fakes.hubspot import Owner


def looked(crm: Crm, **more: object) -> list[Finding]:
    return list(look_online("hub", crm.connection(**more), last_delivery_at=NOW))


def test_a_good_token_with_all_scopes(crms: Opens) -> None:
    found = looked(crms("hubspot"))

    assert [each.words for each in found] == [
        "the token is good: portal 62515",
        "the scopes are there: contacts, deals, calls, emails, meetings, owners can be read",
        "the portal has no Lead objects",
        "webhooks: HubSpot does not tell of them; the last delivery does",
        "limits: 92 of 100 requests left",
        "last delivery: 2026-11-29T12:00:00.000Z",
    ]
    assert not any(each.is_wrong for each in found)


def test_a_missing_scope_is_named(crms: Opens) -> None:
    crm = crms("hubspot")
    crm.fake.lacks |= {"deals", "owners"}

    assert [each.words for each in looked(crm) if each.is_wrong] == [
        "a scope is missing: the token may not read deals, owners"
    ]


def test_lead_objects_are_told_of(crms: Opens) -> None:
    crm = crms("hubspot")
    crm.fake.create("leads", {"hs_lead_name": "A lead"})
    assert "the portal has Lead objects, which leads: contacts does not read" in [each.words for each in looked(crm)]
    assert "the portal has Lead objects" in [each.words for each in looked(crm, leads="both")]

    crm.fake.lacks.add("leads")
    unknown = "whether there are Lead objects is not known: crm.objects.leads.read is missing"
    assert [each.is_wrong for each in looked(crm) if each.words == unknown] == [False]
    assert [each.is_wrong for each in looked(crm, leads="leads") if each.words == unknown] == [True]


def test_a_bad_token_is_told_and_not_shown(crms: Opens) -> None:
    crm = crms("hubspot")
    crm.fake.tokens = {"another"}

    found = looked(crm)

    assert [each.is_wrong for each in found] == [True, False]
    assert "credentials are not taken" in found[0].words
    assert "pat-token-1" not in found[0].words


def test_an_alias_that_is_the_id_of_a_user_is_told_with_that_of_the_owner(crms: Opens) -> None:
    crm = crms("hubspot")
    for place, archived in ((1, False), (2, True)):
        id = str(place)
        crm.fake.owners[id] = Owner(id, place + 600, "Ana", "Lim", "a@example.com", None, 0, archived=archived)
    connection = crm.connection()
    connection.knows(["1", "601", "2", "602", "77"], ZoneInfo("UTC"))

    found = [*look_online("hub", connection, last_delivery_at=NOW)]

    assert [(each.words, each.is_wrong) for each in found if "aliases" in each.words] == [
        ("of the ids in aliases 601 is of a user, who is followed as the owner 1", False),
        ("of the ids in aliases 602 is of a user, who is followed as the owner 2", False),
        ("of the ids in aliases 77 is of nobody in the portal", False),
    ]


def test_who_may_not_read_owners_is_told_so_once_and_the_rest_all_the_same(crms: Opens) -> None:
    crm = crms("hubspot")
    plain = [each.words for each in looked(crm)]
    crm.fake.lacks.add("owners")

    connection = crm.connection()
    connection.knows(["601"], ZoneInfo("UTC"))
    found = [*look_online("hub", connection, last_delivery_at=NOW)]

    assert [each.words for each in found if each.is_wrong] == ["a scope is missing: the token may not read owners"]
    assert [each.words for each in found if each.words.startswith("limits: ")] != []
    assert len(found) == len(plain)


def test_nothing_is_subscribed_for_it(crms: Opens) -> None:
    assert connect("hub", crms("hubspot").connection(), NOW) is None
