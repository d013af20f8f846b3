"""Logins from before rotation go on; revocations from before the log are in it."""

from sqlalchemy import text

from server.ids import RandomIds
from server.storage.families import MadeOf, Terms
from server.storage.revocations import Ended, Revoked
from server.storage.store import Store
from tests.support.databases import migrated, opened
from tests.support.families import new_family
from tests.support.issuer import ISSUER

NOW = 1_800_000_000
ROWS = (
    "INSERT INTO accounts VALUES ('a', 'alice', 'Alice', '', 'en', '', '', '{}', 1, 2)",
    f"INSERT INTO identities VALUES ('{ISSUER}', 'younger', 'a', 9), ('{ISSUER}', 'older', 'a', 5)",
    "INSERT INTO spent_tokens VALUES ('digest', 'use', 7)",
    "INSERT INTO families VALUES"
    " ('alive', 'a', '{\"role\": \"guest\"}', 0, 10, 20, 4000000000, 5000000000, NULL, NULL),"
    " ('later', 'a', '{}', 0, 10, 20, 4000000000, 5000000000, 40, 'logout_all'),"
    " ('ended', 'a', '{}', 0, 10, 20, 4000000000, 5000000000, 30, 'logout')",
)


async def test_logins_and_their_endings_survive(empty_url: str) -> None:
    await migrated(empty_url, to="0001")
    async with opened(empty_url) as engine, engine.begin() as connection:
        for statement in ROWS:
            await connection.execute(text(statement.replace(":", "\\:")))
    await migrated(empty_url, to="0002")

    store = Store(RandomIds("test"))
    await store.open(empty_url)
    alive, ended = await store.families.find("alive"), await store.families.find("ended")
    log, _ = await store.revocations.after(0, now=NOW)
    account = await store.account("a")
    again = await store.login(new_family("new", "older"), create=False, username=None)
    rotated = await store.families.rotate(
        "alive", 0, MadeOf(1, {}, NOW, Terms("s", "r", NOW + 1, NOW + 2)), username="alice"
    )
    await store.close()

    assert alive is not None
    assert (alive.account_id, alive.username, alive.present_name) == ("a", "alice", "alice")
    assert (alive.claim_vars, alive.made_of.vars) == ({"role": "guest"}, {"role": "guest"})
    assert (alive.revoked, alive.made_of.gen, alive.made_of.made_at) == (False, 0, 20)
    assert (alive.made_of.terms.session_exp, alive.made_of.terms.refresh_exp) == (
        4_000_000_000,
        5_000_000_000,
    )
    assert ended is not None
    assert ended.revoked
    assert log == [
        Revoked("ended", 4_000_000_000, Ended.LOGOUT),
        Revoked("later", 4_000_000_000, Ended.LOGOUT_ALL),
    ]
    assert account is not None
    assert (account.subject, account.display_name) == ("older", "Alice")
    assert again is not None
    assert not again.created
    assert rotated
