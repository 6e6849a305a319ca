"""SIGHUP of a worker: what is heard early is not lost, and a file with an error changes nothing."""

from processor.app import Hangup


def test_what_is_heard_leads_to_what_was_said_last() -> None:
    heard: list[str] = []
    hangup = Hangup()

    hangup.lead_to(lambda: heard.append("a"))
    hangup.hear()
    hangup.hear()

    assert heard == ["a", "a"]


def test_what_was_heard_before_there_was_anybody_to_act_is_made_up_for() -> None:
    heard: list[str] = []
    hangup = Hangup()
    hangup.hear()

    hangup.lead_to(lambda: heard.append("a"))

    assert heard == ["a"]
