"""The database's migrations: SQL, additive, applied by yoyo-migrations in the order of their names."""
