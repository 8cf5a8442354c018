"""Runs in a pod: what the image must not hold and the process must not be able to do."""
# ruff: noqa: T201 - its answer is what it prints

import importlib.util
import os
import shutil
import stat
from pathlib import Path

BUILDERS = ("cc", "gcc", "c++", "ld", "make", "cargo", "rustc")
SECRETS = Path("/var/lib/recado/secrets.json")


def faults() -> list[str]:
    """Say what is wrong, each in a sentence."""
    found = [f"{name} is in the image" for name in BUILDERS if shutil.which(name)]
    found += [f"{name} is installed" for name in ("pip", "uv", "pytest") if _is_installed(name)]
    found += [f"{path} is in the image" for path in ("~root/.cache", "/build") if _exists(path)]
    found += [f"{path} can be written to" for path in ("/opt/recado", "/etc") if _writes(path)]
    if (os.getuid(), os.getgid()) != (65532, 65532):
        found.append(f"it runs as {os.getuid()}:{os.getgid()}")
    if stat.S_IMODE(SECRETS.stat().st_mode) != stat.S_IRUSR | stat.S_IWUSR:
        found.append(f"{SECRETS} can be read by others")
    return found


def _is_installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _exists(path: str) -> bool:
    try:
        return Path(path).expanduser().exists()
    except PermissionError:
        return False


def _writes(folder: str) -> bool:
    try:
        (Path(folder) / "probe").touch()
    except OSError:
        return False
    return True


print("; ".join(faults()))
