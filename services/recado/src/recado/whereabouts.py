"""Where the sample business is reached: for the simulator, for `recado say`, for a person."""

import json
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from processor import sample
from recado.development import SENDERS, DevelopmentSecrets, write_private

# Twilio's connection overrides: retry what we could not take, within its 15 seconds.
_PERSISTENT = "#rc=5&rp=5xx,ct,rt&ct=2000&rt=4000"


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """A gateway at `url` and a simulator at `simulator_url`, with their files in `data`."""

    url: str
    simulator_url: str
    data: Path
    secrets: DevelopmentSecrets
    health_url: str | None = None
    """Of the gateway's health pages, where they are not at `url`."""

    @property
    def file(self) -> Path:
        """Return where a program finds all this; readable by its owner alone."""
        return self.data / "dev.json"

    async def set_up_numbers(self) -> None:
        """Tell the simulator of our numbers and their webhooks; doing it again changes nothing."""
        async with aiohttp.ClientSession(self.simulator_url, raise_for_status=True) as http:
            for sender in SENDERS:
                number = {
                    "address": sender,
                    "account_sid": self.secrets.account_sid,
                    "auth_token": self.secrets.auth_token,
                    "webhook_url": self._webhook("messages") + _PERSISTENT,
                    "name": sample.NAME,
                }
                await http.post("/simulator/senders", json=number)

    def write(self) -> None:
        """Write the file."""
        facts = {
            "gateway_url": self.url,
            "simulator_url": self.simulator_url,
            "tenant": str(sample.TENANT),
            "account": str(sample.ACCOUNT),
            "account_sid": self.secrets.account_sid,
            "auth_token": self.secrets.auth_token,
            "sender": SENDERS[0],
            "webhook_messages_url": self._webhook("messages"),
            "webhook_status_url": self._webhook("status"),
        }
        write_private(self.file, json.dumps(facts, indent=2) + "\n")

    def sentences(self) -> str:
        """Return what a person wants to know."""
        return f"""
Recado runs, and answers for {sample.NAME}.

  Phone       {self.simulator_url}/phone
  Webhooks    {self._webhook("messages")}
              {self._webhook("status")}
  API docs    {self.url}/docs
  Health      {self.health_url or self.url}/readyz
  Metrics     {self.health_url or self.url}/metrics
  Files       {self.data}

From a terminal: recado say "Vocês abrem domingo?"    Stop with Ctrl-C.
"""

    def _webhook(self, kind: str) -> str:
        return f"{self.url}/webhooks/twilio/{sample.ACCOUNT}/{kind}"
