"""Alembic's scripts; `triage.store.engine` runs them."""
