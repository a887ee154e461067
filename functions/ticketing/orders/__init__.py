"""The order's row: its states, its number, its lock, its history, and what it holds."""
