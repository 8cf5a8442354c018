"""Lanes: one record of a key at a time, in order; keys in turn."""

from hypothesis import given
from hypothesis import strategies as st

from common.broker.engine.held import Held
from common.broker.engine.lanes import Lanes
from common.broker.transport import Delivery
from common.events import Record

NOW = 0.0


def delivery(key: str, number: int = 0, *, shard: str = "0") -> Delivery:
    return Delivery(Record("topic", key, (), b""), f"{key}{number}", token=None, shard=shard)


def filled(*keys: str) -> Lanes:
    lanes = Lanes(per_tenant=100)
    for number, key in enumerate(keys):
        lanes.add(delivery(key, number))
    return lanes


def taken(lanes: Lanes) -> Held:
    held = lanes.take(NOW)
    assert held is not None
    return held


def test_the_second_record_of_a_key_is_not_taken_before_the_first_is_settled() -> None:
    lanes = filled("a", "a")

    first = taken(lanes)
    nothing = lanes.take(NOW)
    lanes.settle(first)
    second = taken(lanes)

    assert nothing is None
    assert [first.delivery.record_id, second.delivery.record_id] == ["a0", "a1"]


def test_a_busy_key_goes_to_the_end_of_the_queue_after_each_record() -> None:
    lanes = filled("a", "a", "b")

    lanes.settle(taken(lanes))

    assert [taken(lanes).delivery.record.key for _ in range(2)] == ["b", "a"]


def test_the_same_key_on_another_topic_is_another_lane() -> None:
    lanes = filled("a")
    lanes.add(Delivery(Record("other", "a", (), b""), "a", token=None, shard="0"))

    assert lanes.take(NOW) is not None
    assert lanes.take(NOW) is not None


def test_a_resting_record_keeps_its_lane_waiting_and_no_other() -> None:
    lanes = filled("a", "a", "b")
    resting = taken(lanes)

    lanes.rest(resting)
    meanwhile = [taken(lanes).delivery.record.key, lanes.take(NOW)]
    lanes.wake(resting)

    assert meanwhile == ["b", None]
    assert taken(lanes) is resting


def test_a_record_that_is_put_back_is_the_next_one() -> None:
    lanes = filled("a", "b")
    held = taken(lanes)

    lanes.put_back(held)

    assert taken(lanes) is held


def test_a_record_that_is_taken_again_begins_anew() -> None:
    lanes = filled("a")
    held = taken(lanes)
    held.reported = True
    lanes.put_back(held)

    lanes.take(7.0)

    assert held.started_at == 7.0
    assert not held.reported


def test_dropping_a_shard_forgets_what_is_not_running_and_tells_what_is() -> None:
    lanes = Lanes(per_tenant=100)
    for number, (key, shard) in enumerate([("a", "0"), ("a", "0"), ("b", "0"), ("c", "1")]):
        lanes.add(delivery(key, number, shard=shard))
    running = taken(lanes)

    left = lanes.drop({"0"})

    assert left == [running]
    assert running.leaving
    assert len(lanes) == 2
    assert taken(lanes).delivery.record.key == "c"
    assert lanes.take(NOW) is None


def test_a_record_that_was_dropped_while_it_rested_does_not_wake() -> None:
    lanes = filled("a")
    resting = taken(lanes)
    lanes.rest(resting)

    lanes.drop(None)
    lanes.wake(resting)

    assert lanes.take(NOW) is None
    assert resting.state == "gone"


def test_a_lane_whose_resting_head_was_dropped_goes_on_with_the_next() -> None:
    lanes = Lanes(per_tenant=100)
    lanes.add(delivery("a", 0, shard="old"))
    lanes.add(delivery("a", 1, shard="new"))
    lanes.rest(taken(lanes))

    lanes.drop({"old"})

    assert taken(lanes).delivery.record_id == "a1"


def test_what_is_kept_of_a_lane_goes_on_in_its_order() -> None:
    lanes = Lanes(per_tenant=100)
    for number, shard in enumerate(["old", "new", "new"]):
        lanes.add(delivery("a", number, shard=shard))

    lanes.drop({"old"})
    order = [settled(lanes, taken(lanes)) for _ in range(2)]

    assert order == ["a1", "a2"]
    assert len(lanes) == 0


def test_what_is_dropped_behind_a_running_record_does_not_follow_it() -> None:
    lanes = filled("a", "a")
    running = taken(lanes)

    lanes.drop(None)
    lanes.settle(running)

    assert lanes.take(NOW) is None
    assert len(lanes) == 0


def test_records_that_come_again_wait_behind_the_one_that_still_runs() -> None:
    lanes = filled("a")
    running = taken(lanes)
    lanes.drop(None)

    lanes.add(delivery("a", 0))
    nothing = lanes.take(NOW)
    lanes.settle(running)

    assert nothing is None
    assert taken(lanes).delivery.record_id == "a0"


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5))))
def test_any_interleaving_keeps_the_order_of_each_key_and_forgets_nothing(
    steps: list[tuple[str, int]],
) -> None:
    lanes, order, running = Lanes(per_tenant=100), list[str](), list[Held]()
    for number, (key, what) in enumerate(steps):
        lanes.add(delivery(key, number))
        if what % 2 and (held := lanes.take(NOW)) is not None:
            running.append(held)
        if what > 2 and running:
            order.append(settled(lanes, running.pop(0)))
        assert len({held.delivery.record.key for held in running}) == len(running)
    for held in running:
        order.append(settled(lanes, held))
    while (held := lanes.take(NOW)) is not None:
        order.append(settled(lanes, held))

    assert len(lanes) == 0
    for key in "abc":
        added = [f"{key}{number}" for number, step in enumerate(steps) if step[0] == key]
        assert [each for each in order if each[0] == key] == added


def settled(lanes: Lanes, held: Held) -> str:
    lanes.settle(held)
    return held.delivery.record_id
