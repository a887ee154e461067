"""How things are shown: tables, timelines, orders."""
