"""python -m server: the same as the `lockgate` command."""

from server.cli import main

raise SystemExit(main())
