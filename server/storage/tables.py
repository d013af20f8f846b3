"""The schema. Times are whole Unix seconds, those of chat messages microseconds; ids are canonical lower-case
UUID text.

An account is found by (issuer, subject), never by its name. A family is one login and all its successors;
it holds no token and no hash of one.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData()

TIME = BigInteger().with_variant(Integer, "sqlite")  # an INTEGER of SQLite has 64 bits

accounts = Table(
    "accounts",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("username", String(128), nullable=False, unique=True),
    Column("display_name", Text, nullable=False, default=""),
    Column("avatar_url", Text, nullable=False, default=""),
    Column("lang_tag", String(18), nullable=False, default="en"),
    Column("location", Text, nullable=False, default=""),
    Column("timezone", Text, nullable=False, default=""),
    Column("metadata", Text, nullable=False, default="{}"),
    Column("create_time", TIME, nullable=False),
    Column("update_time", TIME, nullable=False),
)

identities = Table(
    "identities",
    metadata,
    Column("issuer", Text, primary_key=True),
    Column("subject", String(255), primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, index=True),
    Column("create_time", TIME, nullable=False),
)

spent_tokens = Table(
    "spent_tokens",
    metadata,
    Column("digest", String(64), primary_key=True),
    # What it was used for: a transaction that is repeated does not meet its own traces.
    Column("use_id", String(36), nullable=False),
    Column("exp", TIME, nullable=False, index=True),
)

families = Table(
    "families",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, index=True),
    # The identity that signed in: unlinking it ends the logins it made.
    Column("issuer", Text, nullable=False),
    Column("subject", String(255), nullable=False),
    # Session variables taken from claims at login; a refresh cannot change them.
    Column("claim_vars", Text, nullable=False),
    # What the present tokens were made of, so that they can be made again to the byte (rotation's grace).
    Column("gen", Integer, nullable=False, default=0),
    Column("username", String(128), nullable=False),
    Column("vars", Text, nullable=False),
    Column("session_kid", Text, nullable=False),
    Column("refresh_kid", Text, nullable=False),
    Column("session_exp", BigInteger, nullable=False),
    Column("refresh_exp", BigInteger, nullable=False),
    Column("rotated_at", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("absolute_exp", BigInteger, nullable=False),
    Column("revoked_at", BigInteger, nullable=True),
    Column("reason", String(32), nullable=True),
    Index("families_refresh_exp", "refresh_exp"),
    Index("families_revoked", "revoked_at", "session_exp"),
)

revocations = Table(
    "revocations",
    metadata,
    # In the order of their commits: every process reads on from the last one it knows.
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("family_id", String(36), nullable=False),
    # Until then a session token of the family could be shown, and the row is needed.
    Column("session_exp", BigInteger, nullable=False, index=True),
    Column("reason", String(32), nullable=False),
    # A number must not come back when its row has been purged.
    sqlite_autoincrement=True,
)

bans = Table(
    "bans",
    metadata,
    # By identity, so that a ban survives the deletion of the account.
    Column("issuer", Text, primary_key=True),
    Column("subject", String(255), primary_key=True),
    Column("reason", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

NUMBER = BigInteger().with_variant(Integer, "sqlite")

kept_matches = Table(
    "kept_matches",
    metadata,
    Column("match_id", String(64), primary_key=True),
    # Several servers may share a database, and each takes up its own.
    Column("node", String(16), nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("taken_at", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

channel_messages = Table(
    "channel_messages",
    metadata,
    # In the order of a channel's history: times are whole seconds, and many messages share one.
    Column("number", NUMBER, primary_key=True),
    Column("id", String(36), nullable=False, unique=True),
    Column("channel_id", String(80), nullable=False),
    # A sender who is gone has no messages, whatever was under way when the account went.
    Column("sender_id", ForeignKey("accounts.id"), nullable=False, index=True),
    Column("username", String(128), nullable=False),
    Column("content", Text, nullable=False),
    Column("create_time", BigInteger, nullable=False),
    Column("update_time", BigInteger, nullable=False),
    Index("channel_messages_history", "channel_id", "number"),
    # A reader's cursor stands behind a number: it must not come back when its row is gone.
    sqlite_autoincrement=True,
)

notifications = Table(
    "notifications",
    metadata,
    Column("number", NUMBER, primary_key=True),
    Column("id", String(36), nullable=False, unique=True),
    Column("user_id", ForeignKey("accounts.id"), nullable=False),
    Column("subject", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("code", Integer, nullable=False),
    # Empty: the server itself. Its account may be gone.
    Column("sender_id", String(36), nullable=False),
    Column("create_time", BigInteger, nullable=False),
    Index("notifications_of_user", "user_id", "number"),
    Index("notifications_by_sender", "sender_id", "code"),
    sqlite_autoincrement=True,
)

# In the order of their bytes, on either database: a page goes on where the last one ended.
NAME = String(128).with_variant(String(128, collation="C"), "postgresql")

objects = Table(
    "objects",
    metadata,
    # Empty: the server itself, which has no account. Whoever writes holds the account of any other.
    Column("user_id", String(36), primary_key=True),
    Column("collection", NAME, primary_key=True),
    Column("key", NAME, primary_key=True),
    Column("value", Text, nullable=False),
    Column("version", String(32), nullable=False),
    Column("permission_read", Integer, nullable=False),
    Column("permission_write", Integer, nullable=False),
    Column("create_time", TIME, nullable=False),
    Column("update_time", TIME, nullable=False),
    # A collection of all players: everything in it, and what everybody may read of it.
    Index("objects_of_collection", "collection", "key", "user_id"),
    Index("objects_readable", "collection", "permission_read", "key", "user_id"),
)
