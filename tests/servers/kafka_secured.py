"""A Kafka that asks who we are: doors with TLS, with certificates of clients, with passwords."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.certificates import Authority
from tests.servers.kafka import Doors, local_kafka
from tests.servers.processes import free_ports

USER, PASSWORD = "shop", "gf8-Wq2-Zk5-Nv7-Rt4"
CLIENT = "shop.example.com"
PRINCIPAL_OF_CLIENT = f"User:CN={CLIENT}"


@dataclass(frozen=True)
class SecuredKafka:
    """Its doors, and the files that open them. `USER` has `PASSWORD` and no right at all."""

    open_port: int
    """Without any question, to who may do everything: for those who prepare a test."""
    sasl_tls: str
    sasl_plain: str
    tls: str
    """Asks for a certificate."""
    authority: Path
    certificate: Path
    key: Path


@contextmanager
def secured_kafka(folder: Path) -> Generator[SecuredKafka]:
    """One node, for as long as this lasts; certificates are kept in `folder`."""
    authority = Authority(folder / "certificates")
    server = authority.sign("localhost", "localhost", "127.0.0.1")
    certificate, key = authority.sign(CLIENT)
    keys = folder / "server.pem"
    keys.write_bytes(b"".join(path.read_bytes() for path in reversed(server)))
    names: list[str] = ["SASL_SSL", "SASL_PLAINTEXT", "SSL"]
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    doors = Doors(ports, _properties(keys, authority.certificate), _users())
    with local_kafka(doors=doors) as cluster:
        yield SecuredKafka(
            open_port=cluster.nodes[0].port,
            sasl_tls=f"127.0.0.1:{ports['SASL_SSL']}",
            sasl_plain=f"127.0.0.1:{ports['SASL_PLAINTEXT']}",
            tls=f"127.0.0.1:{ports['SSL']}",
            authority=authority.certificate,
            certificate=certificate,
            key=key,
        )


def _properties(keys: Path, authority: Path) -> dict[str, object]:
    modules = "org.apache.kafka.common.security"
    plain = f'{modules}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
    scram = f"{modules}.scram.ScramLoginModule required;"
    asking = {
        f"listener.name.{door}.{mechanism}.sasl.jaas.config": module
        for door in ("sasl_ssl", "sasl_plaintext")
        for mechanism, module in (
            ("plain", plain),
            ("scram-sha-256", scram),
            ("scram-sha-512", scram),
        )
    }
    return {
        **asking,
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": keys,
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": authority,
        "listener.name.ssl.ssl.client.auth": "required",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
        "allow.everyone.if.no.acl.found": "false",
    }


def _users() -> list[str]:
    return [
        argument
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
        for argument in ("--add-scram", f"{mechanism}=[name={USER},password={PASSWORD}]")
    ]
