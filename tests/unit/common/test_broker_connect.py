"""Which transport a URL opens, and what is said about a URL that opens none."""

import subprocess
import sys
from pathlib import Path

import pytest

from common.broker.connect import open_transport
from common.broker.kafka.address import parse_address
from common.errors import StartError
from common.settings import BrokerSettings


async def test_the_folder_of_the_file_is_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "broker.db"

    async with open_transport(BrokerSettings(url=f"sqlite:///{path}")) as transport:
        await transport.check()

    assert path.exists()


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("redis://localhost", "RECADO_BROKER_URL starts with 'redis'"),
        ("sqlite://", "RECADO_BROKER_URL names no file"),
        ("kafka://", "must be kafka://host:port"),
        ("kafka://localhost", "names 'localhost'; write host:port"),
        ("kafka://user:password@host:9092", "must be kafka://host:port"),
    ],
)
async def test_a_url_that_names_no_broker_is_a_sentence(url: str, sentence: str) -> None:
    with pytest.raises(StartError, match=sentence):
        async with open_transport(BrokerSettings(url=url)):
            pass


async def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StartError, match=r"cannot be made .* Mend RECADO_BROKER_URL"):
        async with open_transport(BrokerSettings(url=f"sqlite:///{tmp_path}/file/broker.db")):
            pass


def test_an_address_may_name_several_servers_and_a_prefix() -> None:
    address = parse_address("kafka://one:9092,two:9093/staging")

    assert address.servers == ("one:9092", "two:9093")
    assert address.prefix == "staging."
    assert parse_address("kafka://one:9092").prefix == ""


def test_kafka_s_client_is_loaded_only_for_kafka() -> None:
    program = "import sys, common.broker.connect; sys.exit('aiokafka' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
