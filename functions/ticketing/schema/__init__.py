"""The database's schema: the migrations, what applies them, and what must be true of tables that were there before."""
