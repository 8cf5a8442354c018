"""kubectl, for one namespace, and what tests ask of it."""

import json
import secrets
import socket
import subprocess
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

from tests.cluster.image import IMAGE
from tests.cluster.steps import wait_until
from tests.servers import helm
from tests.servers.processes import ServerFailedError

RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"
LAST_EVENTS = 20
KINDS = (
    "pods,services,deployments,statefulsets,jobs,ingresses,poddisruptionbudgets,"
    "persistentvolumeclaims,configmaps,secrets"
)
SECURED: Mapping[str, Any] = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


class Namespace:
    """A namespace that admits restricted pods only."""

    def __init__(self, name: str) -> None:
        self.name = name

    def kubectl(self, *arguments: str, given: str | None = None) -> str:
        """Run it and return what it printed; `given` is its input."""
        return command("kubectl", "--namespace", self.name, *arguments, given=given)

    def apply(self, *objects: Mapping[str, Any]) -> None:
        for each in objects:
            self.kubectl("apply", "--filename=-", given=json.dumps(each))

    def add_secret(self, name: str, values: Mapping[str, str]) -> None:
        self.apply(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": name},
                "stringData": dict(values),
            }
        )

    def python(self, pod: str, script: str, *arguments: str) -> str:
        """Run a script in a pod that runs already."""
        in_pod = ["exec", "--stdin", pod, "--", "python3", "-", *arguments]
        return self.kubectl(*in_pod, given=script).strip()

    def wait_for_end(self, pod: str, *, seconds: int = 60) -> str:
        """Return the log of a pod that ends well; raise with it otherwise."""
        wait_until(lambda: self._phase(pod) in ("Succeeded", "Failed"), seconds=seconds, what=pod)
        log = self.kubectl("logs", pod)
        if self._phase(pod) == "Failed":
            raise ServerFailedError(f"{pod} failed:\n{log}")
        return log

    def circumstances(self) -> str:
        """What a person would ask for after a failure, which the namespace takes with it."""
        events = self.kubectl("get", "events", "--sort-by=.lastTimestamp", "--output=wide")
        found = [self.kubectl("get", "pods", "--output=wide"), *events.splitlines()[-LAST_EVENTS:]]
        for each in self.kubectl("get", "pods", "--output=name").split():
            with suppress(ServerFailedError):  # one that never started has no log
                found += [each, self.kubectl("logs", each, "--tail=8")]
        return "\n".join(found)

    def objects(self, selector: str) -> list[str]:
        return self.kubectl("get", KINDS, f"--selector={selector}", "--output=name").split()

    def wait_until_empty(self, release: str) -> None:
        """Wait for pods that still end; whatever else is left after that is an error."""
        selectors = (f"app.kubernetes.io/instance={release}", f"owner=helm,name={release}")
        wait_until(
            lambda: not any(self.objects(selector) for selector in selectors),
            seconds=60,
            what=f"nothing of {release} left",
        )

    def _phase(self, pod: str) -> str:
        return self.kubectl("get", "pod", pod, "--output=jsonpath={.status.phase}")


@contextmanager
def namespace(purpose: str) -> Generator[Namespace]:
    """A new namespace, deleted with all it holds."""
    made = Namespace(f"recado-{purpose}-{secrets.token_hex(2)}")
    command("kubectl", "create", "namespace", made.name)
    try:
        command("kubectl", "label", "namespace", made.name, RESTRICTED)
        yield made
    except ServerFailedError as error:
        raise ServerFailedError(f"{error}\n{made.circumstances()}") from error
    finally:
        command("kubectl", "delete", "namespace", made.name, "--wait=false")


def pod(name: str, *arguments: str, **container: Any) -> dict[str, Any]:  # noqa: ANN401 - YAML's
    """A pod of our image; `container` adds to its only container."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "enableServiceLinks": False,
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 1,
            "restartPolicy": "Never",
            "securityContext": {"runAsUser": 65532, "runAsGroup": 65532, "fsGroup": 65532},
            "containers": [
                {
                    "name": name,
                    "image": IMAGE,
                    "imagePullPolicy": "IfNotPresent",
                    "args": list(arguments),
                    "securityContext": SECURED,
                    "volumeMounts": [{"name": "data", "mountPath": "/var/lib/recado"}],
                    **container,
                }
            ],
            "volumes": [{"name": "data", "emptyDir": {}}],
        },
    }


def address_for_pods() -> str:
    """This machine's address on the way to the cluster, at which pods reach it too."""
    view = ["config", "view", "--minify", "--output=jsonpath={.clusters[0].cluster.server}"]
    server = urlsplit(command("kubectl", *view))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        asked.connect((server.hostname, server.port or 443))
        return str(asked.getsockname()[0])


def command(program: str, *arguments: str, given: str | None = None) -> str:
    """Run `kubectl`, `helm3` or `helm4` and return what it printed."""
    done = subprocess.run(
        [str(helm.find_program(program)), *arguments],
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        words = f"{done.stdout}{done.stderr}"
        raise ServerFailedError(f"`{program} {' '.join(arguments)}` failed:\n{words}")
    return done.stdout
