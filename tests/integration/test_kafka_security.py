"""A Kafka that asks who we are: each way in works, and each refusal is a sentence until it ends."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from common.broker.connect import open_transport
from common.broker.publisher import Publisher
from common.broker.transport import Transport
from common.database import Database
from common.errors import DependencyDown
from common.ids import new_id
from common.observability.metrics import Metrics
from common.settings import BrokerSettings
from common.testing import eventually
from common.testing.broker import (
    RememberingHandler,
    engine_of,
    message,
    running,
)
from tests.servers.certificates import Authority
from tests.servers.kafka_rights import Operation, Resource, grant, set_password
from tests.servers.kafka_secured import (
    PASSWORD,
    PRINCIPAL_OF_CLIENT,
    USER,
    SecuredKafka,
    secured_kafka,
)
from tests.servers.processes import ending_on_sigterm

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120), pytest.mark.usefixtures("quiet")]
WITHIN = 40.0
EVERY_TOPIC = (Operation.CREATE, Operation.DESCRIBE_CONFIGS, Operation.READ, Operation.WRITE)
SIGNED_IN: dict[str, Any] = {"username": USER, "password": SecretStr(PASSWORD)}
WAYS_IN: dict[str, dict[str, Any]] = {
    "scram 512 in tls": {"security": "SASL_SSL", **SIGNED_IN},
    "scram 256 in tls": {"security": "SASL_SSL", "mechanism": "SCRAM-SHA-256", **SIGNED_IN},
    "plain in tls": {"security": "SASL_SSL", "mechanism": "PLAIN", **SIGNED_IN},
    "scram without tls": {"security": "SASL_PLAINTEXT", **SIGNED_IN},
    "a certificate": {"security": "SSL", "certificate_file": "client", "key_file": "client"},
}
REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "a wrong password": (
        "sasl_tls",
        {"security": "SASL_SSL", "username": USER, "password": SecretStr("nothing of the sort")},
        "refused the user name shop or its password (SCRAM-SHA-512)",
    ),
    "a wrong plain password": (
        "sasl_tls",
        {"security": "SASL_SSL", "mechanism": "PLAIN", "username": "x", "password": SecretStr("y")},
        "refused the user name x or its password (PLAIN)",
    ),
    "an authority we do not know": (
        "sasl_tls",
        {"security": "SASL_SSL", "ca_file": None, **SIGNED_IN},
        "we do not trust the certificate of",
    ),
    "nobody signs in": ("sasl_plain", {}, "hangs up on whoever does not sign in"),
    "nobody signs in, in tls": (
        "sasl_tls",
        {"security": "SSL"},
        "hangs up on whoever does not sign in: RECADO_BROKER_SECURITY is SSL",
    ),
    "no certificate": ("tls", {"security": "SSL"}, "asks for a certificate"),
    "a stranger's certificate": (
        "tls",
        {"security": "SSL", "certificate_file": "stranger", "key_file": "stranger"},
        "does not trust our certificate",
    ),
    "plain talk to tls": ("tls", {}, "speaks TLS only: RECADO_BROKER_SECURITY is PLAINTEXT"),
    "tls to plain talk": ("open", {"security": "SSL"}, "hung up on our TLS"),
    "a sign-in where nobody is asked": (
        "open",
        {"security": "SASL_PLAINTEXT", **SIGNED_IN},
        "signs nobody in: RECADO_BROKER_SECURITY is SASL_PLAINTEXT",
    ),
}


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    with ending_on_sigterm(), secured_kafka(tmp_path_factory.mktemp("secured")) as kafka:
        for principal in (f"User:{USER}", PRINCIPAL_OF_CLIENT):
            for operation in EVERY_TOPIC:
                grant(kafka.open_port, principal, Resource.TOPIC, "*", operation)
            grant(kafka.open_port, principal, Resource.GROUP, "*", Operation.READ)
        yield kafka


@pytest.mark.parametrize("way", WAYS_IN)
async def test_records_go_through_each_way_in(
    way: str, secured: SecuredKafka, database: Database
) -> None:
    handler, given = RememberingHandler(), WAYS_IN[way]
    doors = {"SASL_SSL": "sasl_tls", "SASL_PLAINTEXT": "sasl_plain", "SSL": "tls"}
    async with open_transport(settings_for(secured, doors[given["security"]], given)) as transport:
        await publisher_on(transport).publish(message("+55111", "hello"))
        async with running(engine_of(transport, handler, database)):
            await eventually(lambda: handler.finished, within=WITHIN)

    assert handler.finished == [("+55111", "hello")]


@pytest.mark.parametrize("case", REFUSED)
async def test_a_refusal_is_told_in_a_sentence(
    case: str, secured: SecuredKafka, tmp_path: Path
) -> None:
    door, given, sentence = REFUSED[case]
    settings = settings_for(secured, door, given, Authority(tmp_path / "foreign"))

    async with open_transport(settings) as transport:
        with pytest.raises(DependencyDown) as down:
            await transport.check()

    assert sentence in str(down.value)


async def test_a_consumer_says_who_is_refused_and_goes_on_once_the_user_is_there(
    secured: SecuredKafka, database: Database
) -> None:
    handler = RememberingHandler()
    late = {"username": "late", "password": SecretStr(PASSWORD), "security": "SASL_SSL"}
    async with open_transport(settings_for(secured, "sasl_tls", late)) as transport:
        engine = engine_of(transport, handler, database)
        async with running(engine):
            await eventually(lambda: says(engine, "refused the user name late"), within=WITHIN)

            set_password(secured.open_port, "late", PASSWORD)
            await eventually(lambda: says(engine, "may not be described"), within=WITHIN)
            allow_everything(secured, "late")
            await eventually(lambda: says(engine, None), within=WITHIN)

            await publisher_on(transport).publish(message("+55111", "hello"))
            await eventually(lambda: handler.finished, within=WITHIN)


async def test_each_right_that_publishing_misses_is_named(secured: SecuredKafka) -> None:
    name, settings = an_apprentice(secured)
    async with open_transport(settings) as transport:
        publisher = publisher_on(transport)

        async def hear(sentence: str) -> None:
            async def is_said() -> bool:
                return sentence in (await refusal_of_publishing(publisher) or "")

            await eventually(is_said, within=WITHIN)

        await hear(f"may not be described or created by user {name}")
        allow(secured, name, Resource.TOPIC, Operation.CREATE)
        await hear(f"was made and cannot be seen by user {name}")
        allow(secured, name, Resource.TOPIC, Operation.DESCRIBE)
        await hear(f"no topic may be written by user {name}")
        grant(secured.open_port, f"User:{name}", Resource.TOPIC, "other", Operation.WRITE)
        await hear(f"messages.received may not be written by user {name}")
        allow(secured, name, Resource.TOPIC, Operation.WRITE)

        await eventually(lambda: is_published(publisher), within=WITHIN)


async def test_each_right_that_consuming_misses_is_named(
    secured: SecuredKafka, database: Database
) -> None:
    name, settings = an_apprentice(secured)
    allow(secured, name, Resource.TOPIC, Operation.CREATE, Operation.WRITE)
    handler = RememberingHandler()
    async with open_transport(settings) as transport:
        await eventually(lambda: is_published(publisher_on(transport)), within=WITHIN)
        engine = engine_of(transport, handler, database)
        async with running(engine):
            await eventually(
                lambda: says(engine, f"processor may not be joined by user {name}"), within=WITHIN
            )
            allow(secured, name, Resource.GROUP, Operation.READ)
            await eventually(
                lambda: says(engine, f"messages.received may not be read by user {name}"),
                within=WITHIN,
            )
            allow(secured, name, Resource.TOPIC, Operation.READ)
            await eventually(lambda: handler.finished, within=WITHIN)
            await eventually(lambda: says(engine, None), within=WITHIN)


def settings_for(
    secured: SecuredKafka, door: str, given: dict[str, Any], foreign: Authority | None = None
) -> BrokerSettings:
    """The settings of a client at one of the doors, with the paths of the files they name."""
    server = f"127.0.0.1:{secured.open_port}" if door == "open" else getattr(secured, door)
    encrypts = given.get("security", "").endswith("SSL")
    settings = {"ca_file": secured.authority, **given} if encrypts else dict(given)
    if settings.get("certificate_file") == "client":
        settings |= {"certificate_file": secured.certificate, "key_file": secured.key}
    elif foreign is not None and "certificate_file" in settings:
        certificate, key = foreign.sign("stranger")
        settings |= {"certificate_file": certificate, "key_file": key}
    url = f"kafka://{server}/{new_id()}"
    return BrokerSettings.model_validate({"url": url, "partitions": 2, **settings})


def an_apprentice(secured: SecuredKafka) -> tuple[str, BrokerSettings]:
    """A new user, who signs in and may do nothing."""
    name = f"apprentice-{new_id()}"
    set_password(secured.open_port, name, PASSWORD)
    given = {"username": name, "password": SecretStr(PASSWORD), "security": "SASL_SSL"}
    return name, settings_for(secured, "sasl_tls", given)


def allow(secured: SecuredKafka, user: str, resource: Resource, *operations: Operation) -> None:
    for operation in operations:
        grant(secured.open_port, f"User:{user}", resource, "*", operation)


def allow_everything(secured: SecuredKafka, user: str) -> None:
    allow(secured, user, Resource.TOPIC, *EVERY_TOPIC)
    allow(secured, user, Resource.GROUP, Operation.READ)


def publisher_on(transport: Transport) -> Publisher:
    return Publisher(transport, Metrics(CollectorRegistry()))


async def refusal_of_publishing(publisher: Publisher) -> str | None:
    try:
        await publisher.publish(message("+55111", "hello"), deadline=2.0)
    except DependencyDown as down:
        return str(down)
    return None


async def is_published(publisher: Publisher) -> bool:
    return await refusal_of_publishing(publisher) is None


async def says(engine: Any, sentence: str | None) -> bool:  # noqa: ANN401 - an engine
    reason = await engine.ready()
    return reason is None if sentence is None else sentence in (reason or "")
