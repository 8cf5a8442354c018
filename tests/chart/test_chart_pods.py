"""Every pod keeps the `restricted` standard, ends in time, and says how it is."""

import pytest

from tests.chart.rendering import (
    EVERYTHING,
    PRODUCTION,
    PROFILES,
    TRIAL,
    Object,
    Values,
    one,
    pods,
    render,
)

SERVICES = ("recado-gateway", "recado-processor", "recado-notifier")


@pytest.mark.parametrize("profile", PROFILES)
def test_every_pod_is_restricted(profile: str) -> None:
    for name, spec in pods(render(PROFILES[profile])):
        (container,) = spec["containers"]
        assert spec["securityContext"]["runAsNonRoot"], name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name


@pytest.mark.parametrize("profile", PROFILES)
def test_no_pod_is_given_links_or_a_token(profile: str) -> None:
    for name, spec in pods(render(PROFILES[profile])):
        assert spec["enableServiceLinks"] is False, name
        assert spec["automountServiceAccountToken"] is False, name


@pytest.mark.parametrize("profile", PROFILES)
def test_every_container_has_requests_and_a_limit_of_memory(profile: str) -> None:
    for name, spec in pods(render(PROFILES[profile])):
        resources = spec["containers"][0]["resources"]
        assert {"cpu", "memory"} == resources["requests"].keys(), name
        assert "memory" in resources["limits"], name


@pytest.mark.parametrize("owner", SERVICES)
def test_a_pod_has_time_to_drain(owner: str) -> None:
    values = {**PRODUCTION, "preStopSeconds": 7, "drainSeconds": 31.5}

    spec = dict(pods(render(values)))[owner]

    assert spec["terminationGracePeriodSeconds"] > 7 + 31.5
    assert {"name": "RECADO_DRAIN_SECONDS", "value": "31.5"} in spec["containers"][0]["env"]


def test_a_gateway_that_ends_takes_webhooks_until_nobody_sends_it_any() -> None:
    container = containers(PRODUCTION)["recado-gateway"]

    assert container["lifecycle"] == {"preStop": {"sleep": {"seconds": 10}}}


@pytest.mark.parametrize("owner", SERVICES)
def test_liveness_asks_the_process_alone(owner: str) -> None:
    container = containers(PRODUCTION)[owner]

    assert path_of(container["livenessProbe"]) == "/livez"
    assert {"name": "health", "containerPort": 9100} in container["ports"]


def test_a_new_gateway_must_see_its_servers_but_an_old_one_may_lose_them() -> None:
    container = containers(PRODUCTION)["recado-gateway"]

    assert path_of(container["startupProbe"]) == "/readyz"
    assert path_of(container["readinessProbe"]) == "/livez"


@pytest.mark.parametrize("owner", SERVICES[1:])
def test_a_consumer_is_ready_once_it_consumes(owner: str) -> None:
    assert path_of(containers(PRODUCTION)[owner]["readinessProbe"]) == "/readyz"


def test_a_rollout_takes_no_pod_away_before_another_is_there() -> None:
    for name in SERVICES:
        strategy = one(render(PRODUCTION), "Deployment", name)["spec"]["strategy"]
        assert strategy["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


def test_the_ingress_lets_webhooks_through_and_nothing_else() -> None:
    (rule,) = one(render(EVERYTHING), "Ingress", "recado")["spec"]["rules"]

    assert rule["host"] == "hooks.example.com"
    assert [(path["path"], path["pathType"]) for path in rule["http"]["paths"]] == [
        ("/webhooks", "Prefix")
    ]


def test_one_gateway_pod_has_no_disruption_budget_to_block_a_drain() -> None:
    values = {**PRODUCTION, "gateway": {"replicas": 1}}

    assert [each for each in render(values) if each["kind"] == "PodDisruptionBudget"] == []


def test_a_service_that_the_world_reaches_hides_the_health_port() -> None:
    values = {**PRODUCTION, "service": {"type": "LoadBalancer"}}

    (port,) = one(render(values), "Service", "recado")["spec"]["ports"]

    assert port["name"] == "http"


def test_a_digest_wins_over_the_tag() -> None:
    assert containers(EVERYTHING)["recado-gateway"]["image"] == f"recado@sha256:{'a' * 64}"


def test_a_new_version_of_the_secrets_starts_the_pods_anew() -> None:
    template = one(render(EVERYTHING), "Deployment", "recado-notifier")["spec"]["template"]

    assert template["metadata"]["annotations"] == {"recado/secrets-version": "2"}


def test_a_trial_keeps_its_secrets_to_itself() -> None:
    (spec,) = (spec for name, spec in pods(render(TRIAL)) if name == "recado")

    assert [each for each in render(TRIAL) if each["kind"] == "Secret"] == []
    assert spec["securityContext"]["fsGroupChangePolicy"] == "OnRootMismatch"


def containers(values: Values) -> dict[str, Object]:
    return {name: spec["containers"][0] for name, spec in pods(render(values))}


def path_of(probe: Object) -> str:
    return probe["httpGet"]["path"]
