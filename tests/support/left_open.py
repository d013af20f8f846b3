"""A transport that a test leaves open fails the run, as a plugin of pytest.

uvloop warns of it while it closes its loop. Made an error there, the warning is thrown away, its handle stays
open, and the loop waits for it without an end: so it is let through, and counted here.
"""

import warnings

import pytest

LEFT_OPEN = "unclosed resource <"
"""How uvloop's warning begins."""


class LeftOpen:
    """The tests that left a transport open."""

    def __init__(self) -> None:
        self._tests: list[str] = []

    def pytest_warning_recorded(self, warning_message: warnings.WarningMessage, nodeid: str) -> None:
        if str(warning_message.message).startswith(LEFT_OPEN):
            self._tests.append(nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self._tests and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for test in sorted(set(self._tests)):
            terminalreporter.write_line(f"LEFT OPEN a transport: {test}", red=True)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("filterwarnings", f"always:{LEFT_OPEN}:ResourceWarning")
    config.pluginmanager.register(LeftOpen())
