"""`python -m tests.cluster build | prove`, on the cluster that `KUBECONFIG` names."""

import argparse
import sys
from collections.abc import Sequence

from tests.cluster import image
from tests.cluster.kubernetes import address_for_pods
from tests.cluster.production import prove_production
from tests.cluster.trial import prove_trial
from tests.servers import helm
from tests.servers.kafka import local_kafka
from tests.servers.postgres import local_postgres
from tests.servers.processes import ServerFailedError, ServerMissingError, ending_on_sigterm


def main() -> int:
    arguments = _parser().parse_args()
    try:
        with ending_on_sigterm():
            if arguments.verb == "build":
                image.build(arguments.builder, arguments.load)
            else:
                prove(arguments.helm or helm.HELMS)
    except (ServerMissingError, ServerFailedError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def prove(programs: Sequence[str]) -> None:
    """Both profiles with each Helm, one after the other."""
    for program in programs:
        prove_trial(program)
    host = address_for_pods()
    with local_postgres(host=host) as server, local_kafka(host=host) as broker:
        for program in programs:
            prove_production(program, server, broker)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    building = verbs.add_parser("build", help="build the image and bring it to the cluster")
    building.add_argument("--builder", default="buildah bud --layers", help="builds a Dockerfile")
    building.add_argument("--load", default="", help="brings an archive to the cluster")
    proving = verbs.add_parser("prove", help="install, test, upgrade, uninstall")
    proving.add_argument("--helm", action="append", choices=helm.HELMS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
