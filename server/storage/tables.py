"""The schema. Times are whole Unix seconds; ids are canonical lower-case UUID text.

An account is found by (issuer, subject), never by its name. A family is one login and all its successors;
it holds no token and no hash of one.
"""

from sqlalchemy import Column, ForeignKey, Index, Integer, MetaData, String, Table, Text

metadata = MetaData()

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
    Column("create_time", Integer, nullable=False),
    Column("update_time", Integer, nullable=False),
)

identities = Table(
    "identities",
    metadata,
    Column("issuer", Text, primary_key=True),
    Column("subject", String(255), primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, index=True),
    Column("create_time", Integer, nullable=False),
)

spent_tokens = Table(
    "spent_tokens",
    metadata,
    Column("digest", String(64), primary_key=True),
    # What it was used for: a transaction that is repeated does not meet its own traces.
    Column("use_id", String(36), nullable=False),
    Column("exp", Integer, nullable=False, index=True),
)

families = Table(
    "families",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, index=True),
    # Session variables taken from claims at login; a refresh cannot change them.
    Column("claim_vars", Text, nullable=False),
    Column("gen", Integer, nullable=False, default=0),
    Column("created_at", Integer, nullable=False),
    Column("last_used_at", Integer, nullable=False),
    # When the youngest session token of the family ends: how long a revocation must be remembered.
    Column("session_exp", Integer, nullable=False),
    Column("absolute_exp", Integer, nullable=False),
    Column("revoked_at", Integer, nullable=True),
    Column("reason", String(32), nullable=True),
    Index("families_revoked", "revoked_at", "session_exp"),
)
