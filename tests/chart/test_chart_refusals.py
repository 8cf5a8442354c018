"""What is missing or unsafe is refused in a sentence that names the value and the cure."""

from copy import deepcopy
from typing import Any

import pytest

from tests.chart.rendering import PRODUCTION, TRIAL, refusal
from tests.servers import helm

MISSING = {
    "publicUrl": "Set publicUrl to the address at which Twilio reaches the gateway",
    "kafka": "Set kafka.bootstrapServers to your Kafka",
    "database": "Set database.existingSecret to a Secret whose key `url`",
    "migrations": "Set migrations.existingSecret to a Secret whose key `admin-url`",
    "encryption": "Set encryption.existingSecret to a Secret whose key `encryption-keys`",
}
CHANGED: dict[str, tuple[dict[str, Any], str]] = {
    "plain http": ({"publicUrl": "http://hooks.example.com"}, "Set publicUrl to an https address"),
    "plain Twilio": ({"twilio": {"url": "http://api"}}, "Set twilio.url to an https address"),
    "a variable of the chart": (
        {"gateway": {"extraEnv": {"RECADO_GATEWAY_PORT": "1"}}},
        "Leave RECADO_GATEWAY_PORT out of gateway.extraEnv",
    ),
    "a key of no model": ({"model": {"existingSecret": "openai"}}, "Set model.name too"),
    "a sign-in of nobody": (
        {"kafka": {"bootstrapServers": "kafka:9093", "security": "SASL_SSL"}},
        "Set kafka.existingSecret to a Secret",
    ),
    "a password that nobody asks for": (
        {"kafka": {"bootstrapServers": "kafka:9093", "existingSecret": "kafka-user"}},
        "Set kafka.security to SASL_SSL",
    ),
    "an authority for what is not encrypted": (
        {"kafka": {"bootstrapServers": "kafka:9093", "caSecret": "kafka-ca"}},
        "Set kafka.security to SSL or SASL_SSL",
    ),
    "a secret of the chart": (
        {"notifier": {"secretEnv": {"RECADO_DATABASE_URL": {"name": "a", "key": "b"}}}},
        "Leave RECADO_DATABASE_URL out of notifier.extraEnv",
    ),
}
OF_A_TRIAL: dict[str, tuple[dict[str, Any], str]] = {
    "an Ingress": ({"ingress": {"enabled": True}}, "Leave ingress.enabled off with profile=trial"),
    "a Kafka": ({"kafka": {"bootstrapServers": "kafka:9092"}}, "Leave kafka.bootstrapServers"),
    "a Postgres": ({"database": {"existingSecret": "x"}}, "database.existingSecret empty"),
}
AGAINST_THE_SCHEMA: dict[str, dict[str, Any]] = {
    "an unknown name": {"gatewy": {}},
    "an unknown name below": {"gateway": {"replica": 3}},
    "an unknown profile": {"profile": "demo"},
    "a development environment": {"environment": "development"},
    "a path in the public address": {"publicUrl": "https://hooks.example.com/recado"},
    "a password in the public address": {"publicUrl": "https://a:b@hooks.example.com"},
    "a broker without a port": {"kafka": {"bootstrapServers": "kafka-0"}},
    "a password that travels readable": {
        "kafka": {"bootstrapServers": "kafka:9093", "security": "SASL_PLAINTEXT"}
    },
    "no pods": {"gateway": {"replicas": 0}},
    "a number as a variable": {"gateway": {"extraEnv": {"RECADO_GATEWAY_BODY_BYTES": 1}}},
    "somebody else's variable": {"gateway": {"extraEnv": {"PATH": "/"}}},
    "half a digest": {"image": {"digest": "sha256:1234"}},
    "no drain": {"drainSeconds": 0},
}


@pytest.mark.parametrize("program", helm.HELMS)
@pytest.mark.parametrize("value", MISSING)
def test_what_is_missing_is_named(value: str, program: str) -> None:
    values = {key: given for key, given in PRODUCTION.items() if key != value}

    assert MISSING[value] in refusal(values, program=program)


@pytest.mark.parametrize("case", CHANGED)
def test_what_is_unsafe_is_refused(case: str) -> None:
    change, sentence = CHANGED[case]

    assert sentence in refusal(deepcopy({**PRODUCTION, **change}))


@pytest.mark.parametrize("case", OF_A_TRIAL)
def test_a_trial_refuses_what_is_for_production(case: str) -> None:
    change, sentence = OF_A_TRIAL[case]

    assert sentence in refusal({**TRIAL, **change})


@pytest.mark.parametrize("program", helm.HELMS)
@pytest.mark.parametrize("case", AGAINST_THE_SCHEMA)
def test_the_schema_refuses(case: str, program: str) -> None:
    values = {**PRODUCTION, **AGAINST_THE_SCHEMA[case]}

    assert "values don't meet the specifications of the schema" in refusal(values, program=program)


def test_migrations_that_are_switched_off_need_no_secret() -> None:
    values = {**PRODUCTION, "migrations": {"enabled": False}}

    assert refusal(values) == ""


def test_staging_may_speak_plainly() -> None:
    values = {**PRODUCTION, "environment": "staging", "publicUrl": "http://hooks.test"}

    assert refusal(values) == ""
