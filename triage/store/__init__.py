"""The database: tables and queries by noun; takes a connection, never commits, refuses to decide."""
