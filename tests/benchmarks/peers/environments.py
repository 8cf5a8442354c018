"""Where each peer is installed: exactly what its lock says, beside nothing of ours."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.benchmarks.figures import ROOT

LOCKS = Path(__file__).parent
ENVIRONMENTS = ROOT / "build" / "peers"


def python_of(peer: str) -> str:
    """The interpreter of a peer's environment, which is made if it is missing or of an old lock."""
    lock, folder = LOCKS / f"{peer}.lock", ENVIRONMENTS / peer
    python, installed = folder / "bin" / "python", folder / "installed.lock"
    if not installed.exists() or installed.read_text() != lock.read_text():
        print(f"Installing {peer} into {folder.relative_to(ROOT)}", flush=True)
        _uv("venv", "--clear", "--python", sys.executable, str(folder))
        _uv("pip", "sync", "--python", str(python), "--require-hashes", str(lock))
        installed.write_text(lock.read_text())
    return str(python)


def _uv(*arguments: str) -> None:
    uv = shutil.which("uv") or str(ROOT / ".tools" / "bin" / "uv")
    subprocess.run([uv, arguments[0], "-q", *arguments[1:]], check=True)
