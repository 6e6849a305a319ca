"""Settings that floorcast cannot work with are refused; those that are merely less safe are remarked on."""

from schemas.instants import DAY
from schemas.topic_settings import remark, unusable
from schemas.topics import TOPICS


def test_every_topic_is_usable_as_it_is_made() -> None:
    assert [line for topic in TOPICS for line in unusable(topic.name, topic, topic.settings(DAY))] == []


def test_one_copy_and_one_acknowledgement_are_named_on_a_cluster_of_three_alone() -> None:
    assert remark("t", 1, {"min.insync.replicas": "1"}, 1) is None
    assert remark("t", 3, {"min.insync.replicas": "2"}, 3) is None
    assert "one copy on a cluster of 3" in (remark("t", 1, {"min.insync.replicas": "1"}, 3) or "")
    assert "min.insync.replicas is 1" in (remark("t", 3, {"min.insync.replicas": "1"}, 3) or "")
