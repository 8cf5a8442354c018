import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from simulator.faults import (
    CallbackFault,
    CreateFault,
    Draw,
    FaultPlan,
    ListFault,
    plan_callbacks,
)
from simulator.statuses import Step

STEPS = [Step("sent", 1), Step("delivered", 2), Step("read", 3)]


def plan(**sections: object) -> FaultPlan:
    return FaultPlan.model_validate(sections)


def posted(*faults: CallbackFault | None) -> list[tuple[str, float]]:
    draws = iter(faults)
    return [(one.step.status, one.after) for one in plan_callbacks(STEPS, lambda: next(draws))]


def test_without_a_plan_nothing_goes_wrong() -> None:
    draw = Draw(FaultPlan(), seed=1)

    assert [draw.create(), draw.callback(), draw.inbound(), draw.list()] == [None] * 4


def test_a_count_runs_out() -> None:
    draw = Draw(plan(create={"429": {"next": 2}}), seed=1)

    drawn = [draw.create() for _ in range(3)]

    assert drawn == [CreateFault.TOO_MANY_REQUESTS, CreateFault.TOO_MANY_REQUESTS, None]
    assert draw.plan.create[CreateFault.TOO_MANY_REQUESTS].next == 0


def test_several_counts_come_one_after_the_other() -> None:
    draw = Draw(plan(create={"429": {"next": 1}, "reset": {"next": 1}}), seed=1)

    assert [draw.create(), draw.create(), draw.create()] == ["429", "reset", None]


def test_the_plan_that_was_given_stays_as_it_was() -> None:
    given_plan = plan(list={"delay": {"next": 1}})

    assert Draw(given_plan, seed=1).list() is ListFault.DELAY
    assert given_plan.list[ListFault.DELAY].next == 1


def test_the_same_seed_gives_the_same_faults_again() -> None:
    halves = plan(callbacks={"drop": {"rate": 0.5}})

    def sequence(seed: int) -> list[CallbackFault | None]:
        draw = Draw(halves, seed=seed)
        return [draw.callback() for _ in range(40)]

    assert sequence(7) == sequence(7)
    assert sequence(7) != sequence(8)
    assert 5 < sequence(7).count(CallbackFault.DROP) < 35


def test_a_draw_goes_on_where_the_kept_plan_stopped() -> None:
    halves = plan(callbacks={"drop": {"rate": 0.5}})
    whole, first = Draw(halves, seed=7), Draw(halves, seed=7)
    expected = [whole.callback() for _ in range(20)]

    begun = [first.callback() for _ in range(10)]
    kept = FaultPlan.model_validate_json(first.plan.model_dump_json())
    second = Draw(kept, seed=7)

    assert begun + [second.callback() for _ in range(10)] == expected


def test_the_plans_own_seed_takes_the_settings_place() -> None:
    def sequence(seed: int, own: int | None = None) -> list[CallbackFault | None]:
        draw = Draw(plan(callbacks={"drop": {"rate": 0.5}}, seed=own), seed=seed)
        return [draw.callback() for _ in range(40)]

    assert sequence(1, own=9) == sequence(2, own=9) == sequence(9)


@pytest.mark.parametrize(
    "wrong",
    [
        {"create": {"503": {"next": 1}}},
        {"create": {"429": {"next": -1}}},
        {"callbacks": {"drop": {"rate": 1.1}}},
        {"callbacks": {"drop": {"often": 1}}},
        {"sends": {}},
    ],
)
def test_a_plan_that_means_nothing_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        plan(**wrong)


def test_which_faults_send_the_message_all_the_same() -> None:
    assert {fault.value for fault in CreateFault if fault.accepts} == {
        "timeout_after_accept",
        "reset_after_accept",
        "500_after_accept",
    }


def test_without_faults_every_status_is_posted_once_in_order() -> None:
    assert posted(None, None, None) == [("sent", 1), ("delivered", 2), ("read", 3)]


def test_a_duplicate_follows_its_original() -> None:
    duplicate = posted(None, CallbackFault.DUPLICATE, None)

    assert duplicate == [("sent", 1), ("delivered", 2), ("delivered", 2), ("read", 3)]


def test_a_reordered_status_swaps_moments_with_the_next() -> None:
    assert posted(CallbackFault.REORDER, None, None) == [("delivered", 1), ("sent", 2), ("read", 3)]


def test_the_last_status_has_nothing_to_swap_with() -> None:
    assert posted(None, None, CallbackFault.REORDER) == posted(None, None, None)


@given(st.lists(st.sampled_from([None, *CallbackFault]), min_size=3, max_size=3))
def test_whatever_goes_wrong_time_goes_forward_and_no_status_is_forgotten(
    faults: list[CallbackFault | None],
) -> None:
    callbacks = posted(*faults)

    assert [after for _, after in callbacks] == sorted(after for _, after in callbacks)
    assert {status for status, _ in callbacks} == {"sent", "delivered", "read"}
    assert len(callbacks) == 3 + faults.count(CallbackFault.DUPLICATE)
