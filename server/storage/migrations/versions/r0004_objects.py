"""Stored objects."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

NAME = sa.String(128).with_variant(sa.String(128, collation="C"), "postgresql")
TIME = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "objects",
        sa.Column("user_id", sa.String(36), primary_key=True),
        sa.Column("collection", NAME, primary_key=True),
        sa.Column("key", NAME, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("version", sa.String(32), nullable=False),
        sa.Column("permission_read", sa.Integer, nullable=False),
        sa.Column("permission_write", sa.Integer, nullable=False),
        sa.Column("create_time", TIME, nullable=False),
        sa.Column("update_time", TIME, nullable=False),
    )
    op.create_index("objects_of_collection", "objects", ["collection", "key", "user_id"])
    op.create_index("objects_readable", "objects", ["collection", "permission_read", "key", "user_id"])
