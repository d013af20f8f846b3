"""Accounts, identities, used-up tokens and login families: the schema before there were revisions.

A database of that time has these tables, or, if it is older still, some of them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

TIME = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    _make_accounts()
    op.create_table(
        "spent_tokens",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("use_id", sa.String(36), nullable=False),
        sa.Column("exp", TIME, nullable=False),
        if_not_exists=True,
    )
    op.create_index("ix_spent_tokens_exp", "spent_tokens", ["exp"], if_not_exists=True)
    op.create_table(
        "families",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("account_id", sa.String(36), sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("claim_vars", sa.Text, nullable=False),
        sa.Column("gen", sa.Integer, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("last_used_at", TIME, nullable=False),
        sa.Column("session_exp", TIME, nullable=False),
        sa.Column("absolute_exp", TIME, nullable=False),
        sa.Column("revoked_at", TIME, nullable=True),
        sa.Column("reason", sa.String(32), nullable=True),
        if_not_exists=True,
    )
    op.create_index("ix_families_account_id", "families", ["account_id"], if_not_exists=True)
    op.create_index("families_revoked", "families", ["revoked_at", "session_exp"], if_not_exists=True)


def _make_accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("username", sa.String(128), nullable=False, unique=True),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("avatar_url", sa.Text, nullable=False),
        sa.Column("lang_tag", sa.String(18), nullable=False),
        sa.Column("location", sa.Text, nullable=False),
        sa.Column("timezone", sa.Text, nullable=False),
        sa.Column("metadata", sa.Text, nullable=False),
        sa.Column("create_time", TIME, nullable=False),
        sa.Column("update_time", TIME, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "identities",
        sa.Column("issuer", sa.Text, primary_key=True),
        sa.Column("subject", sa.String(255), primary_key=True),
        sa.Column("account_id", sa.String(36), sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("create_time", TIME, nullable=False),
        if_not_exists=True,
    )
    op.create_index("ix_identities_account_id", "identities", ["account_id"], if_not_exists=True)
