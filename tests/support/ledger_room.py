"""A place whose members hear each other, with a ledger and a clock that is set by hand."""

from loadtest.ledger import Ledger, Topic
from loadtest.visit import Visit


class LedgerRoom:
    """Members who hear each other; `now_ns` is set by hand."""

    def __init__(self, members: int, *, echoes: bool = False) -> None:
        self.ledger = Ledger()
        self.topic: Topic = self.ledger.topic(echoes=echoes)
        self.now_ns = 0
        self.members: list[Visit] = []
        for _ in range(members):
            self.join()

    def join(self) -> Visit:
        visit = self.topic.begin(self.now_ns)
        name = f"s{len(self.members)}"
        present = [each.session_id for each in self.members if each.is_in]
        visit.enter(self.now_ns, name, f"u{len(self.members)}", present)
        for each in self.members:
            each.joined(name)
        self.members.append(visit)
        return visit

    def check(self, **expected: int) -> None:
        """These counters are as told and all other faults zero."""
        truth = self.ledger.truth()
        faults = {name: count for name, count in truth.faults().items() if count}
        plain: dict[str, int] = {
            name: getattr(truth, name) for name in ("sent", "expected", "delivered") if name in expected
        }
        assert faults | plain == expected
