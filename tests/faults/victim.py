"""`python -m tests.faults.victim STEP OCCASION ARGUMENTS…`: the `recado` command, armed to die."""

import sys

from recado.__main__ import main
from tests.faults.steps import STEPS, arm

if __name__ == "__main__":
    number, occasion = int(sys.argv[1]), int(sys.argv[2])
    sys.argv = ["recado", *sys.argv[3:]]
    arm(STEPS[number], occasion)
    main()
