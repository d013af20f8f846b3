"""The history of channels, and stored notifications."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "channel_messages",
        sa.Column("number", NUMBER, primary_key=True),
        sa.Column("id", sa.String(36), nullable=False, unique=True),
        sa.Column("channel_id", sa.String(80), nullable=False),
        sa.Column("sender_id", sa.String(36), sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("username", sa.String(128), nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("create_time", sa.BigInteger, nullable=False),
        sa.Column("update_time", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("channel_messages_history", "channel_messages", ["channel_id", "number"])
    op.create_index("ix_channel_messages_sender_id", "channel_messages", ["sender_id"])
    op.create_table(
        "notifications",
        sa.Column("number", NUMBER, primary_key=True),
        sa.Column("id", sa.String(36), nullable=False, unique=True),
        sa.Column("user_id", sa.String(36), sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("code", sa.Integer, nullable=False),
        sa.Column("sender_id", sa.String(36), nullable=False),
        sa.Column("create_time", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("notifications_of_user", "notifications", ["user_id", "number"])
    op.create_index("notifications_by_sender", "notifications", ["sender_id", "code"])
