"""Tells the simulator of our numbers, and people and programs where everything is."""

import asyncio
import json
from pathlib import Path

import aiohttp

from processor import sample
from recado.development import SENDERS, DevelopmentSecrets, write_private

# Twilio's connection overrides: retry what we could not take, within its 15 seconds.
_PERSISTENT = "#rc=5&rp=5xx,ct,rt&ct=2000&rt=4000"


class Announcement:
    """A component that speaks once, when all the others serve; `dev.json` stands while they do."""

    def __init__(
        self, url: str, simulator_url: str, data: Path, secrets: DevelopmentSecrets
    ) -> None:
        """Speak of the gateway at `url` and of the simulator at `simulator_url`."""
        self._url = url
        self._simulator_url = simulator_url
        self._file = data / "dev.json"
        self._secrets = secrets

    async def run(self, stop: asyncio.Event) -> None:
        """Set up the numbers, write the file, print what is where; remove the file at the end."""
        await self._set_up_numbers()
        write_private(self._file, json.dumps(self._facts(), indent=2) + "\n")
        print(self._sentences(), flush=True)  # noqa: T201 - for the person who started it
        try:
            await stop.wait()
        finally:
            self._file.unlink(missing_ok=True)

    async def _set_up_numbers(self) -> None:
        async with aiohttp.ClientSession(self._simulator_url, raise_for_status=True) as http:
            for sender in SENDERS:
                number = {
                    "address": sender,
                    "account_sid": self._secrets.account_sid,
                    "auth_token": self._secrets.auth_token,
                    "webhook_url": self._webhook("messages") + _PERSISTENT,
                    "name": sample.NAME,
                }
                await http.post("/simulator/senders", json=number)

    def _facts(self) -> dict[str, str]:
        return {
            "gateway_url": self._url,
            "simulator_url": self._simulator_url,
            "tenant": str(sample.TENANT),
            "account": str(sample.ACCOUNT),
            "account_sid": self._secrets.account_sid,
            "auth_token": self._secrets.auth_token,
            "sender": SENDERS[0],
            "webhook_messages_url": self._webhook("messages"),
            "webhook_status_url": self._webhook("status"),
        }

    def _sentences(self) -> str:
        return f"""
Recado runs, and answers for {sample.NAME}.

  Phone       {self._simulator_url}/phone
  Webhooks    {self._webhook("messages")}
              {self._webhook("status")}
  API docs    {self._url}/docs
  Health      {self._url}/readyz
  Metrics     {self._url}/metrics
  Files       {self._file.parent}

From a terminal: recado say "Vocês abrem domingo?"    Stop with Ctrl-C.
"""

    def _webhook(self, kind: str) -> str:
        return f"{self._url}/webhooks/twilio/{sample.ACCOUNT}/{kind}"
