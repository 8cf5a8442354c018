"""The chart as Helm renders it, and what Helm says where it refuses to."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.servers import helm

CHART = Path(__file__).parents[2] / "deploy" / "helm" / "recado"

Values = Mapping[str, Any]
Object = dict[str, Any]

TRIAL: Values = {"profile": "trial"}
PRODUCTION: Values = {
    "publicUrl": "https://hooks.example.com",
    "kafka": {"bootstrapServers": "kafka-0:9092,kafka-1:9092"},
    "database": {"existingSecret": "recado-database"},
    "migrations": {"existingSecret": "recado-owner"},
    "encryption": {"existingSecret": "recado-encryption"},
}
EVERYTHING: Values = {
    **PRODUCTION,
    "image": {"digest": f"sha256:{'a' * 64}"},
    "imagePullSecrets": ["registry"],
    "formerPublicUrls": ["https://old.example.com"],
    "secretsVersion": "2",
    "kafka": {
        "bootstrapServers": "kafka-0:9093,kafka-1:9093",
        "security": "SASL_SSL",
        "existingSecret": "kafka-user",
        "caSecret": "kafka-ca",
        "certificateSecret": "kafka-client",
    },
    "gateway": {
        "extraEnv": {"RECADO_GATEWAY_BODY_BYTES": "131072"},
        "podAnnotations": {"example.com/team": "1"},
        "nodeSelector": {"disk": "fast"},
        "tolerations": [{"key": "spot", "operator": "Exists"}],
        "affinity": {"podAntiAffinity": {}},
    },
    "ingress": {
        "enabled": True,
        "className": "traefik",
        "tlsSecret": "hooks-tls",
        "annotations": {"example.com/x": "1"},
    },
    "service": {"annotations": {"example.com/x": "1"}},
    "metrics": {
        "monitors": True,
        "alerts": True,
        "dashboard": True,
        "labels": {"release": "prometheus"},
    },
    "tracing": {"endpoint": "http://collector:4318/v1/traces"},
    "model": {"name": "openai:gpt-5-mini", "existingSecret": "openai"},
    "tests": {"simulatorUrl": "http://simulator:8090"},
    "operator": {
        "args": ["tenants", "add", "Padaria"],
        "secretEnv": {"TWILIO_AUTH_TOKEN": {"name": "twilio", "key": "auth-token"}},
    },
}
TRIAL_WITH_A_MODEL: Values = {**TRIAL, "model": {"name": "openai:qwen", "url": "http://vllm/v1"}}
PROFILES: Mapping[str, Values] = {
    "trial": TRIAL,
    "trial with a model": TRIAL_WITH_A_MODEL,
    "production": PRODUCTION,
    "everything": EVERYTHING,
}


def render(values: Values, *, program: str = "helm4") -> list[Object]:
    """Every object of release `recado` in namespace `shop`, hooks and tests included."""
    return json.loads(_rendered(program, json.dumps(values)))


def refusal(values: Values, *, program: str = "helm4") -> str:
    """What Helm says instead of rendering; empty when it renders."""
    return _template(program, json.dumps(values)).stderr


def lint(values: Values, *, program: str) -> str:
    """What `helm lint --strict` finds; empty when nothing."""
    done = _helm(program, ["lint", "--strict", str(CHART)], json.dumps(values))
    return "" if done.returncode == 0 else done.stdout + done.stderr


def one(objects: list[Object], kind: str, name: str) -> Object:
    """The only object of that kind and name."""
    (found,) = (each for each in objects if _is(each, kind, name))
    return found


def pods(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    """The specification of each pod that comes of these objects, with the name of its owner."""
    for each in objects:
        spec = each.get("spec", {})
        if each["kind"] == "Pod":
            yield each["metadata"]["name"], spec
        elif "template" in spec:
            yield each["metadata"]["name"], spec["template"]["spec"]


def _is(each: Object, kind: str, name: str) -> bool:
    return each["kind"] == kind and each["metadata"]["name"] == name


@cache
def _rendered(program: str, values: str) -> str:
    done = _template(program, values)
    assert done.returncode == 0, done.stderr
    return json.dumps([each for each in yaml.safe_load_all(done.stdout) if each])


@cache
def _template(program: str, values: str) -> subprocess.CompletedProcess[str]:
    return _helm(program, ["template", "recado", str(CHART), "--namespace=shop"], values)


def _helm(program: str, arguments: list[str], values: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(helm.find_program(program)), *arguments, "--values=-"],
        input=values,
        capture_output=True,
        text=True,
        check=False,
    )
