"""When giving up stops being an answer: too many of several tenants, or one tenant's in a row."""

from hypothesis import given
from hypothesis import strategies as st

from common.broker.engine.circuit import Circuit, Conditions, Halt, Suspend
from common.ids import Ulid, new_id

A, B, C = new_id(), new_id(), new_id()
CONDITIONS = Conditions(window=10, count=3, share=0.5, run=100)
IMPATIENT = Conditions(window=10, count=100, share=0.5, run=2)


def test_records_of_several_tenants_that_fail_halt_the_consumer_before_one_more_is_given_up() -> (
    None
):
    circuit = Circuit(CONDITIONS)

    decisions = [circuit.give_up(tenant) for tenant in (A, B, C, A)]

    assert decisions == [
        None,
        None,
        None,
        Halt("4 of the last 4 records were given up, of 3 tenants"),
    ]


def test_records_that_cannot_be_decoded_halt_the_consumer_whoever_sent_them() -> None:
    circuit = Circuit(CONDITIONS)

    decisions = [circuit.give_up(None) for _ in range(4)]

    assert decisions == [None, None, None, Halt("4 of the last 4 records could not be decoded")]


def test_two_tenants_are_not_several() -> None:
    circuit = Circuit(CONDITIONS)

    assert [circuit.give_up(tenant) for tenant in (A, B) * 4] == [None] * 8


def test_many_that_fail_among_more_that_go_well_halt_nobody() -> None:
    circuit = Circuit(CONDITIONS)

    for tenant in (A, B, C) * 5:
        circuit.handled(tenant)
        assert circuit.give_up(tenant) is None


def test_what_fell_out_of_the_window_counts_no_more() -> None:
    circuit = Circuit(CONDITIONS)
    for tenant in (A, B, C):
        circuit.give_up(tenant)
    for _ in range(10):
        circuit.handled(A)

    assert [circuit.give_up(tenant) for tenant in (A, B, C)] == [None] * 3


def test_a_run_of_one_tenant_suspends_it_before_one_more_is_given_up() -> None:
    circuit = Circuit(IMPATIENT)

    decisions = [circuit.give_up(tenant) for tenant in (A, B, A, A)]

    assert decisions == [None, None, None, Suspend(A, "2 records in a row were given up")]


def test_a_success_between_ends_the_run_and_another_tenant_s_does_not() -> None:
    circuit = Circuit(IMPATIENT)
    circuit.give_up(A)
    circuit.give_up(A)

    circuit.handled(B)
    still = circuit.give_up(A)
    circuit.handled(A)
    over = circuit.give_up(A)

    assert (still, over) == (Suspend(A, "2 records in a row were given up"), None)


def test_a_tenant_that_was_suspended_begins_anew() -> None:
    circuit = Circuit(IMPATIENT)
    circuit.give_up(A)
    circuit.give_up(A)

    circuit.forgive(A)

    assert circuit.give_up(A) is None


def test_a_halt_is_said_again_as_long_as_it_is_so() -> None:
    circuit = Circuit(CONDITIONS)
    for tenant in (A, B, C):
        circuit.give_up(tenant)

    assert circuit.give_up(B) == circuit.give_up(B) == circuit.give_up(B)


@given(st.lists(st.tuples(st.sampled_from([A, B, C, None]), st.booleans()), max_size=60))
def test_it_decides_as_one_who_remembers_everything(steps: list[tuple[Ulid | None, bool]]) -> None:
    circuit, past = Circuit(CONDITIONS), list[tuple[Ulid | None, bool]]()
    for tenant, well in steps:
        if well and tenant is not None:
            circuit.handled(tenant)
            past.append((tenant, True))
        elif circuit.give_up(tenant) is None:
            past.append((tenant, False))
            assert not too_many(past[-10:])
        else:
            assert too_many([*past, (tenant, False)][-10:])


def too_many(past: list[tuple[Ulid | None, bool]]) -> bool:
    """Judge a whole window by its last record's kind."""
    undecodable = past[-1][0] is None
    failed = [tenant for tenant, well in past if not well and (tenant is None) is undecodable]
    several = undecodable or len(set(failed)) >= 3
    return several and len(failed) > max(3, 0.5 * len(past))
