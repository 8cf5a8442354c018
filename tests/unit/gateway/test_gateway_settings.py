import pytest

from common.errors import StartError
from common.settings import load
from gateway.settings import GatewaySettings


def public_urls(value: str) -> tuple[str, ...]:
    settings = load(GatewaySettings, {"RECADO_GATEWAY_PUBLIC_URL": value})
    return settings.gateway.public_urls


@pytest.mark.parametrize(
    ("value", "urls"),
    [
        ("https://hooks.example.com", ("https://hooks.example.com",)),
        ("https://hooks.example.com/", ("https://hooks.example.com",)),
        ("http://127.0.0.1:8080/recado", ("http://127.0.0.1:8080/recado",)),
        ("https://new.example.com, https://old.example.com/", ("https://new.example.com", "https://old.example.com")),
    ],
)  # fmt: skip
def test_public_addresses_lose_their_last_slash(value: str, urls: tuple[str, ...]) -> None:
    assert public_urls(value) == urls


@pytest.mark.parametrize(
    "value",
    [
        "hooks.example.com",
        "ftp://hooks.example.com",
        "HTTPS://hooks.example.com",
        "https://",
        "https:///path",
        "https://hooks.example.com?x=1",
        "https://hooks.example.com/#rc=5",
        "https://hooks.example.com,",
    ],
)
def test_an_address_that_twilio_could_not_have_signed_does_not_start(value: str) -> None:
    with pytest.raises(StartError, match="Mend RECADO_GATEWAY_PUBLIC_URL"):
        public_urls(value)


def test_a_password_in_the_address_does_not_start_and_is_not_shown() -> None:
    with pytest.raises(StartError, match="breaks Twilio's signatures") as refused:
        public_urls("https://me:hunter2@hooks.example.com")

    assert "hunter2" not in str(refused.value)


def test_without_an_address_the_process_does_not_start() -> None:
    with pytest.raises(StartError, match="Set RECADO_GATEWAY_PUBLIC_URL"):
        load(GatewaySettings, {})
