"""What one process on one machine needs and nobody should have to set: files, addresses, secrets.

The secrets are made once for each data folder, at random, and kept there, readable by its owner
alone. They open nothing but the simulator beside them.
"""

import base64
import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

SENDERS = ("whatsapp:+551140028922", "+551140028922")
"""The sample business's numbers; the first is the one that `recado say` writes to."""


@dataclass(frozen=True, slots=True)
class DevelopmentSecrets:
    """What a data folder's simulator and product share."""

    account_sid: str
    auth_token: str
    encryption_key: str


def development_secrets(data: Path) -> DevelopmentSecrets:
    """Read the folder's secrets, or make them; the folder is made too. Mode 0600."""
    file = data / "secrets.json"
    if file.exists():
        return DevelopmentSecrets(**json.loads(file.read_text()))
    data.mkdir(parents=True, exist_ok=True)
    made = DevelopmentSecrets(
        account_sid=f"AC{secrets.token_hex(16)}",
        auth_token=secrets.token_hex(16),
        encryption_key=base64.b64encode(secrets.token_bytes(32)).decode(),
    )
    write_private(file, json.dumps(asdict(made), indent=2))
    return made


def development_variables(
    data: Path, url: str, simulator_url: str, made: DevelopmentSecrets
) -> dict[str, str]:
    """Return the variables of a process that is called at `url` and keeps its files in `data`."""
    return {
        "RECADO_ENVIRONMENT": "development",
        "RECADO_DATABASE_URL": f"sqlite:///{data}/recado.db",
        "RECADO_BROKER_URL": f"sqlite:///{data}/broker.db",
        "RECADO_SECRETS_ENCRYPTION_KEYS": f"development:{made.encryption_key}",
        "RECADO_GATEWAY_PUBLIC_URL": url,
        "RECADO_NOTIFIER_STATUS_CALLBACK_BASE": url,
        "RECADO_NOTIFIER_TWILIO_URL": simulator_url,
        "RECADO_SIMULATOR_FILE": f"{data}/simulator.db",
    }


def write_private(file: Path, text: str) -> None:
    """Replace `file` in one step by one that only its owner can read."""
    fresh = file.with_suffix(".new")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as opened:  # noqa: PTH123 - the mode must be right from the start
        opened.write(text)
    fresh.replace(file)
