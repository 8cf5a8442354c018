"""Messages that ask for nothing."""

import pytest

from processor.assistant.phrases import not_known, reply_to
from processor.assistant.small_talk import SmallTalk, foremost, small_talk_in


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("oi", SmallTalk.GREETING),
        ("Olá, bom dia!", SmallTalk.GREETING),
        ("Oi, tudo bem?", SmallTalk.GREETING),
        ("tudo bem?", SmallTalk.GREETING),
        ("hello there", SmallTalk.GREETING),
        ("Good morning, how are you?", SmallTalk.GREETING),
        ("Obrigada!", SmallTalk.THANKS),
        ("ok, muito obrigado, tchau", SmallTalk.THANKS),
        ("thank you so much", SmallTalk.THANKS),
        ("Tchau!", SmallTalk.FAREWELL),
        ("blz", SmallTalk.ACKNOWLEDGEMENT),
        ("\N{THUMBS UP SIGN}", SmallTalk.ACKNOWLEDGEMENT),
        ("Oi, vocês abrem domingo?", None),
        ("bom dia, tem bolo?", None),
        ("domingo", None),
    ],
)
def test_small_talk_is_told_from_a_question(text: str, kind: SmallTalk | None) -> None:
    assert small_talk_in(text) is kind


def test_of_several_kinds_the_one_that_ends_the_talk_counts() -> None:
    assert foremost([SmallTalk.GREETING, SmallTalk.THANKS]) is SmallTalk.THANKS


def test_the_business_is_named_as_it_is() -> None:
    assert "{x} & Filhos" in str(reply_to(SmallTalk.GREETING, "pt", "{x} & Filhos"))
    assert not_known("en", "Bakery").endswith("questions about Bakery.")


def test_nothing_is_said_to_an_acknowledgement() -> None:
    assert reply_to(SmallTalk.ACKNOWLEDGEMENT, "pt", "Padaria") is None
