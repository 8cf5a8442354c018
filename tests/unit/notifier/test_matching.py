from datetime import UTC, datetime, timedelta

from notifier.message_sender import ListedMessage
from notifier.sends.matching import candidates

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def listed(sid: str, text: str = "Olá", after: float = 0) -> ListedMessage:
    created_at = NOON + timedelta(seconds=after)
    return ListedMessage(sid, text, "sent", created_at, error_code=None)


def found(*messages: ListedMessage, bound: tuple[str, ...] = ()) -> list[str]:
    matched = candidates(messages, text="Olá", since=NOON, bound=bound)
    return [message.provider_message_id for message in matched]


def test_a_message_with_our_text_made_since_we_asked_may_be_ours() -> None:
    assert found(listed("SM1", after=2), listed("SM2", after=-4)) == ["SM1", "SM2"]


def test_another_text_an_earlier_message_and_one_that_is_known_are_not() -> None:
    others = listed("SM1", "Oi"), listed("SM2", after=-60), listed("SM3")

    assert found(*others, bound=("SM3",)) == []


def test_white_space_that_a_list_trims_makes_no_difference() -> None:
    assert found(listed("SM1", " Olá\n")) == ["SM1"]
