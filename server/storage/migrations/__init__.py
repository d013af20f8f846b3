"""The steps from an empty database to the present schema, applied by `server/storage/migrate.py` at start.

To change the schema: change `tables.py`, and add `versions/rNNNN_name.py`, numbered one on, with `revision`,
`down_revision` (the one before, as text) and `upgrade()`. A revision that was released is never changed. It
describes tables by itself and imports nothing of ours: `tables.py` will have moved on. There is no downgrade:
the copy of the file (SQLite) or your backup (PostgreSQL) is the way back.

All steps of a start are one transaction, on either database. SQLite cannot change a column: use
`op.batch_alter_table`, or do as 0002, which copies rows out, makes the table anew and copies them in. There,
foreign keys are not enforced meanwhile but checked at the end. Rows must survive: test the step with some.
"""
