"""What Twilio reads out of an address or a text."""

import pytest

from simulator.addresses import channel_of, is_address
from simulator.consent_words import consent_word
from simulator.segments import count_segments


@pytest.mark.parametrize(
    ("address", "known"),
    [
        ("+5511999990001", True),
        ("whatsapp:+5511999990001", True),
        ("whatsapp:BR.1a2b3c4d", True),
        ("BR.1a2b3c4d", False),
        ("5511999990001", False),
        ("+0511999990001", False),
        ("+55 11 99999 0001", False),
        ("+123456", False),
        ("whatsapp:", False),
        ("whatsapp:whatsapp:+5511999990001", False),
        ("+5511999990001\n", False),
    ],
)
def test_an_address_is_a_number_or_a_whatsapp_user(address: str, *, known: bool) -> None:
    assert is_address(address) is known


def test_the_prefix_tells_the_channel() -> None:
    assert channel_of("whatsapp:+5511999990001") == "whatsapp"
    assert channel_of("+5511999990001") == "sms"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("STOP", "stop"),
        (" stop ", "stop"),
        ("Quit", "stop"),
        ("yes", "start"),
        ("UNSTOP", "start"),
        ("info", "help"),
        ("please stop", None),
        ("stop!", None),
        ("", None),
    ],
)
def test_a_keyword_stands_alone(text: str, word: str | None) -> None:
    assert consent_word(text) == word


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("ã" * 70, 1),
        ("ã" * 71, 2),
        ("a" * 69 + "🥐", 2),
        ("ação " * 27, 3),
        ("à" * 160, 1),
    ],
)
def test_one_character_outside_gsm_makes_every_segment_shorter(text: str, segments: int) -> None:
    assert count_segments(text) == segments
