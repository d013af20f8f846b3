"""How Alembic runs the revisions: on the connection it was given, within its transaction.

Loaded by Alembic from its path, not imported. Configures no logging and reads no settings.
"""

from alembic import context

from server.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite can do it too, as our engines begin transactions themselves.
    transactional_ddl=True,
)
context.run_migrations()
