"""Installs what the tests need and this machine lacks: Debian packages, Kafka's jars, Helm."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence

from tests.servers import chromium, helm, kafka, kafka_jars, postgres, prometheus
from tests.servers.processes import ServerMissingError, run


def install() -> None:
    """Idempotent; says what it does. Raises `ServerMissingError` where it may not do it."""
    packages = list(missing_packages())
    if packages:
        install_packages(packages)
    if _kafka_is_ours() and not kafka_jars.are_kept():
        print("Fetching Kafka's jars through Maven into .tools/kafka-libs (37 MB)", flush=True)
        kafka_jars.fetch_jars()
    if not helm.are_kept():
        print("Fetching Helm and Kubernetes' schemas into .tools/helm (200 MB)", flush=True)
        helm.fetch()


def missing_packages() -> Iterator[str]:
    """Debian packages of programs that are neither here nor replaced by a given address."""
    if not os.environ.get(postgres.ADDRESS) and _is_missing(postgres.find_programs):
        yield "postgresql"
    if _kafka_is_ours():
        if _is_missing(kafka.find_java):
            yield "default-jre-headless"
        if not kafka_jars.are_kept() and shutil.which("mvn") is None:
            yield "maven"
    if _is_missing(chromium.find_chromium):
        yield "chromium"
        yield "libatomic1"  # for the driver inside the playwright package
    if _is_missing(prometheus.find_prometheus):
        yield "prometheus"


def install_packages(packages: Sequence[str]) -> None:
    """Through apt, which only root may do."""
    update = ["apt-get", "update"]
    install = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise ServerMissingError(
            f"the tests need {', '.join(packages)}; on Debian, as root, run:\n"
            f"  {' '.join(update)} && {' '.join(install)}"
        )
    print(f"Installing Debian packages: {', '.join(packages)}", flush=True)
    wait_for_other_apt = ["-o", "DPkg::Lock::Timeout=300"]
    for command in (update, install):
        run(["env", "DEBIAN_FRONTEND=noninteractive", *command, *wait_for_other_apt])


def _is_missing(find: Callable[[], object]) -> bool:
    try:
        find()
    except ServerMissingError:
        return True
    return False


def _kafka_is_ours() -> bool:
    return not (os.environ.get(kafka.ADDRESS) or os.environ.get(kafka_jars.GIVEN_BY))
