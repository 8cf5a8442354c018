from base64 import b64encode
from dataclasses import replace

import pytest
from pydantic import SecretStr

from common.accounts import Place, SecretCipher
from common.errors import PermanentError, StartError
from common.ids import new_id
from common.settings import SecretSettings

OLD, NEW = bytes(range(32)), bytes(range(32, 64))


@pytest.fixture
def place() -> Place:
    return Place(new_id(), new_id(), "channel_accounts.auth_tokens")


def settings_of(text: str | None) -> SecretSettings:
    return SecretSettings(encryption_keys=None if text is None else SecretStr(text))


def pair(key_id: str, key: bytes) -> str:
    return f"{key_id}:{b64encode(key).decode()}"


def test_a_secret_opens_where_it_was_put(place: Place) -> None:
    cipher = SecretCipher({"k1": NEW})

    ciphertext = cipher.encrypt(place, "s3cret: ção")

    assert cipher.decrypt(place, "k1", ciphertext) == "s3cret: ção"
    assert b"s3cret" not in ciphertext


def test_the_same_secret_is_never_the_same_ciphertext(place: Place) -> None:
    cipher = SecretCipher({"k1": NEW})

    assert cipher.encrypt(place, "x") != cipher.encrypt(place, "x")


@pytest.mark.parametrize("part", ["tenant", "row", "column"])
def test_a_ciphertext_moved_elsewhere_does_not_open(place: Place, part: str) -> None:
    cipher = SecretCipher({"k1": NEW})
    ciphertext = cipher.encrypt(place, "x")
    elsewhere = replace(
        place, **{part: "channel_accounts.api_secret" if part == "column" else new_id()}
    )

    with pytest.raises(PermanentError, match="for another place"):
        cipher.decrypt(elsewhere, "k1", ciphertext)


def test_tenant_and_row_cannot_be_swapped(place: Place) -> None:
    cipher = SecretCipher({"k1": NEW})
    ciphertext = cipher.encrypt(place, "x")

    with pytest.raises(PermanentError):
        cipher.decrypt(Place(place.row, place.tenant, place.column), "k1", ciphertext)


def test_the_first_key_encrypts_and_every_key_decrypts(place: Place) -> None:
    before = SecretCipher({"old": OLD})
    ciphertext = before.encrypt(place, "x")

    after = SecretCipher.of(settings_of(f"{pair('new', NEW)}, {pair('old', OLD)}"))

    assert after.key_id == "new"
    assert after.decrypt(place, before.key_id, ciphertext) == "x"
    with pytest.raises(PermanentError):
        before.decrypt(place, "old", after.encrypt(place, "x"))


def test_a_key_that_is_gone_is_named(place: Place) -> None:
    ciphertext = SecretCipher({"old": OLD}).encrypt(place, "x")

    with pytest.raises(PermanentError, match="key 'old', which RECADO_SECRETS_ENCRYPTION_KEYS"):
        SecretCipher({"new": NEW}).decrypt(place, "old", ciphertext)


@pytest.mark.parametrize("ciphertext", [b"", b"short", bytes(12), bytes(range(64))])
def test_bytes_that_are_no_ciphertext_are_refused(place: Place, ciphertext: bytes) -> None:
    with pytest.raises(PermanentError):
        SecretCipher({"k1": NEW}).decrypt(place, "k1", ciphertext)


def test_without_a_key_the_process_does_not_start() -> None:
    with pytest.raises(StartError, match="Set RECADO_SECRETS_ENCRYPTION_KEYS"):
        SecretCipher.of(settings_of(None))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "entry 1"),
        ("k1", "entry 1"),
        ("k1:not base64", "entry 1"),
        (pair("k1", NEW[:31]), "entry 1"),
        (pair("", NEW), "entry 1"),
        (pair("a key", NEW), "entry 1"),
        (pair("k1", NEW) + ",", "entry 2"),
        (f"{pair('k1', NEW)},{pair('k1', OLD)}", "same id"),
    ],
)
def test_a_malformed_key_does_not_start_and_is_not_shown(text: str, sentence: str) -> None:
    with pytest.raises(StartError, match=sentence) as refused:
        SecretCipher.of(settings_of(text))

    assert "Mend RECADO_SECRETS_ENCRYPTION_KEYS" in str(refused.value)
    assert b64encode(NEW).decode() not in str(refused.value)
