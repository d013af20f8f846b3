"""What a login's tokens are made of, the log of revocations, and bans.

Logins go on: what their tokens were made of is not known, but their next refresh writes it down. Those that
had ended are in the log, as their session tokens may still be shown.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("CREATE TABLE families_before AS SELECT * FROM families")
    op.drop_table("families")
    _make_families()
    _make_revocations_and_bans()
    _copy_families()
    op.execute(
        """
        INSERT INTO revocations (family_id, session_exp, reason)
        SELECT id, session_exp, reason FROM families_before WHERE revoked_at IS NOT NULL ORDER BY revoked_at
        """
    )
    op.drop_table("families_before")


def _make_families() -> None:
    op.create_table(
        "families",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("account_id", sa.String(36), sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("issuer", sa.Text, nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("claim_vars", sa.Text, nullable=False),
        sa.Column("gen", sa.Integer, nullable=False),
        sa.Column("username", sa.String(128), nullable=False),
        sa.Column("vars", sa.Text, nullable=False),
        sa.Column("session_kid", sa.Text, nullable=False),
        sa.Column("refresh_kid", sa.Text, nullable=False),
        sa.Column("session_exp", sa.BigInteger, nullable=False),
        sa.Column("refresh_exp", sa.BigInteger, nullable=False),
        sa.Column("rotated_at", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("absolute_exp", sa.BigInteger, nullable=False),
        sa.Column("revoked_at", sa.BigInteger, nullable=True),
        sa.Column("reason", sa.String(32), nullable=True),
    )
    op.create_index("ix_families_account_id", "families", ["account_id"])
    op.create_index("families_refresh_exp", "families", ["refresh_exp"])
    op.create_index("families_revoked", "families", ["revoked_at", "session_exp"])


def _make_revocations_and_bans() -> None:
    op.create_table(
        "revocations",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("family_id", sa.String(36), nullable=False),
        sa.Column("session_exp", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_revocations_session_exp", "revocations", ["session_exp"])
    op.create_table(
        "bans",
        sa.Column("issuer", sa.Text, primary_key=True),
        sa.Column("subject", sa.String(255), primary_key=True),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )


def _copy_families() -> None:
    # Which identity made a login was not written down: the account's first one stands for it. When a refresh
    # token ends was in the token alone, and is never later than the login's own end.
    op.execute(
        """
        INSERT INTO families (
            id, account_id, issuer, subject, claim_vars, gen, username, vars, session_kid, refresh_kid,
            session_exp, refresh_exp, rotated_at, created_at, absolute_exp, revoked_at, reason
        )
        SELECT
            old.id, old.account_id, oldest.issuer, oldest.subject, old.claim_vars, old.gen, accounts.username,
            old.claim_vars, '', '',
            old.session_exp, old.absolute_exp, old.last_used_at, old.created_at, old.absolute_exp,
            old.revoked_at, old.reason
        FROM families_before AS old
        JOIN accounts ON accounts.id = old.account_id
        JOIN (
            SELECT account_id, issuer, subject, ROW_NUMBER() OVER (
                PARTITION BY account_id ORDER BY create_time, issuer, subject
            ) AS place
            FROM identities
        ) AS oldest ON oldest.account_id = old.account_id AND oldest.place = 1
        """
    )
