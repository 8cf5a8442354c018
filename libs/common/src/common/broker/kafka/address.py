"""Where Kafka is, from the broker's URL."""

import re
from dataclasses import dataclass

from common.errors import StartError

_SHAPE = re.compile(r"kafka://(?P<servers>[^/@?#]+)(/(?P<prefix>[A-Za-z0-9._-]*))?")


@dataclass(frozen=True, slots=True)
class Address:
    """Bootstrap servers, and what stands before the names of our topics and groups.

    A prefix lets several installations share a cluster.
    """

    servers: tuple[str, ...]
    prefix: str = ""

    @property
    def text(self) -> str:
        """The servers as a person writes them."""
        return ",".join(self.servers)


def parse_address(url: str) -> Address:
    """Read `kafka://host:port[,host:port][/prefix]`; anything else is a `StartError`."""
    match = _SHAPE.fullmatch(url)
    if match is None:
        raise StartError("RECADO_BROKER_URL must be kafka://host:port[,host:port][/prefix].")
    servers = tuple(match["servers"].split(","))
    for server in servers:
        host, _, port = server.rpartition(":")
        if not host or not port.isdecimal():
            raise StartError(f"RECADO_BROKER_URL names {server!r}; write host:port.")
    return Address(servers, f"{match['prefix']}." if match["prefix"] else "")
