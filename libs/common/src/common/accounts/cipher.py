"""Secrets at rest: AES-GCM with several keys, each ciphertext bound to its place.

A ciphertext opens only in the tenant, row and column that it was made for, so whoever can write
rows but has no key cannot lend one tenant's secret to another.
"""

import binascii
import os
import re
from base64 import b64decode
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from common.errors import PermanentError, StartError
from common.ids import Ulid
from common.settings import SecretSettings

_VARIABLE = "RECADO_SECRETS_ENCRYPTION_KEYS"
_KEY_ID = re.compile(r"[A-Za-z0-9_.-]{1,32}")
_KEY_BYTES = 32
_NONCE_BYTES = 12  # NIST SP 800-38D, 8.2.2: random, and renewed at each encryption


@dataclass(frozen=True, slots=True)
class Place:
    """Where a ciphertext belongs."""

    tenant: Ulid
    row: Ulid
    column: str

    def __bytes__(self) -> bytes:
        """Return the associated data: only the last field varies in length, so no two are alike."""
        return bytes(self.tenant) + bytes(self.row) + self.column.encode()


class SecretCipher:
    """Encrypts with the first key, decrypts with any."""

    def __init__(self, keys: dict[str, bytes]) -> None:
        """Take 32-byte keys by id, the one that encrypts first."""
        self._keys = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self.key_id = next(iter(keys))

    @classmethod
    def of(cls, settings: SecretSettings) -> "SecretCipher":
        """Read the keys of the settings, or raise a `StartError` that says what to set."""
        if settings.encryption_keys is None:
            message = (
                f"Set {_VARIABLE}: an `id:base64` pair of a 32-byte key, as in "
                "`k1:$(openssl rand -base64 32)`. Channel accounts are encrypted with it."
            )
            raise StartError(message)
        pairs = settings.encryption_keys.get_secret_value().split(",")
        keys = dict(_parse(number, pair) for number, pair in enumerate(pairs, start=1))
        if len(keys) < len(pairs):
            message = f"Mend {_VARIABLE}: two keys have the same id."
            raise StartError(message)
        return cls(keys)

    def encrypt(self, place: Place, secret: str) -> bytes:
        """Encrypt under the first key; keep `key_id` in the same row."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._keys[self.key_id].encrypt(nonce, secret.encode(), bytes(place))

    def decrypt(self, place: Place, key_id: str, ciphertext: bytes) -> str:
        """Decrypt what `encrypt` made for this very place, else raise `PermanentError`."""
        key = self._keys.get(key_id)
        if key is None:
            message = f"{place.column} is encrypted with key {key_id!r}, which {_VARIABLE} lacks"
            raise PermanentError(message)
        nonce, sealed = ciphertext[:_NONCE_BYTES], ciphertext[_NONCE_BYTES:]
        try:
            return key.decrypt(nonce, sealed, bytes(place)).decode()
        except (InvalidTag, ValueError) as error:
            message = (
                f"{place.column} of row {place.row} does not open with key {key_id!r}: "
                "it was made with another key, or for another place"
            )
            raise PermanentError(message) from error


def _parse(number: int, pair: str) -> tuple[str, bytes]:
    key_id, _, encoded = pair.strip().partition(":")
    try:
        key = b64decode(encoded, validate=True)
    except binascii.Error:
        key = b""
    if len(key) != _KEY_BYTES or not _KEY_ID.fullmatch(key_id):
        message = f"Mend {_VARIABLE}: entry {number} is no `id:base64` pair of a 32-byte key."
        raise StartError(message)
    return key_id, key
