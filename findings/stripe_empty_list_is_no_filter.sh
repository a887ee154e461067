#!/usr/bin/env bash
# stripe 16.1.0, Python 3.11.
# An empty list in a query's parameters is left out of the request: `client.v1.events.list({"types": []})` asks
# "GET /v1/events" without any filter, so Stripe answers with ALL events where "none of these types" was meant. Whoever
# computes the list of types (or ids) and ends with an empty one gets everything, and pages through it.
# Inside a list, None and True become the words "None" and "True"; at the top level None is left out and True is "true".
# Seen: /v1/events | /v1/events?types[0]=None | /v1/events?delivery_success=true
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'stripe==16.1.0'
"$folder/venv/bin/python" - <<'PYTHON'
import http.server
import json
import threading
import urllib.parse

import stripe

asked = []


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        asked.append(urllib.parse.unquote(self.path))
        body = json.dumps({"object": "list", "data": [], "has_more": False, "url": "/v1/events"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = stripe.StripeClient("sk_test_x", base_addresses={"api": f"http://127.0.0.1:{server.server_port}"})
client.v1.events.list({"types": []})
client.v1.events.list({"types": [None]})
client.v1.events.list({"delivery_success": True, "type": None})
print(" | ".join(asked))
assert asked == ["/v1/events", "/v1/events?types[0]=None", "/v1/events?delivery_success=true"], "it behaves otherwise now"
PYTHON
