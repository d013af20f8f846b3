"""What may become of logins, told a second time: small, and knowing nothing of how the server does it.

A login is a list of pairs of tokens, generation by generation, and the reason why it ended, if it has. Times
are by the server's clock. The rules are those of RFC 9700, section 4.14.2, with a grace time.
"""

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

GRACE_S = 30
SESSION_S = 7200
IDLE_S = 14 * 86_400
MAX_S = 90 * 86_400
DAY_S = 86_400


class Fate(Enum):
    """What a refresh token gets that is shown now."""

    NEXT = "the next pair"
    SAME = "the present pair, once more"
    ALARM = "refused, and the login ends"
    NOTHING = "refused"


@dataclass(frozen=True)
class Pair:
    """A pair of tokens as a client has it, and until when each is good."""

    token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    exp: int
    refresh_exp: int


@dataclass
class Login:
    """A login, its honest client, and whether anybody else was at it."""

    id: str
    account: str
    who: str
    made_at: int
    pairs: list[Pair]
    rotated_at: int
    ended: str = ""
    """Why, once it has."""
    held: int = 0
    """The generation of which the honest client knows."""
    abused: bool = False
    """A refresh token of it was used by somebody else, or by its client too late."""

    def fate(self, gen: int, now: float) -> Fate:
        if self.ended or self.pairs[gen].refresh_exp <= now or self.made_at + MAX_S <= now:
            return Fate.NOTHING
        newest = len(self.pairs) - 1
        if gen == newest:
            return Fate.NEXT
        return Fate.SAME if gen == newest - 1 and now <= self.rotated_at + GRACE_S else Fate.ALARM

    def opens(self, gen: int, now: float) -> bool:
        """Whether the session token of a generation is good. A newer one does not end an older."""
        return not self.ended and now < self.pairs[gen].exp

    def may_be_cleaned_away(self, latest: float) -> bool:
        """Whether its tokens have been over for so long that nothing needs to remember it."""
        return max(pair.refresh_exp for pair in self.pairs) + DAY_S <= latest


class Model:
    """All accounts and logins. `keep`: how many logins of an account may live at once."""

    def __init__(self, keep: int) -> None:
        self.keep = keep
        self.logins: dict[str, Login] = {}
        self.account_of: dict[str, str] = {}
        self.banned: set[str] = set()

    def start(self, who: str, answer: dict[str, Any], now: float) -> Login:
        """A login that was made. Fails if its tokens are not what they must be."""
        assert answer.get("created", False) is (who not in self.account_of)
        said = claims(answer["token"])
        account = self.account_of.get(who)
        if account is None:
            assert said["uid"] not in self.account_of.values()
            account = self.account_of[who] = said["uid"]
        login = Login(said["tid"], account, who, int(now), [], int(now))
        assert login.id not in self.logins
        self.logins[login.id] = login
        self._add(login, answer, now)
        return login

    def rotate(self, login: Login, answer: dict[str, Any], now: float) -> None:
        """A refresh that gave a new pair. Fails if that is not what it must be."""
        assert answer["refresh_token"] not in {pair.refresh_token for pair in login.pairs}
        self._add(login, answer, now)
        login.rotated_at = int(now)

    def end(self, logins: Iterable[Login], why: str) -> set[str]:
        """End these as far as they have not; gives the ids of those that had not."""
        news = {login.id for login in logins if not login.ended}
        for login_id in news:
            self.logins[login_id].ended = why
        return news

    def of(self, account: str) -> list[Login]:
        return [login for login in self.logins.values() if login.account == account]

    def identities(self, account: str) -> set[str]:
        return {who for who, own in self.account_of.items() if own == account}

    def living(self, account: str, now: float) -> list[Login]:
        """The logins of an account that can still be refreshed."""
        return [login for login in self.of(account) if login.fate(len(login.pairs) - 1, now) is Fate.NEXT]

    def ban(self, who: str) -> set[str]:
        account = self.account_of.get(who)
        self.banned |= {who} if account is None else self.identities(account)
        return set() if account is None else self.end(self.of(account), "banned")

    def unban(self, who: str) -> None:
        account = self.account_of.get(who)
        self.banned -= {who} if account is None else self.identities(account)

    def delete(self, account: str) -> set[str]:
        self.account_of = {who: own for who, own in self.account_of.items() if own != account}
        return self.end(self.of(account), "deleted")

    def _add(self, login: Login, answer: dict[str, Any], now: float) -> None:
        # A clock that was set back must not make a pair end before the one that it takes the place of.
        before = login.pairs[-1] if login.pairs else Pair("", "", 0, 0)
        end = login.made_at + MAX_S
        pair = Pair(
            answer["token"],
            answer["refresh_token"],
            max(before.exp, min(int(now) + SESSION_S, end)),
            max(before.refresh_exp, min(int(now) + IDLE_S, end)),
        )
        wanted = (login.account, login.id, login.made_at)
        for token, exp in ((pair.token, pair.exp), (pair.refresh_token, pair.refresh_exp)):
            said = claims(token)
            assert (said["uid"], said["tid"], said["iat"], said["exp"]) == (*wanted, exp)
        login.pairs.append(pair)


def claims(token: str) -> dict[str, Any]:
    """What a token says, as an SDK reads it: unverified."""
    payload = token.split(".")[1]
    said: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return said
