"""Both Helms accept the chart, make the same of it, and Kubernetes knows every field."""

import json
from collections.abc import Mapping
from typing import Any

import jsonschema_rs
import pytest
import yaml

from tests.chart.rendering import CHART, EVERYTHING, PRODUCTION, PROFILES, TRIAL, lint, render
from tests.servers import helm

OF_THE_MONITORING_OPERATOR = {"PodMonitor", "PrometheusRule", "ServiceMonitor"}


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("program", helm.HELMS)
def test_lint_finds_nothing(program: str, profile: str) -> None:
    assert lint(PROFILES[profile], program=program) == ""


@pytest.mark.parametrize("profile", PROFILES)
def test_both_helms_render_the_same(profile: str) -> None:
    values = PROFILES[profile]

    assert render(values, program="helm3") == render(values, program="helm4")


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("kubernetes", helm.KUBERNETES)
def test_kubernetes_knows_every_field(kubernetes: str, profile: str) -> None:
    objects = render(PROFILES[profile])

    found = {each["metadata"]["name"]: problems(each, kubernetes) for each in objects}

    assert {name: words for name, words in found.items() if words} == {}


def test_an_unknown_field_would_be_found() -> None:
    (service,) = (each for each in render(TRIAL) if each["kind"] == "Service")
    service["spec"]["prots"] = []

    assert "prots" in problems(service, helm.KUBERNETES[0])


def test_a_trial_is_one_pod_and_its_service() -> None:
    assert kinds(TRIAL) == ["Pod", "Service", "StatefulSet"]


def test_production_has_a_deployment_a_service_and_a_migration() -> None:
    assert kinds(PRODUCTION) == [
        *("Deployment", "Deployment", "Deployment"),
        *("Job", "Pod", "PodDisruptionBudget", "Service"),
    ]


def test_monitoring_and_ingress_are_rendered_where_they_are_asked_for() -> None:
    more = {"ConfigMap", "Ingress", "PodMonitor", "PrometheusRule", "ServiceMonitor"}

    assert set(kinds(EVERYTHING)) - set(kinds(PRODUCTION)) == more


def test_the_schema_and_the_values_name_the_same() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = json.loads((CHART / "values.schema.json").read_text())

    schema["properties"].pop("global")

    assert named_by_schema(schema) == named_by_values(values)


def kinds(values: Mapping[str, Any]) -> list[str]:
    return sorted(each["kind"] for each in render(values))


def problems(each: dict[str, Any], kubernetes: str) -> str:
    if each["kind"] in OF_THE_MONITORING_OPERATOR:
        return ""
    folder = helm.schema_folder(kubernetes)
    group, _, version = each["apiVersion"].rpartition("/")
    stem = "-".join(filter(None, (each["kind"].lower(), group.split(".")[0], version)))
    definitions = json.loads((folder / "_definitions.json").read_text())
    validator = jsonschema_rs.Draft202012Validator(
        json.loads((folder / f"{stem}.json").read_text()),
        base_uri="file:///api/",
        retriever=lambda _uri: definitions,
    )
    return "\n".join(error.message for error in validator.iter_errors(each))


def named_by_schema(schema: dict[str, Any], path: str = "") -> set[str]:
    if schema.get("additionalProperties") is not False:
        return {path}
    children = schema["properties"].items()
    return {name for key, child in children for name in named_by_schema(child, f"{path}.{key}")}


def named_by_values(values: object, path: str = "") -> set[str]:
    free = ("resources", "requests", "limits", "dashboardLabels")
    if not isinstance(values, dict) or not values or path.endswith(free):
        return {path}
    return {
        name for key, child in values.items() for name in named_by_values(child, f"{path}.{key}")
    }
