"""What production finds: a Postgres and a Kafka beside the cluster, Secrets, and a Twilio in it."""

import base64
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import asyncpg
from sqlalchemy import make_url

from recado.development import SENDERS
from tests.cluster.kubernetes import Namespace, pod
from tests.servers.kafka import KafkaCluster
from tests.servers.postgres import PostgresServer

SIMULATOR = "simulator"
SIMULATOR_PORT = 8090
SENDER = SENDERS[0]
PUBLIC_URL = "http://recado"
"""The Service, as the simulator's pod calls it."""
PATIENT = {
    "RECADO_GATEWAY_ACCOUNT_READ_SECONDS": "8",
    "RECADO_GATEWAY_PUBLISH_SECONDS": "8",
}
"""Starting pods make a small machine slow: what fails then must be the rollout's own doing."""
ASK = """
import sys, urllib.request as u
method, path, body = sys.argv[1:]
request = u.Request("http://127.0.0.1:8090/simulator" + path, data=body.encode() or None,
    method=method, headers={"Content-Type": "application/json"})
print(u.urlopen(request, timeout=20).read().decode())
"""


@dataclass(frozen=True)
class TwilioAccount:
    """Of the simulator, as Twilio's console would show it."""

    sid: str
    auth_token: str

    @classmethod
    def made_up(cls) -> "TwilioAccount":
        return cls(f"AC{secrets.token_hex(16)}", secrets.token_hex(16))


@dataclass(frozen=True)
class Logins:
    """A database as docs/operations.md asks for it, and who logs in how."""

    superuser_url: str
    """For the test alone: row-level security hides nothing from it."""
    owner_url: str
    serving_url: str


async def new_database(server: PostgresServer) -> Logins:
    """An empty database whose owner is no superuser; migrations are the chart's business."""
    database = await server.create_database()
    password = secrets.token_hex(16)
    connection = await asyncpg.connect(database.admin_url)
    try:
        for role, rights in (("recado_owner", "login createrole"), ("recado_serving", "nologin")):
            if not await connection.fetch("select from pg_roles where rolname = $1", role):
                await connection.execute(f"create role {role} {rights}")
        await connection.execute(f"alter role recado_owner password '{password}'")
        await connection.execute(f"alter database {database.name} owner to recado_owner")
    finally:
        await connection.close()
    owner = make_url(database.admin_url).set(username="recado_owner", password=password)
    return Logins(
        superuser_url=database.admin_url,
        owner_url=owner.render_as_string(hide_password=False),
        serving_url=await database.add_serving_login(),
    )


def add_secrets(place: Namespace, logins: Logins, account: TwilioAccount) -> None:
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    place.add_secret("recado-database", {"url": logins.serving_url})
    place.add_secret("recado-owner", {"admin-url": logins.owner_url})
    place.add_secret("recado-encryption", {"encryption-keys": f"first:{key}"})
    place.add_secret("twilio", {"auth-token": account.auth_token})


def production_values(place: Namespace, broker: KafkaCluster) -> Mapping[str, Any]:
    """Staging, since inside a cluster of our own all is plain http."""
    one_pod = {"replicas": 1}
    return {
        "environment": "staging",
        "publicUrl": PUBLIC_URL,
        "kafka": {
            "bootstrapServers": broker.bootstrap,
            "topicPrefix": place.name,
            "partitions": 6,
            "replication": 1,
            "acceptUnsafe": True,  # it has one broker
        },
        "database": {"existingSecret": "recado-database"},
        "migrations": {"existingSecret": "recado-owner"},
        "encryption": {"existingSecret": "recado-encryption"},
        "twilio": {"url": simulator_url(place)},
        "tests": {"simulatorUrl": simulator_url(place)},
        "gateway": {"extraEnv": PATIENT},
        "processor": one_pod,
        "notifier": one_pod,
    }


def simulator_url(place: Namespace) -> str:
    return f"http://{SIMULATOR}.{place.name}.svc:{SIMULATOR_PORT}"


def start_simulator(place: Namespace) -> None:
    """One pod and its Service; the ledger lives as long as the pod.

    It knows the gateway's address by itself: the DNS of a small, busy cluster may take longer than
    the 2 s that Twilio waits for a connection, and that would look like a gateway that is away.
    """
    address = place.kubectl("get", "service", "recado", "--output=jsonpath={.spec.clusterIP}")
    simulator = _simulator()
    simulator["spec"]["hostAliases"] = [{"ip": address, "hostnames": ["recado"]}]
    place.apply(simulator, _simulator_service())
    place.kubectl("wait", "pod", SIMULATOR, "--for=condition=Ready", "--timeout=60s")


def _simulator() -> dict[str, Any]:
    variables = {
        "RECADO_ENVIRONMENT": "development",
        "RECADO_SIMULATOR_HOST": "0.0.0.0",  # noqa: S104 - pods come from outside
        "RECADO_SIMULATOR_PORT": str(SIMULATOR_PORT),
        "RECADO_SIMULATOR_FILE": "/var/lib/recado/simulator.db",
    }
    ready = {"httpGet": {"path": "/simulator/senders", "port": SIMULATOR_PORT}}
    return pod(
        SIMULATOR,
        "simulator",
        env=[{"name": name, "value": value} for name, value in variables.items()],
        # patient, or a busy moment of the machine would take it out of its Service
        readinessProbe={**ready, "periodSeconds": 1, "timeoutSeconds": 10},
        resources={"requests": {"cpu": "250m"}},
    )


def _simulator_service() -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": SIMULATOR},
        "spec": {"selector": {"app": SIMULATOR}, "ports": [{"port": SIMULATOR_PORT}]},
    }


def set_up_number(place: Namespace, account: TwilioAccount, *, id_at_recado: str) -> None:
    """As in Twilio's console, but without retries: a webhook that fails once has failed."""
    ask_simulator(
        place,
        "POST",
        "/senders",
        {
            "address": SENDER,
            "account_sid": account.sid,
            "auth_token": account.auth_token,
            "webhook_url": f"{PUBLIC_URL}/webhooks/twilio/{id_at_recado}/messages",
            "name": "Padaria",
        },
    )


def ask_simulator(place: Namespace, method: str, path: str, body: object = None) -> str:
    """Ask its control API from inside its pod."""
    return place.python(SIMULATOR, ASK, method, path, "" if body is None else json.dumps(body))
