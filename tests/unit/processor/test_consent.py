"""Words of consent, on both channels."""

import pytest

from common.events import Channel
from processor.identity.consent import Consent, consent_in

STOP_ON_SMS = ("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT")


def consent(
    text: str,
    channel: Channel = Channel.SMS,
    *,
    opted_out: bool = False,
    told: str | None = None,
) -> Consent | None:
    return consent_in(text, channel=channel, opted_out=opted_out, opt_out_type=told)


@pytest.mark.parametrize("word", [*STOP_ON_SMS, "stop", " Stop.\n", "PARAR", "sair", "Sair!"])
@pytest.mark.parametrize("channel", Channel)
def test_these_words_alone_take_consent_back(word: str, channel: Channel) -> None:
    assert consent(word, channel) is Consent.STOP


@pytest.mark.parametrize(
    "text", ["please stop", "stop it now", "quero cancelar meu pedido", "parada de ônibus", ""]
)
def test_more_than_the_word_is_an_ordinary_message(text: str) -> None:
    assert consent(text) is None


@pytest.mark.parametrize("word", ["START", "unstop", "Yes"])
def test_these_words_give_consent_back_by_sms(word: str) -> None:
    assert consent(word, opted_out=True) is Consent.START


def test_yes_is_no_consent_on_whatsapp() -> None:
    assert consent("yes", Channel.WHATSAPP, opted_out=True) is None
    assert consent("start", Channel.WHATSAPP, opted_out=True) is Consent.START


@pytest.mark.parametrize("word", ["yes", "start", "voltar"])
def test_who_never_refused_has_nothing_to_give_back(word: str) -> None:
    assert consent(word) is None


def test_help_is_answered_by_twilio_on_sms_alone() -> None:
    assert consent("help") is consent("Info") is Consent.HELP
    assert consent("help", Channel.WHATSAPP) is None


@pytest.mark.parametrize("told", ["STOP", "START", "HELP"])
def test_what_twilio_matched_counts_whatever_the_words(told: str) -> None:
    assert consent("basta", Channel.WHATSAPP, told=told) == told.lower()


def test_what_twilio_matches_one_day_that_we_do_not_know_is_judged_by_its_words() -> None:
    assert consent("stop", told="NEW") is Consent.STOP
