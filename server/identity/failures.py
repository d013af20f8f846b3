"""Why a caller is turned away. Each carries the one text that may be told outside."""


class Denied(Exception):
    """A caller is turned away; `message` is what they are told."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class RequestInvalid(Denied):
    """The request cannot be understood or asks for something out of bounds."""


class Unauthenticated(Denied):
    """The token shown does not prove what it must."""


class NotFound(Denied):
    """The account does not exist."""


class InUse(Denied):
    """The identity belongs to another account."""


class NotAllowed(Denied):
    """The caller is known and may not do this."""


class TryLater(Denied):
    """It cannot be done now; try again after `retry_after_s` whole seconds."""

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class PlayerRefused(Denied):
    """The game does not let this player in; the message is the game's own."""


class Unfinished(TryLater):
    """The game's code did not come to an answer in time."""

    def __init__(self, retry_after_s: int = 1) -> None:
        super().__init__("Sign-in unavailable", retry_after_s)


class GameFault(Denied):
    """The game's code failed. What went wrong is in the log only."""

    def __init__(self) -> None:
        super().__init__("Internal Server Error")


class KeysUnavailable(TryLater):
    """The identity provider's keys cannot be had now."""

    def __init__(self, retry_after_s: int = 1) -> None:
        super().__init__("Identity provider unavailable", retry_after_s)


class TooManyLogins(TryLater):
    """A login limit is reached."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__("Too many logins, try again later.", retry_after_s)


class TooManyRefreshes(TryLater):
    """A refresh limit is reached."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__("Too many refreshes, try again later.", retry_after_s)


class TicketsFull(TryLater):
    """There is no room for one more unused ticket."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__("Too many tickets, try again later.", retry_after_s)


class TokensNotKept(TryLater):
    """There is no room to remember one more identity token as used, so none is taken."""

    def __init__(self, retry_after_s: int = 60) -> None:
        super().__init__("Sign-in unavailable", retry_after_s)
