"""Kafka's jars, fetched once through Maven and kept for later runs."""

import os
import shutil
from pathlib import Path
from tempfile import mkdtemp

from tests.servers.processes import ServerMissingError, run

POM = Path(__file__).with_name("kafka-pom.xml")
KEPT_IN = Path(__file__).parents[2] / ".tools" / "kafka-libs"
GIVEN_BY = "KAFKA_LIBS"


def find_jars() -> Path:
    """The folder of jars: the one `KAFKA_LIBS` names, else what `fetch_jars` keeps."""
    if given := os.environ.get(GIVEN_BY):
        return Path(given)
    if not are_kept():
        raise ServerMissingError(
            "Kafka's jars are not there: run `.venv/bin/python -m tests.servers install`"
        )
    return KEPT_IN


def are_kept() -> bool:
    """Whether the kept jars are complete and those of today's pom, a copy of which seals them."""
    seal = KEPT_IN / POM.name
    return seal.exists() and seal.read_bytes() == POM.read_bytes()


def fetch_jars() -> None:
    """Replace what is kept; an interrupted fetch leaves nothing that looks complete."""
    KEPT_IN.parent.mkdir(exist_ok=True)
    fetched = Path(mkdtemp(dir=KEPT_IN.parent, prefix="kafka-libs-"))
    try:
        maven = ["mvn", "--quiet", "--batch-mode", f"--file={POM}"]
        goal = ["dependency:copy-dependencies", f"-DoutputDirectory={fetched}"]
        run([*maven, *goal])
        shutil.copy(POM, fetched)
        shutil.rmtree(KEPT_IN, ignore_errors=True)
        fetched.rename(KEPT_IN)
    finally:
        shutil.rmtree(fetched, ignore_errors=True)
