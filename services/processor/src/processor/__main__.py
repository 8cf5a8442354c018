"""`python -m processor worker`: consume messages and answer them."""

import sys

from common.runtime import start
from processor.app import run_worker
from processor.settings import ProcessorSettings

_USAGE = "Say what to run: `python -m processor worker`."
_NO_API = "The processor has no API yet; `python -m processor worker` is what it can run."

if __name__ == "__main__":
    match sys.argv[1:]:
        case ["worker"]:
            start("processor", ProcessorSettings, run_worker)
        case ["api"]:
            sys.exit(_NO_API)
        case _:
            sys.exit(_USAGE)
