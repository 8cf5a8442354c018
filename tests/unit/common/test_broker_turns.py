"""Tenants take turns, and none has more than its share."""

from hypothesis import given
from hypothesis import strategies as st

from common.broker.engine.held import Held
from common.broker.engine.turns import Turns
from common.broker.transport import Delivery
from common.events import Record


def held(tenant: str, number: int = 0) -> Held:
    record = Record("topic", f"{tenant}{number}", (("ce_tenantid", tenant.encode()),), b"")
    return Held(Delivery(record, f"{tenant}{number}", token=None, shard="0"))


def taken(turns: Turns) -> list[str]:
    order: list[str] = []
    while (each := turns.take()) is not None:
        order.append(each.delivery.record_id)
    return order


def test_a_thousand_of_one_tenant_do_not_stand_before_another_s_one() -> None:
    turns = Turns(share=5000)
    for number in range(1000):
        turns.add(held("a", number))
    turns.add(held("b"))

    assert taken(turns)[:3] == ["a0", "b0", "a1"]


def test_no_tenant_runs_more_than_its_share_at_a_time() -> None:
    turns = Turns(share=2)
    many = [held("a", number) for number in range(4)]
    for each in many:
        turns.add(each)
    turns.add(held("b"))

    first = taken(turns)
    turns.end(many[0])
    then = taken(turns)

    assert first == ["a0", "b0", "a1"]
    assert then == ["a2"]


def test_a_record_that_is_gone_has_no_turn() -> None:
    turns, gone = Turns(share=1), [held("a"), held("b")]
    for each in (*gone, held("a", 1)):
        turns.add(each)

    for each in gone:
        each.state = "gone"
    turns.forget_the_gone()

    assert taken(turns) == ["a1"]


def test_what_is_gone_takes_no_turn_from_a_tenant_that_runs_as_much_as_it_may() -> None:
    turns, gone = Turns(share=1), held("a", 1)
    for each in (held("a"), gone, held("a", 2)):
        turns.add(each)
    running = turns.take()
    assert running is not None

    gone.state = "gone"
    turns.forget_the_gone()
    meanwhile = taken(turns)
    turns.end(running)

    assert meanwhile == []
    assert taken(turns) == ["a2"]


def test_a_tenant_whose_waiting_records_are_gone_has_a_turn_again_with_its_next() -> None:
    turns, gone = Turns(share=2), held("a", 1)
    turns.add(held("a"))
    turns.add(gone)
    running = turns.take()

    gone.state = "gone"
    turns.forget_the_gone()
    turns.add(held("a", 2))

    assert running is not None
    assert taken(turns) == ["a2"]


def test_the_record_that_is_put_first_waits_while_its_tenant_has_its_share() -> None:
    turns = Turns(share=1)
    turns.add(held("a"))
    running = turns.take()
    assert running is not None

    turns.add_first(held("a", 9))
    meanwhile = taken(turns)
    turns.end(running)

    assert meanwhile == []
    assert taken(turns) == ["a9"]


def test_a_record_without_a_tenant_has_its_turn_too() -> None:
    turns = Turns(share=1)
    bare = Held(Delivery(Record("topic", "key", (), b""), "bare", token=None, shard="0"))
    turns.add(bare)

    assert taken(turns) == ["bare"]


def test_the_record_that_is_put_first_comes_before_every_tenant_s() -> None:
    turns = Turns(share=1)
    turns.add(held("a"))
    turns.add(held("b"))

    turns.add_first(held("b", 9))

    assert taken(turns) == ["b9", "a0"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans())), st.integers(1, 3))
def test_nothing_is_forgotten_and_no_share_exceeded_in_any_interleaving(
    steps: list[tuple[str, bool]], share: int
) -> None:
    turns, running, ended = Turns(share), list[Held](), 0
    for number, (tenant, ends) in enumerate(steps):
        turns.add(held(tenant, number))
        if (each := turns.take()) is not None:
            running.append(each)
        assert all(
            [each.tenant for each in running].count(one) <= share for one in (b"a", b"b", b"c")
        )
        if ends and running:
            turns.end(running.pop(0))
            ended += 1
    while (each := running.pop() if running else turns.take()) is not None:
        turns.end(each)
        ended += 1
    assert ended == len(steps)
