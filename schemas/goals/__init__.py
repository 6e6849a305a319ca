"""Goals as weights on days: what somebody is to reach in which days, and how far they are.

    goal(scope, days) = Σ days Σ people amount(person, day) x work(day) / work(period)

Owns the rule, in exact numbers; api and processor use it alike. Pure: the clock is an argument. What a goal is made of
is configuration (schemas/config/goals.py) and records; what was reached is read from panes by whoever asks.

    periods.py    which days a period has
    work.py       how much is scheduled on a day
    amounts.py    how much, for whom, since when
    people.py     who was there on which days, in which team
    targets.py    the three together
    standing.py   target and actual compared
"""
