"""The production profile on real servers: installed, upgraded, rolled back while people write."""

import asyncio
import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from tests.cluster.kubernetes import Namespace, namespace, pod
from tests.cluster.release import CHART, NAME, Release
from tests.cluster.steps import expect, step, wait_until
from tests.cluster.surroundings import (
    SENDER,
    SIMULATOR,
    TwilioAccount,
    add_secrets,
    ask_simulator,
    new_database,
    production_values,
    set_up_number,
    simulator_url,
    start_simulator,
)
from tests.faults.judge import judge
from tests.faults.rows import postgres_rows
from tests.servers.kafka import KafkaCluster
from tests.servers.postgres import PostgresServer

UNSIGNED = (CHART / "files" / "refuses_unsigned.py").read_text()
CUSTOMERS = Path(__file__).with_name("customers.py").read_text()
PER_SECOND = 5
FEWEST_MESSAGES = 50
PATIENCE_SECONDS = 90


@dataclass(frozen=True)
class Site:
    """A namespace with a release, and the address at which its judge reads the database."""

    place: Namespace
    release: Release
    database_url: str


def prove_production(program: str, server: PostgresServer, broker: KafkaCluster) -> None:
    """Install, test, upgrade and roll back under load, judge, uninstall."""
    with namespace("production") as place:
        account = TwilioAccount.made_up()
        with step(f"{program} production: a database, and Secrets"):
            logins = asyncio.run(new_database(server))
            add_secrets(place, logins, account)
        release = Release(program, place, production_values(place, broker))
        site = Site(place, release, logins.superuser_url)
        _install(program, site, account)
        _change_under_load(program, site)
        with step(f"{program} production: uninstall leaves nothing"):
            site.release.uninstall()


def _install(program: str, site: Site, account: TwilioAccount) -> None:
    release = site.release
    with step(f"{program} production: install, migrations first"):
        release.install()
    with step(f"{program} production: a simulator in Twilio's place"):
        start_simulator(site.place)
    with step(f"{program} production: what Twilio did not sign is refused"):
        site.place.python(SIMULATOR, UNSIGNED, f"http://{NAME}.{site.place.name}.svc")
    with step(f"{program} production: a tenant and its account"):
        tenant = release.operate("tenants", "add", "Padaria")
        token = {"TWILIO_AUTH_TOKEN": {"name": "twilio", "key": "auth-token"}}
        verb = ("accounts", "add", tenant, account.sid, f"--sender={SENDER}")
        set_up_number(site.place, account, id_at_recado=release.operate(*verb, secrets=token))
    with step(f"{program} production: helm test, a reply through the Service"):
        release.test()


def _change_under_load(program: str, site: Site) -> None:
    with _customers(site.place):
        with step(f"{program} production: upgrade, every pod replaced under load"):
            site.release.upgrade(secretsVersion="2")
        with step(f"{program} production: roll back under load"):
            site.release.roll_back()
    ledger = _ledger_at_rest(site.place)
    rows = asyncio.run(postgres_rows(site.database_url))
    failed = _failed_webhooks(ledger)
    verdict = judge(ledger, rows)
    with step(f"{program} production: {verdict} failed_webhooks={len(failed)}"):
        expect(verdict.accepted >= FEWEST_MESSAGES, "too little load to say anything")
        expect(not verdict.broken, "a promise was broken")
        expect(not failed, f"webhooks that were not answered 200: {failed}")


@contextmanager
def _customers(place: Namespace) -> Generator[None]:
    """Load comes from a pod: on the way from the node many short connections lose some."""
    script = ["python3", "-c", CUSTOMERS, simulator_url(place), SENDER, str(PER_SECOND)]
    place.apply(pod("customers", command=script))
    place.kubectl("wait", "pod", "customers", "--for=condition=Ready", "--timeout=60s")
    yield
    phase = place.kubectl("get", "pod", "customers", "--output=jsonpath={.status.phase}")
    expect(phase == "Running", f"the customers stopped: {place.kubectl('logs', 'customers')}")
    place.kubectl("delete", "pod", "customers")


def _ledger_at_rest(place: Namespace) -> dict[str, Any]:
    """Wait until everybody got an answer and every callback was posted."""
    seen: list[str] = []

    def at_rest() -> bool:
        seen.append(ask_simulator(place, "GET", "/ledger"))
        ledger = json.loads(seen[-1])
        return ledger["pending"] == 0 and seen[-2:-1] == seen[-1:]

    with step("everything comes to rest"):
        wait_until(at_rest, seconds=PATIENCE_SECONDS, what="a quiet ledger")
    return json.loads(seen[-1])


def _failed_webhooks(ledger: dict[str, Any]) -> list[dict[str, Any]]:
    """Attempts of either kind of webhook; each had one."""
    posted = [*ledger["inbound"], *ledger["callbacks"]]
    attempts = [attempt for one in posted for attempt in one["attempts"]]
    return [attempt for attempt in attempts if attempt["status_code"] != HTTPStatus.OK]
