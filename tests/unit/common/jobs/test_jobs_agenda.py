"""When a process looks for jobs of one kind: no clock, no database."""

from common.ids import Ulid, new_id
from common.jobs import Job
from common.jobs.agenda import Agenda, between_polls
from common.jobs.job import JobName

TENANT, OTHER = new_id(), new_id()
PAUSE = 10.0


def test_polls_are_spread_around_their_time() -> None:
    pauses = {between_polls(10.0) for _ in range(50)}

    assert all(5.0 <= pause <= 15.0 for pause in pauses)
    assert len(pauses) > 40


def test_a_process_looks_at_once_when_it_starts() -> None:
    assert Agenda(now=100.0).next_look == 100.0


def test_after_a_look_a_poll_comes_in_its_time() -> None:
    agenda = Agenda(now=0.0)

    looked(agenda, 1.0)

    assert agenda.next_look == agenda.next_poll == 1.0 + PAUSE


def test_a_process_looks_when_a_job_it_knows_of_is_due() -> None:
    agenda, looks = looked_at(0.0), list[float]()
    for due_at in (3.0, 1.0, 2.0):
        expect(agenda, due_at)

    for _ in range(3):
        looks.append(agenda.next_look)
        looked(agenda, agenda.next_look, job())

    assert looks == [1.0, 2.0, 3.0]


def test_what_is_due_in_the_far_future_is_left_to_the_polls() -> None:
    agenda = looked_at(0.0)

    expect(agenda, 3600.0)
    looked(agenda, PAUSE)

    assert agenda.next_look == PAUSE * 2


def test_a_job_that_was_expected_and_not_found_is_looked_for_once_more_soon() -> None:
    agenda = looked_at(0.0)
    expect(agenda, 1.0)

    looked(agenda, 1.0)
    second = agenda.next_look
    looked(agenda, second)

    assert 1.1 <= second <= 1.2
    assert agenda.next_look == second + PAUSE


def test_a_job_that_fell_due_during_a_claim_is_looked_for_again() -> None:
    agenda = looked_at(0.0)

    expect(agenda, 1.5)
    looked(agenda, 1.0, job())

    assert agenda.next_look == 1.5


def test_the_end_of_a_job_that_had_to_wait_makes_room_for_another_that_does() -> None:
    agenda = looked_at(0.0)

    agenda.ended(job(late=0.2), 1.0)

    assert agenda.next_look == 1.0


def test_the_end_of_a_job_that_was_taken_on_time_is_no_reason_to_look() -> None:
    agenda = looked_at(0.0)

    agenda.ended(job(), 1.0)

    assert agenda.next_look == PAUSE


def test_a_claim_that_took_all_that_it_wanted_may_have_left_more() -> None:
    agenda = looked_at(0.0)

    looked(agenda, 1.0, job(), wanted=1)

    assert agenda.next_look == 1.0
    assert agenda.next_poll > 1.0


def test_a_process_that_rests_looks_for_nothing() -> None:
    agenda = looked_at(0.0)

    expect(agenda, 1.0)
    agenda.rest_until(4.0)

    assert agenda.next_look == 4.0


# What a tenant may not have yet


def test_what_a_tenant_may_not_have_yet_is_looked_for_when_another_of_its_jobs_ends() -> None:
    agenda, running = at_its_cap()

    agenda.ended(running, 2.0)

    assert agenda.next_look == 2.0


def test_a_claim_that_succeeds_for_others_does_not_make_it_forget_whom_it_missed() -> None:
    agenda, running = at_its_cap()

    expect(agenda, 1.5, OTHER)
    looked(agenda, 1.5, job(OTHER))
    agenda.ended(running, 2.0)

    assert agenda.next_look == 2.0


def test_polls_that_find_nothing_do_not_make_it_forget_whom_it_missed() -> None:
    agenda, running = at_its_cap()

    for time in (11.0, 21.0, 31.0):
        looked(agenda, time)
    agenda.ended(running, 32.0)

    assert agenda.next_look == 32.0


def test_the_end_of_another_tenants_job_is_no_room_for_it() -> None:
    agenda, _ = at_its_cap()
    looked(agenda, 1.5, other := job(OTHER))

    agenda.ended(other, 2.0)

    assert agenda.next_look == 1.5 + PAUSE


def test_a_missed_job_that_was_found_is_missed_no_more() -> None:
    agenda, running = at_its_cap()
    looked(agenda, 1.5, job(key="waits"))

    agenda.ended(running, 2.0)

    assert agenda.next_look == 1.5 + PAUSE


def test_a_job_scheduled_several_times_is_missed_once() -> None:
    agenda = looked_at(0.0)
    for _ in range(3):
        expect(agenda, 1.0, key="burst")
    looked(agenda, 1.0, running := job(key="burst"))

    agenda.ended(running, 2.0)

    assert agenda.next_look == 1.0 + PAUSE


def test_a_missed_job_is_forgotten_when_it_is_not_found_although_there_is_room() -> None:
    agenda, first, second = with_two_running()
    agenda.ended(first, 2.0)

    looked(agenda, 2.0)
    looked(agenda, in_doubt := agenda.next_look)
    agenda.ended(second, 3.0)

    assert 2.1 <= in_doubt <= 2.2
    assert agenda.next_look == in_doubt + PAUSE


