#!/usr/bin/env bash
# jsonata-python 0.7.1 (PyPI) against jsonata 2.0.6 (npm: the reference, in the version that AWS documents for Step
# Functions), Python 3.11, Node.js 20. Who tests a state machine's JSONata with the Python port gets other texts:
# - $string rounds every number to 15 digits, also whole ones: 1234567890123456 becomes "1234567890123460" in the
#   reference (an id of 16 digits changes its last one), and "1.23456789012346e+15" in the port, which writes an exponent
#   from 1e15 on; the reference only from 1e21 on.
# - Inside an object or a list the port's $string does not round: "[0.30000000000000004]" for "[0.3]", and it writes \u
#   escapes for what is not ASCII.
# - $base64encode takes a text's bytes as Latin-1 in the reference, as UTF-8 in the port.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'jsonata-python==0.7.1'
(cd "$folder" && npm install --silent --no-audit --no-fund 'jsonata@2.0.6' >/dev/null)
cat >"$folder/expressions.json" <<'JSON'
["$string(1234567890123456)", "$string(1e15)", "$string([0.1 + 0.2])", "$string({\"name\": \"Zoë\"})", "$base64encode(\"ë\")"]
JSON
cat >"$folder/port.py" <<'PYTHON'
import json

import jsonata

for expression in json.load(open("expressions.json", encoding="utf-8")):
    print(jsonata.Jsonata(expression).evaluate({}))
PYTHON
cat >"$folder/reference.js" <<'JAVASCRIPT'
const jsonata = require("jsonata");
(async () => {
  for (const expression of require("./expressions.json")) console.log(await jsonata(expression).evaluate({}));
})();
JAVASCRIPT
cd "$folder"
node reference.js >reference.txt
venv/bin/python port.py >port.txt
paste -d'|' reference.txt port.txt | tee both.txt
cat >expected.txt <<'TEXT'
1234567890123460|1.23456789012346e+15
1000000000000000|1e+15
[0.3]|[0.30000000000000004]
{"name":"Zoë"}|{"name":"Zo\u00eb"}
6w==|w6s=
TEXT
diff expected.txt both.txt || { echo "it behaves otherwise now"; exit 1; }
