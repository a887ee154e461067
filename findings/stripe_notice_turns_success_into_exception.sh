#!/usr/bin/env bash
# stripe 16.1.0, Python 3.11.
# A `Stripe-Notice` header in a successful reply becomes a Python warning after the call. Where warnings are errors
# (PYTHONWARNINGS=error, -W error, pytest's filterwarnings = error), `refunds.create` raises although Stripe has made the
# refund; the refund's id is lost, and code that takes an exception for "no refund was made" is wrong.
# Seen: requests that made a refund: 1, raised: True
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'stripe==16.1.0'
"$folder/venv/bin/python" - <<'PYTHON'
import http.server
import json
import threading
import warnings

import stripe

made = []


class Answer(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        made.append(self.path)
        body = json.dumps({"id": "re_1", "object": "refund", "status": "succeeded"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Stripe-Notice", "This API version is deprecated.")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = stripe.StripeClient("sk_test_x", base_addresses={"api": f"http://127.0.0.1:{server.server_port}"})
raised = False
with warnings.catch_warnings():
    warnings.simplefilter("error")
    try:
        client.v1.refunds.create({"payment_intent": "pi_1"})
    except Warning as notice:
        raised = True
        print(type(notice).__name__, notice)
print(f"requests that made a refund: {len(made)}, raised: {raised}")
assert (len(made), raised) == (1, True), "it behaves otherwise now"
PYTHON
