"""What does not fit together stops the process at its start, in a sentence that names it."""

import ssl
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from common.broker.kafka.address import parse_address
from common.broker.kafka.security import read_security
from common.errors import StartError
from common.runtime import open_plumbing
from common.settings import BrokerSettings, Environment, Settings, load
from tests.servers.certificates import Authority

SIGNED_IN: dict[str, Any] = {"username": "shop", "password": SecretStr("gf8-Wq2-Zk5-Nv7")}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a sign-in without a password": (
        {"security": "SASL_SSL", "username": "shop"},
        "Set RECADO_BROKER_USERNAME and RECADO_BROKER_PASSWORD: SASL_SSL asks for both",
    ),
    "a password that nobody asks for": (
        {"security": "SSL", **SIGNED_IN},
        "RECADO_BROKER_SECURITY is SSL, which signs nobody in",
    ),
    "an authority for what is not encrypted": (
        {"ca_file": "authority.crt"},
        "RECADO_BROKER_SECURITY is PLAINTEXT, which encrypts nothing",
    ),
    "a key without its certificate": (
        {"security": "SSL", "key_file": "shop.key"},
        "Set RECADO_BROKER_CERTIFICATE_FILE",
    ),
    "a file that is not there": (
        {"security": "SSL", "ca_file": "nowhere.crt"},
        "RECADO_BROKER_CA_FILE, nowhere.crt, cannot be read: No such file or directory",
    ),
    "a folder in a file's place": (
        {"security": "SSL", "ca_file": "."},
        "RECADO_BROKER_CA_FILE, ., cannot be read: Is a directory",
    ),
    "an authority that is a key": (
        {"security": "SSL", "ca_file": "shop.key"},
        "RECADO_BROKER_CA_FILE, shop.key, holds no certificate in PEM form",
    ),
    "another's key": (
        {"security": "SSL", "certificate_file": "shop.crt", "key_file": "other.key"},
        "RECADO_BROKER_KEY_FILE, other.key, is not the key of the certificate",
    ),
    "a certificate without any key": (
        {"security": "SSL", "certificate_file": "shop.crt"},
        "RECADO_BROKER_CERTIFICATE_FILE, shop.crt, and its key must be in PEM form",
    ),
}


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path / "files")
    authority.sign("shop")
    authority.sign("other")
    monkeypatch.chdir(tmp_path / "files")


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused(case: str) -> None:
    given, sentence = REFUSED[case]

    with pytest.raises(StartError) as refusal:
        read_security(settings_of(**given), strict=True)

    assert str(refusal.value).startswith(sentence)


def test_a_password_that_travels_readable_is_refused_outside_development() -> None:
    settings = settings_of(security="SASL_PLAINTEXT", **SIGNED_IN)

    with pytest.raises(StartError, match="Set RECADO_BROKER_SECURITY to SASL_SSL"):
        read_security(settings, strict=True)

    assert read_security(settings, strict=False).options["sasl_plain_username"] == "shop"


async def test_a_process_is_held_to_that_by_its_environment() -> None:
    broker = settings_of(security="SASL_PLAINTEXT", **SIGNED_IN)

    with pytest.raises(StartError, match="Set RECADO_BROKER_SECURITY to SASL_SSL"):
        async with open_plumbing(Settings(environment=Environment.STAGING, broker=broker)):
            pass
    async with open_plumbing(Settings(environment=Environment.DEVELOPMENT, broker=broker)):
        pass


def test_certificates_of_brokers_are_checked_and_ours_is_shown() -> None:
    settings = settings_of(
        security="SSL",
        ca_file="authority.crt",
        certificate_file="shop.crt",
        key_file="shop.key",
    )

    context = read_security(settings, strict=True).options["ssl_context"]

    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert len(context.get_ca_certs()) == 1


def test_a_password_is_in_no_text_of_ours() -> None:
    settings = settings_of(security="SASL_SSL", **SIGNED_IN)

    address = parse_address("kafka://host:9093", read_security(settings, strict=True))

    assert "gf8-Wq2" not in f"{settings!r} {address!r}"
    assert address.options["sasl_plain_password"] == "gf8-Wq2-Zk5-Nv7"


def test_a_placeholder_for_a_password_is_refused_outside_development() -> None:
    given = {"RECADO_BROKER_PASSWORD": "change-me-please-now"}

    with pytest.raises(StartError, match="Set RECADO_BROKER_PASSWORD to a secret of your own"):
        load(Settings, given)

    assert load(Settings, {**given, "RECADO_ENVIRONMENT": Environment.DEVELOPMENT})


def settings_of(**given: Any) -> BrokerSettings:  # noqa: ANN401 - as pydantic takes it
    return BrokerSettings.model_validate({"url": "kafka://host:9093", **given})
