"""Speed, as ratios against bare SQL in the same run: `make bench`, or `python -m tests.bench --help`.

This machine's load changes from second to second, so nothing here is compared with a number of another day: what is
measured and its floor take turns, in small batches, and medians are compared.
"""
