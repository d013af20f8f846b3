"""python -m server: the same as the `lockgate` command."""

import gc
import sys


def main() -> int:
    """Run the command of this process's arguments. Returns the exit status."""
    if sys.argv[1:2] == ["serve"]:
        # Nearly everything that a start makes stays, and collections would walk it again and again, for a
        # tenth of the start's time. The server's collector ends this when it is ready.
        gc.disable()
    # Late: importing is most of the start.
    from server.cli import main as run

    return run()


if __name__ == "__main__":
    raise SystemExit(main())
