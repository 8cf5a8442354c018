"""Twilio's identifiers: two letters for the kind and 32 hexadecimal digits."""

import hashlib
import secrets


def new_sid(prefix: str) -> str:
    """Make an identifier that was never used before, such as `SM…` for a message."""
    return prefix + secrets.token_hex(16)


def sid_for(prefix: str, name: str) -> str:
    """Derive an identifier that is always the same for the same thing."""
    return prefix + hashlib.sha256(name.encode()).hexdigest()[:32]
