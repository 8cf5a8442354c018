import pytest

from simulator.addresses import Channel
from simulator.statuses import Pace, advances, first_status, steps

PACE = Pace(sent=1, delivered=2, read=3)


@pytest.mark.parametrize(
    ("channel", "in_window", "via_service", "statuses"),
    [
        ("whatsapp", True, False, ["sent", "delivered", "read"]),
        ("whatsapp", True, True, ["queued", "sent", "delivered", "read"]),
        ("whatsapp", False, False, ["undelivered"]),
        ("sms", True, False, ["sent", "delivered"]),
        ("sms", False, False, ["sent", "delivered"]),
        ("sms", False, True, ["queued", "sent", "delivered"]),
    ],
)
def test_a_message_goes_its_channels_way(
    channel: Channel, *, in_window: bool, via_service: bool, statuses: list[str]
) -> None:
    path = steps(channel=channel, in_window=in_window, via_service=via_service, pace=PACE)

    assert [step.status for step in path] == statuses
    assert [step.after for step in path] == sorted(step.after for step in path)


def test_outside_the_window_the_failure_has_a_code() -> None:
    (failure,) = steps(channel="whatsapp", in_window=False, via_service=False, pace=PACE)

    assert (failure.after, failure.error_code) == (1, 63016)


def test_without_read_receipts_delivered_is_the_end() -> None:
    pace = Pace(sent=1, delivered=2, read=None)

    path = steps(channel="whatsapp", in_window=True, via_service=False, pace=pace)

    assert [step.status for step in path] == ["sent", "delivered"]


def test_the_first_status_is_never_told_by_a_callback() -> None:
    for via_service in (True, False):
        path = steps(channel="sms", in_window=True, via_service=via_service, pace=PACE)
        assert first_status(via_service=via_service) not in [step.status for step in path]


def test_a_status_never_goes_back() -> None:
    order = ["accepted", "queued", "sending", "sent", "delivered", "read"]

    for earlier, current in enumerate(order):
        assert [advances(current, new) for new in order] == [
            later > earlier for later in range(len(order))
        ]


def test_a_failure_is_final() -> None:
    assert advances("queued", "undelivered")
    assert not advances("undelivered", "delivered")
    assert not advances("failed", "undelivered")
