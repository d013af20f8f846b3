"""What to do about a refresh token that is ours and has not expired: the rule of rotation, as a decision.

Pure. RFC 9700 section 4.14.2: a token that was replaced and comes again revokes its login; but the answer
that carried its successor may have been lost, or two tabs may have asked at once, so that for the grace time
a repeat gets the same successor.
"""

from enum import Enum

from server.storage.families import Family


class Verdict(Enum):
    """The four fates of a refresh."""

    ROTATE = "rotate"
    """The present token: replace it."""
    REPEAT = "repeat"
    """The one before, within the grace time: answer what was answered."""
    REUSE = "reuse"
    """One that was replaced longer ago: somebody else has the login too, so it ends."""
    OVER = "over"
    """The login has ended, or never was as the token says. Nothing more is done to it."""


def judge(family: Family | None, user_id: str, gen: int, *, now: float, grace_s: float) -> Verdict:
    """The fate of a token of `user_id` with rotation counter `gen`.

    Whether the login goes on comes first: a revoked one is over also within the grace time. The grace time
    runs from the rotation, never from anything that a revocation writes.
    """
    if family is None or family.account_id != user_id or family.revoked or family.absolute_exp <= now:
        return Verdict.OVER
    made_of = family.made_of
    if gen == made_of.gen:
        return Verdict.ROTATE
    if gen > made_of.gen:  # signed by us, so the database is older than the token: nobody's theft
        return Verdict.OVER
    if gen == made_of.gen - 1 and now - made_of.made_at <= grace_s:
        return Verdict.REPEAT
    return Verdict.REUSE
