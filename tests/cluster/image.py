"""Builds the image, holds it to its size, and brings it to the cluster."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.cluster.steps import expect, step
from tests.servers.processes import run

ROOT = Path(__file__).parents[2]
REPOSITORY, TAG = "localhost/recado", "test"
IMAGE = f"{REPOSITORY}:{TAG}"
BUDGET_MEGABYTES = 460
"""Of the whole image, unpacked: 120 of them are the base's."""


def build(builder: str, load: str) -> None:
    """Build with a command like `buildah bud`, and hand the archive to a command like `kind load`.

    Without `load` the cluster is taken to share its images with the builder.
    """
    command = shlex.split(builder)
    with step("image: build"):
        recipe = ROOT / "deploy" / "Dockerfile"
        run([*command, "--tag", IMAGE, "--file", str(recipe), str(ROOT)])
    with TemporaryDirectory(prefix="recado-image-") as folder:
        archive = Path(folder) / "recado.tar"
        run(_save(command[0], archive))
        _hold_to_budget(archive)
        if load:
            with step("image: load"):
                run([*shlex.split(load), str(archive)])


def _save(program: str, archive: Path) -> Sequence[str]:
    if program == "buildah":
        return ["buildah", "push", IMAGE, f"docker-archive:{archive}:{IMAGE}"]
    return [program, "save", "--output", str(archive), IMAGE]


def _hold_to_budget(archive: Path) -> None:
    megabytes = archive.stat().st_size / 1_000_000
    with step(f"image: {megabytes:.0f} MB of {BUDGET_MEGABYTES}"):
        expect(megabytes <= BUDGET_MEGABYTES, "The image is over its budget.")
