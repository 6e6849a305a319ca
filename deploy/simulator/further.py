"""What a floor tells beside calls, mails, meetings, leads and deals: customers, money given back, absences, goals.

Owns the names of people and sources, the fields of these, and those that only some CRMs send of the others (who logged
it and when, whom a mail went to, what a deal sells). Pure: the random numbers are the floor's.
"""

from random import Random
from typing import Any

from schemas.instants import DAY, HOUR, MINUTE, SECOND, format_instant

CUSTOMERS = 400
FIRST = (
    "Ana", "Bilal", "Chloe", "Dmitri", "Esra", "Femi", "Grace", "Hiro", "Ines", "Jonas", "Kavya", "Liam",
    "Mei", "Nadia", "Omar", "Priya", "Quentin", "Rosa", "Samuel", "Tove", "Uma", "Viktor", "Wanjiru", "Ximena", "Yusuf",
    "Zofia",
)  # fmt: skip
LAST = (
    "Lim", "Okafor", "Martin", "Schneider", "Yilmaz", "Garcia", "Novak", "Tanaka", "Silva", "Berg", "Iyer", "Murphy",
    "Chen", "Haddad", "Rossi", "Kowalska", "Dubois", "Mwangi", "Petrov", "Larsen", "Nguyen", "Cohen", "Abebe",
)  # fmt: skip
TEAMS = ("Inbound", "Mid-Market", "Enterprise")
LEAD_SOURCES = (
    ("demo_request", 18), ("website", 26), ("webinar", 12), ("referral", 12), ("trade_show", 9), ("partner", 8),
    ("cold_list", 15),
)  # fmt: skip
PRODUCTS = ("Starter", "Team", "Business", "Enterprise")
_SIZES = ("small", "medium", "large")
_REGIONS = ("north", "south")
_ROLES = ("opener", "closer")
_REASONS = ("price", "timing", "competitor", "no answer")
_INDUSTRIES = ("health", "retail", "logistics", "software")

CrmFields = dict[str, Any]


def person(index: int) -> str:
    """The name of the so-manieth person; each has another."""
    first, last = FIRST[index % len(FIRST)], LAST[(index + index // len(FIRST)) % len(LAST)]
    again = index // (len(FIRST) * len(LAST))
    return f"{first} {last}" + (f" {again + 1}" if again else "")


def customer(random: Random) -> str:
    """One of the floor's customers."""
    return f"customer-{random.randrange(CUSTOMERS)}"


def subscription(random: Random, rep: str, at: int) -> CrmFields:
    """What a customer pays each month: running, over, or yet to begin."""
    starts = at - random.randrange(500) * DAY + 30 * DAY
    months = random.choice((1, 12, 12, None))
    return {
        "rep": rep, "customer": customer(random), "product": random.choice(PRODUCTS), "starts_at": starts,
        "ends_at": None if months is None else starts + months * 30 * DAY,
        "monthly_amount": f"{random.randint(2, 90) * 10}.00", "currency": "USD",
    }  # fmt: skip


def credit(random: Random, rep: str, deal: str | None, at: int) -> CrmFields:
    """Money given back."""
    return {
        "rep": rep, "deal": deal, "customer": customer(random), "at": at,
        "amount": f"{random.randint(1, 40) * 25}.00", "currency": "USD",
    }  # fmt: skip


def absence(random: Random, rep: str, at: int) -> CrmFields:
    """Days on which somebody is away, or half of each."""
    first = at + random.randint(-10, 20) * DAY
    last = first + random.choice((0, 0, 1, 4)) * DAY
    return {"rep": rep, "from": _date(first), "to": _date(last), "share": random.choice(("1", "1", "0.5"))}


def goal(random: Random, rep: str, at: int) -> CrmFields:
    """What is expected of somebody, or now and then of a team, from a day on."""
    whose: CrmFields = {"team": random.choice(TEAMS)} if random.random() < 0.2 else {"rep": rep}
    return {"goal": "quota", **whose, "since": _date(at), "amount": f"{random.randint(20, 60) * 1000}"}


def of_person(random: Random, at: int) -> CrmFields:
    """What else a CRM knows of who works there: some are there for a time only.

    No photo: that is a file below `media/`, and of these people there is none.
    """
    return {
        "region": random.choice(_REGIONS), "role": random.choice(_ROLES),
        "attributes": {"hired_as": random.choice(_ROLES), "floor": str(random.randint(1, 3))},
        "until": at + random.randint(30, 400) * DAY,
    }  # fmt: skip


def activity(random: Random, rep: str, lead: str | None, at: int) -> CrmFields:
    """Use of a tool, money spent, or visitors of a site."""
    kind = random.choice(("tool_used", "cost", "visitors"))
    fields: CrmFields = {"rep": rep, "lead": lead, "at": at, "kind": kind, "value": str(random.randint(1, 10))}
    if kind == "cost":
        fields |= {"currency": "USD", "attributes": {"for": random.choice(_INDUSTRIES)}}
    return fields


def phone_number(random: Random) -> str:
    """A telephone number."""
    return f"+1555{random.randrange(10_000_000):07}"


def of_lead(random: Random, at: int) -> CrmFields:
    """What else a CRM knows of a lead."""
    return {
        "name": f"Contact {random.randrange(10_000)}", "company": f"Company {random.randrange(2000)}",
        "value": f"{random.randint(5, 90) * 100}.00", "currency": "USD",
        "next_step_at": at + random.randint(1, 72) * HOUR if random.random() < 0.6 else None,
        "attributes": {"industry": random.choice(_INDUSTRIES)},
    }  # fmt: skip


def deal_details(random: Random, amount: str, at: int) -> CrmFields:
    """What is sold, to whom, and at which price."""
    listed = float(amount) * random.choice((1, 1, 1.1, 1.25))
    return {
        "name": f"Deal {random.randrange(10_000)}", "units": random.randint(1, 20), "list_amount": f"{listed:.2f}",
        "cost": f"{float(amount) * random.uniform(0.2, 0.7):.2f}", "customer": customer(random),
        "size": random.choice(_SIZES), "region": random.choice(_REGIONS),
        "attributes": {"industry": random.choice(_INDUSTRIES)},
        "next_step_at": at + random.randint(-24, 96) * HOUR if random.random() < 0.7 else None,
    }  # fmt: skip


def lost_reason(random: Random) -> str:
    """Why a deal was lost."""
    return random.choice(_REASONS)


def logged(random: Random, rep: str, at: int) -> CrmFields:
    """Who wrote it down, and when: mostly the person, and soon."""
    lag = random.randint(0, 40) * (MINUTE if random.random() < 0.2 else SECOND)
    return {"logged_at": at + lag, "logged_by": rep}


def contacts(random: Random, lead: str | None) -> list[str]:
    """All to whom a mail went."""
    others = [f"contact-{random.randrange(3000)}" for _ in range(random.choice((0, 0, 1, 3)))]
    return ([lead] if lead is not None else []) + others


def _date(at: int) -> str:
    return format_instant(at)[:10]
