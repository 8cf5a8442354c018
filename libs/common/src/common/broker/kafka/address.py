"""Where Kafka is, from the broker's URL, and how it is spoken to."""

import re
from dataclasses import dataclass
from typing import Any

from common.broker.kafka.security import PLAIN, Security
from common.errors import StartError

_SHAPE = re.compile(r"kafka://(?P<servers>[^/@?#]+)(/(?P<prefix>[A-Za-z0-9._-]*))?")


@dataclass(frozen=True, slots=True)
class Address:
    """Bootstrap servers, and what stands before the names of our topics and groups.

    A prefix lets several installations share a cluster.
    """

    servers: tuple[str, ...]
    prefix: str = ""
    security: Security = PLAIN

    @property
    def text(self) -> str:
        """The servers as a person writes them."""
        return ",".join(self.servers)

    @property
    def options(self) -> dict[str, Any]:
        """What each of aiokafka's clients needs to get there."""
        return {"bootstrap_servers": self.text, **self.security.options}


def parse_address(url: str, security: Security = PLAIN) -> Address:
    """Read `kafka://host:port[,host:port][/prefix]`; anything else is a `StartError`."""
    match = _SHAPE.fullmatch(url)
    if match is None:
        raise StartError("RECADO_BROKER_URL must be kafka://host:port[,host:port][/prefix].")
    servers = tuple(match["servers"].split(","))
    for server in servers:
        host, _, port = server.rpartition(":")
        if not host or not port.isdecimal():
            raise StartError(f"RECADO_BROKER_URL names {server!r}; write host:port.")
    prefix = f"{match['prefix']}." if match["prefix"] else ""
    return Address(servers, prefix, security)
