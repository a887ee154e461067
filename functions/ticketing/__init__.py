"""The shop itself: its rules and the SQL that keeps them. Knows nothing of Lambda."""
