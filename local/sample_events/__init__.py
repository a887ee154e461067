"""The sample events of events/: `python -m local.sample_events` writes them, and the index of events/README.md."""
