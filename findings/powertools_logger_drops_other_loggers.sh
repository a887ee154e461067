#!/usr/bin/env bash
# aws-lambda-powertools 3.37.0, Python 3.11.
# A Powertools Logger puts a filter on the root logger's handlers that drops every record whose logger's NAME CONTAINS
# the service's name anywhere, not only the records of the Logger itself and of its children. With the service "pay",
# the lines of a library's logger "stripe.payments" vanish from the root's handlers, warnings and errors included, and
# nothing says so. One expects the logger named so, or its children, to be left out; not a substring.
# Seen: "kept: 1 dropped: 1", whatever the level. The service's name is often the stack's name, chosen by whoever deploys.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'aws-lambda-powertools==3.37.0'
"$folder/venv/bin/python" - <<'PYTHON'
import io
import logging

from aws_lambda_powertools import Logger

seen = io.StringIO()
logging.basicConfig(stream=seen, level=logging.INFO, format="%(name)s %(message)s")  # as Lambda has a root handler
Logger(service="pay", stream=io.StringIO())
logging.getLogger("stripe.sessions").error("a refund failed")
logging.getLogger("stripe.payments").error("a refund failed")
kept = seen.getvalue().count("stripe.sessions")
dropped = 1 - seen.getvalue().count("stripe.payments")
print(f"kept: {kept} dropped: {dropped}")
assert (kept, dropped) == (1, 1), "it behaves otherwise now"
PYTHON