def test_while_something_is_found_for_the_tenant_more_may_wait() -> None:
    agenda, first, second = with_two_running()
    agenda.ended(first, 2.0)

    looked(agenda, 2.0, job())
    agenda.ended(second, 3.0)

    assert agenda.next_look == 3.0


def test_a_job_that_ends_during_a_claim_made_its_room_too_late_for_it() -> None:
    agenda, first, second = with_two_running()
    agenda.ended(first, 2.001)

    looked(agenda, 2.0, job(OTHER))
    look_after_it = agenda.next_look
    looked(agenda, look_after_it, job(key="c3"))
    agenda.ended(second, 3.0)

    assert look_after_it == 2.001
    assert agenda.next_look == 3.0


def test_room_that_is_made_during_the_claim_that_misses_a_job_is_seen() -> None:
    agenda = looked_at(0.0)
    looked(agenda, 0.5, running := job(), job(key="c2"))
    expect(agenda, 1.0, key="waits")
    expect(agenda, 1.0, OTHER)

    agenda.ended(running, 1.001)
    looked(agenda, 1.0, job(OTHER))

    assert agenda.next_look == 1.001


def test_room_that_the_last_job_of_a_tenant_leaves_during_that_claim_is_seen() -> None:
    agenda = looked_at(0.0)
    looked(agenda, 0.5, last := job())
    expect(agenda, 1.0, key="waits")
    expect(agenda, 1.0, OTHER)

    agenda.ended(last, 1.001)
    looked(agenda, 1.0, job(OTHER))

    assert agenda.next_look == 1.001


def test_a_second_look_is_no_poll_for_all_kinds() -> None:
    agenda = looked_at(0.0)
    expect(agenda, 1.0)

    looked(agenda, 1.0)

    assert agenda.next_look < agenda.next_poll == 1.0 + PAUSE


def test_no_more_is_remembered_of_a_busy_tenant_than_helps() -> None:
    agenda, _ = at_its_cap()

    for number in range(1_000):
        expect(agenda, 2.0, key=f"another process takes {number}")
    looked(agenda, 2.0, job(OTHER))

    assert len(agenda._missed[TENANT]) <= 100  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - memory is not seen otherwise


def test_a_claim_that_others_filled_does_not_make_it_forget_whom_it_missed() -> None:
    agenda, first, second = with_two_running()
    agenda.ended(first, 2.0)

    looked(agenda, 2.0, job(OTHER), wanted=1)
    looked(agenda, 2.1, job(key="c3"))
    agenda.ended(second, 3.0)

    assert agenda.next_look == 3.0


def test_while_another_process_may_be_claiming_nothing_is_forgotten() -> None:
    agenda, first, second = with_two_running()
    agenda.ended(first, 2.0)

    looked(agenda, 2.0)
    looked(agenda, agenda.next_look, job(key="c3"))
    agenda.ended(second, 3.0)

    assert agenda.next_look == 3.0


def test_what_no_job_of_this_process_can_make_room_for_is_left_to_the_polls() -> None:
    agenda = looked_at(0.0)
    expect(agenda, 1.0, key="waits")
    looked(agenda, 1.0)
    looked(agenda, 1.2, later := job(key="c2"))

    agenda.ended(later, 2.0)

    assert agenda.next_look == 1.2 + PAUSE


def test_what_waits_for_a_tenant_of_which_nothing_runs_any_more_is_left_to_the_polls() -> None:
    agenda, last = at_its_cap()
    agenda.ended(last, 2.0)
    looked(agenda, 2.0, job(OTHER), wanted=1)
    looked(agenda, 2.1, later := job(key="c2"))

    agenda.ended(later, 3.0)

    assert agenda.next_look == 2.1 + PAUSE


def looked_at(time: float) -> Agenda:
    agenda = Agenda(now=time)
    looked(agenda, time)
    return agenda


def at_its_cap() -> tuple[Agenda, Job]:
    """A job of the tenant runs, and another fell due at 1.0, which it may not have yet."""
    agenda = looked_at(0.0)
    expect(agenda, 1.0)
    expect(agenda, 1.0, key="waits")
    looked(agenda, 1.0, running := job())
    return agenda, running


def with_two_running() -> tuple[Agenda, Job, Job]:
    agenda, first = at_its_cap()
    looked(agenda, 1.5, second := job(key="c2"))
    return agenda, first, second


def expect(agenda: Agenda, due_at: float, tenant: Ulid = TENANT, *, key: str = "c1") -> None:
    agenda.expect(JobName("turn", tenant, key), due_at, now=0.0)


def looked(agenda: Agenda, began: float, *found: Job, wanted: int = 2) -> None:
    agenda.looked(began, found, wanted=wanted, pause=PAUSE)


def job(tenant: Ulid = TENANT, *, key: str = "c1", late: float = 0.0) -> Job:
    return Job(
        kind="turn",
        tenant=tenant,
        key=key,
        token=1,
        attempts=1,
        correlation=None,
        late=late,
        held_until=0.0,
    )
