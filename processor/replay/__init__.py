"""A new generation of everything derived, made from the log in bulk and served in place of the old one.

    cut.py        pure: what is taken from the old generation instead of the log
    spool.py      files through which the processes of a replay hand work on
    hand.py       one of these processes: parses, folds and groups its share, with the same core as the stages
    hands.py      all of them, pass by pass
    replay.py     the whole of it, step by step
    dead_letters.py   those that nobody has found before are added, with the handover
    handover.py   workers stand still, what was told is carried over, the pointer turns

Nothing of it touches what is served before the last step.
"""
