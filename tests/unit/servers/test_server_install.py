import os
from pathlib import Path

import pytest

from tests.servers import chromium, install, kafka, kafka_jars, postgres, prometheus
from tests.servers.processes import ServerMissingError


@pytest.fixture(autouse=True)
def bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No program on PATH, no Postgres, no jars and no address."""
    for module in (postgres, kafka, chromium, prometheus):
        monkeypatch.delenv(module.ADDRESS, raising=False)
    monkeypatch.delenv(kafka_jars.GIVEN_BY, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(postgres, "DEBIAN_FOLDER", tmp_path)
    monkeypatch.setattr(kafka_jars, "KEPT_IN", tmp_path / "kafka-libs")


def test_a_bare_machine_lacks_all_packages() -> None:
    assert list(install.missing_packages()) == [
        "postgresql",
        "default-jre-headless",
        "maven",
        "chromium",
        "libatomic1",
        "prometheus",
    ]


def test_a_given_address_needs_no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(postgres.ADDRESS, "postgresql://postgres@127.0.0.1/postgres")
    monkeypatch.setenv(kafka.ADDRESS, "127.0.0.1:9092")

    assert list(install.missing_packages()) == ["chromium", "libatomic1", "prometheus"]


def test_whoever_may_not_install_is_told_the_exact_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    with pytest.raises(ServerMissingError) as caught:
        install.install()

    assert (
        "apt-get update && apt-get install -y --no-install-recommends "
        "postgresql default-jre-headless maven chromium libatomic1 prometheus"
    ) in str(caught.value)


@pytest.mark.parametrize(
    "find",
    [
        postgres.find_programs,
        kafka.find_java,
        kafka_jars.find_jars,
        chromium.find_chromium,
        prometheus.find_prometheus,
    ],
)
def test_a_missing_server_is_an_error_that_says_what_to_run(find: object) -> None:
    assert callable(find)

    with pytest.raises(ServerMissingError, match=r"python -m tests\.servers install"):
        find()


def test_jars_of_another_pom_are_fetched_anew(tmp_path: Path) -> None:
    kept = tmp_path / "kafka-libs"
    kept.mkdir()
    (kept / kafka_jars.POM.name).write_text("<project/>")
    assert not kafka_jars.are_kept()

    (kept / kafka_jars.POM.name).write_bytes(kafka_jars.POM.read_bytes())

    assert kafka_jars.are_kept()
