"""`helm install --set profile=trial` answers a customer, on an empty cluster."""

from pathlib import Path

from tests.cluster.kubernetes import Namespace, namespace
from tests.cluster.release import Release
from tests.cluster.steps import expect, step

POD = "recado-0"
INSIDE = Path(__file__).with_name("inside.py").read_text()
SAY = ("python3", "-m", "recado", "say", "--data", "/var/lib/recado", "Vocês abrem domingo?")


def prove_trial(program: str) -> None:
    """Install, test, look inside, restart, uninstall."""
    with namespace("trial") as place:
        release = Release(program, place, {"profile": "trial"})
        with step(f"{program} trial: install"):
            release.install()
        with step(f"{program} trial: helm test, a reply through the Service"):
            release.test()
        with step(f"{program} trial: the image and its user are as small as promised"):
            _look_inside(place)
        with step(f"{program} trial: SIGTERM ends the pod, and the next goes on"):
            _restart(place)
        with step(f"{program} trial: uninstall leaves nothing"):
            release.uninstall()


def _look_inside(place: Namespace) -> None:
    faults = place.python(POD, INSIDE)
    expect(not faults, faults)


def _restart(place: Namespace) -> None:
    """A pod that ignored SIGTERM would need its whole grace period, which is longer than this."""
    place.kubectl("delete", "pod", POD, "--timeout=20s")
    place.kubectl("rollout", "status", "statefulset/recado", "--timeout=60s")
    _look_inside(place)
    place.kubectl("exec", POD, "--", *SAY)
