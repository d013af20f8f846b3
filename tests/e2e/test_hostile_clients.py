"""Two seconds of the clients that `make soak` lets loose for ten minutes."""

from pathlib import Path

from tests.fuzz import sockets
from tests.support.running import running_server


async def test_clients_that_do_everything_wrong_leave_no_trace(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        faults = await sockets.run(server, seconds=2, seed=7)

    assert [fault for fault in faults if "memory" not in fault] == []
