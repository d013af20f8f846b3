"""`python -m loadtest`, also reached as `lockgate swarm`.

Exit status: 0 passed, 1 failed, 2 the run could not be made, 3 invalid because the swarm was the bottleneck.
"""

import os
import sys
from collections.abc import Sequence

from loadtest import commands
from loadtest.failures import SwarmError
from loadtest.options import parse


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments say. Returns the exit status."""
    try:
        options = parse(sys.argv[1:] if arguments is None else arguments)
        return commands.main(options, sys.stdout, dict(os.environ))
    except SwarmError as error:
        # Notes hold the traceback of a scenario that failed by itself: its author needs it.
        sys.stderr.write("\n".join([f"swarm: {error}", *getattr(error, "__notes__", ())]) + "\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
