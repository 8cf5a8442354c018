"""The variables of each container are those that its process reads, and all that it must have."""

import base64
from collections.abc import Mapping

import pytest

from common.settings import Settings, load
from common.settings.variables import variables
from recado.settings import PROCESSES, DevelopmentSettings, OperatorSettings
from tests.chart.rendering import (
    EVERYTHING,
    PRODUCTION,
    TRIAL_WITH_A_MODEL,
    Object,
    one,
    pods,
    render,
)

# What the Secrets hold, by their keys.
HELD = {
    "url": "postgresql://serving:3g8@postgres/recado",
    "admin-url": "postgresql://owner:9h2@postgres/recado",
    "encryption-keys": f"first:{base64.b64encode(bytes(range(32))).decode()}",
    "auth-token": "0f" * 16,
    "model-key": "sk-0123456789abcdef",
    "username": "recado",
    "password": "gf8-Wq2-Zk5-Nv7-Rt4",
}
READ_BY: Mapping[str, type[Settings]] = {
    "recado-gateway": PROCESSES["gateway"],
    "recado-processor": PROCESSES["processor"],
    "recado-notifier": PROCESSES["notifier"],
    "recado-migrate": OperatorSettings,
    "recado-operator": OperatorSettings,
}
SERVICES = ("recado-gateway", "recado-processor", "recado-notifier")
READ_BY_TYPER = {"TWILIO_AUTH_TOKEN"}


@pytest.mark.parametrize("owner", READ_BY)
def test_a_pod_is_given_only_what_its_process_reads(owner: str) -> None:
    read = {variable.name for variable in variables(READ_BY[owner])} | READ_BY_TYPER

    assert environment(owner).keys() - read == set()


@pytest.mark.parametrize("owner", READ_BY)
def test_a_process_starts_with_what_its_pod_is_given(owner: str) -> None:
    load(READ_BY[owner], environment(owner))


@pytest.mark.parametrize("owner", READ_BY)
def test_a_pod_is_given_what_has_no_default(owner: str) -> None:
    required = {one.name for one in variables(READ_BY[owner]) if one.field.is_required()}

    assert required - environment(owner).keys() == set()


def test_the_trial_is_given_only_what_it_reads() -> None:
    read = {variable.name for variable in variables(DevelopmentSettings)}

    assert {each["name"] for each in container(render(TRIAL_WITH_A_MODEL), "recado")["env"]} <= read


def test_no_service_is_given_the_owners_address() -> None:
    holders = {
        name
        for name, spec in pods(render(EVERYTHING))
        for variable in spec["containers"][0].get("env", ())
        if variable["name"] == "RECADO_DATABASE_ADMIN_URL"
    }

    assert holders == {"recado-migrate", "recado-operator"}


def test_the_migration_needs_nothing_that_the_chart_makes() -> None:
    job = one(render(PRODUCTION), "Job", "recado-migrate")["spec"]["template"]["spec"]

    assert "serviceAccountName" not in job
    assert "envFrom" not in job["containers"][0]
    assert [list(volume) for volume in job["volumes"]] == [["name", "emptyDir"]]


def test_former_addresses_are_still_accepted_and_callbacks_go_to_the_new_one() -> None:
    assert environment("recado-gateway")["RECADO_GATEWAY_PUBLIC_URL"] == (
        "https://hooks.example.com,https://old.example.com"
    )
    assert environment("recado-notifier")["RECADO_NOTIFIER_STATUS_CALLBACK_BASE"] == (
        "https://hooks.example.com"
    )


def test_a_prefix_of_topics_stands_behind_the_servers() -> None:
    values = {**PRODUCTION, "kafka": {"bootstrapServers": "kafka:9092", "topicPrefix": "shop"}}

    given = container(render(values), "recado-gateway")["env"]

    assert {"name": "RECADO_BROKER_URL", "value": "kafka://kafka:9092/shop"} in given


@pytest.mark.parametrize("owner", [*SERVICES, "recado-operator"])
def test_the_files_that_kafka_asks_for_are_where_the_variables_say(owner: str) -> None:
    spec = dict(pods(render(EVERYTHING)))[owner]
    named = {value for name, value in environment(owner).items() if name.endswith("_FILE")}

    (volume,) = (each["projected"] for each in spec["volumes"] if each["name"] == "kafka")
    (mount,) = (each for each in spec["containers"][0]["volumeMounts"] if each["name"] == "kafka")
    items = [item for source in volume["sources"] for item in source["secret"]["items"]]

    assert {f"{mount['mountPath']}/{item['path']}" for item in items} == named
    assert [source["secret"]["name"] for source in volume["sources"]] == [
        "kafka-ca",
        "kafka-client",
    ]
    assert volume["defaultMode"] == 0o440


def test_a_kafka_that_asks_nothing_needs_no_files() -> None:
    for _, spec in pods(render(PRODUCTION)):
        assert [volume["name"] for volume in spec["volumes"]] == ["tmp"]


def environment(owner: str) -> dict[str, str]:
    """What the pod of `owner` gets, with the Secrets' values filled in."""
    given = container(render(EVERYTHING), owner)["env"]
    return {each["name"]: each.get("value") or HELD[key_of(each)] for each in given}


def key_of(variable: Object) -> str:
    return variable["valueFrom"]["secretKeyRef"]["key"]


def container(objects: list[Object], owner: str) -> Object:
    return dict(pods(objects))[owner]["containers"][0]
