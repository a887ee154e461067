"""What `sam deploy` sends is what is run here: the folder that `sam build` makes, on the functions' own Python.

`make test-built` runs it; so does `make test-all`, where that Python and sam are.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import jwt
import pytest
import stripe
from cryptography.hazmat.primitives.asymmetric import rsa
from samtranslator.yaml_helper import yaml_parse
from werkzeug.test import Client

from local.aws.cloud import LocalCloud
from local.aws.http_api import HttpApi
from local.aws.lambda_answers import InvokeResult
from local.aws.lambda_pool import Invocation
from local.aws.lambda_workers import Interceptor, Proceed
from local.stripe_stand_in import SessionSeed, StripeStandIn
from local.web_server import WebServer
from tests.artefact import TEMPLATE, VARIABLE, Artefact, built, code_of
from tests.factories import create_code, dispute_of, envelope, refund_of, row_of, session_of, stripe_event
from tests.workflow.conftest import Run
from tests.workflow.scenarios import Scene, with_automatic_refund
from ticketing.database import Database

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(not os.environ.get(VARIABLE), reason="`make test-built` builds what ships, and tests it"),
]

SAM: Final[dict[str, Any]] = yaml_parse(TEMPLATE.read_text(encoding="utf-8"))
FUNCTIONS: Final = {
    name: resource["Properties"]
    for name, resource in SAM["Resources"].items()
    if resource["Type"] == "AWS::Serverless::Function"
}
ISSUER: Final = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_test"
KEY: Final = rsa.generate_private_key(public_exponent=65537, key_size=2048)
# What Lambda's managed runtime has besides: its client, and what that needs.
RUNTIME: Final = {"awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py"}
IMPORT_ALL: Final = """
import importlib, json, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
import boto3, jwt, stripe, idna, botocore.exceptions
print(json.dumps({name: getattr(module, "__file__", None) or "" for name, module in sys.modules.items()}))
"""


@pytest.fixture(scope="module")
def artefact() -> Artefact:
    return built()


def test_all_functions_are_built_alike() -> None:
    """One of them is built and tested as all."""
    common = SAM["Globals"]["Function"]
    assert {"CodeUri", "Runtime", "Architectures"} <= set(common)
    for name, properties in FUNCTIONS.items():
        assert not {"CodeUri", "Runtime", "Architectures", "Layers", "PackageType"} & set(properties), name
        assert "Metadata" not in SAM["Resources"][name], name


def test_every_module_comes_out_of_the_folder(artefact: Artefact) -> None:
    code = code_of(artefact)
    handlers = sorted({properties["Handler"].rpartition(".")[0] for properties in FUNCTIONS.values()})
    done = subprocess.run(
        [artefact.python.path, "-c", IMPORT_ALL, *handlers],
        env={"PYTHONPATH": str(code), "POWERTOOLS_METRICS_NAMESPACE": "Cachao"},
        cwd=code,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    files: dict[str, str] = json.loads(done.stdout)
    library = json.loads(_ask(artefact, "import json, sysconfig; print(json.dumps(sysconfig.get_path('stdlib')))"))
    elsewhere = {
        name: file
        for name, file in files.items()
        if (file and not file.startswith((f"{code}/", f"{library}/"))) or "site-packages" in file
    }
    assert {name.partition(".")[0] for name in elsewhere} <= RUNTIME, elsewhere
    assert len([file for file in files.values() if file.startswith(f"{code}/")]) > 400


def test_every_module_has_bytecode_that_the_functions_python_takes(artefact: Artefact) -> None:
    """Without it a worker compiles all that it imports, before its first answer."""
    tag = f"cpython-{artefact.python.version.replace('.', '')}"
    magic = bytes.fromhex(_ask(artefact, "import importlib.util as u; print(u.MAGIC_NUMBER.hex())"))
    unchecked = (1).to_bytes(4, "little")
    for source in code_of(artefact).rglob("*.py"):
        compiled = source.parent / "__pycache__" / f"{source.stem}.{tag}.pyc"
        assert compiled.read_bytes()[:8] == magic + unchecked, source


def test_its_size_is_what_is_written_down(artefact: Artefact) -> None:
    """Lambda takes 250 MB; the figures of docs/decisions.md are to be renewed when they are off by a tenth."""
    text = (TEMPLATE.parent / "docs" / "decisions.md").read_text(encoding="utf-8")
    written = re.search(r"\*\*What a function's bundle has\*\* [^:]*: (\d+) MB", text)
    assert written is not None
    size = sum(file.stat().st_size for file in code_of(artefact).rglob("*") if file.is_file()) / 1e6
    assert size == pytest.approx(float(written[1]), rel=0.1)


# --- Every function, invoked ----------------------------------------------------------------------------------------


@pytest.fixture
def answered(cloud: LocalCloud) -> Iterator[set[str]]:
    """The functions that answered, and did not fail."""
    names: set[str] = set()

    def watch(invocation: Invocation, proceed: Proceed) -> InvokeResult:
        result = proceed(invocation)
        if result.function_error is None and result.service_error is None:
            names.add(invocation.function.logical_id)
        return result

    interceptor: Interceptor = watch
    cloud.lambdas.interceptors.append(interceptor)
    yield names
    cloud.lambdas.interceptors.remove(interceptor)


@pytest.fixture
def logged_in(cloud: LocalCloud) -> Iterator[dict[str, str]]:
    """The header of a buyer whose token one function verifies, with the keys of a user pool on this machine."""
    public = {**jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True), "kid": "k1"}

    def keys(_environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps({"keys": [public]}).encode()]

    server = WebServer()
    server.start(keys)
    function = cloud.deployment.functions["ListUserTicketsFunction"]
    told = {**function.environment, "COGNITO_JWKS_URL": f"http://127.0.0.1:{server.port}/"}
    cloud.lambdas.publish(dataclasses.replace(function, environment=told))
    claims = {"sub": "buyer", "iss": ISSUER, "aud": "client", "token_use": "id", "exp": int(time.time()) + 600}
    yield {"Authorization": f"Bearer {jwt.encode(claims, KEY, 'RS256', headers={'kid': 'k1'})}"}
    cloud.lambdas.publish(function)
    server.stop()


def test_every_function_answers_on_its_own_python(
    cloud: LocalCloud,
    database: Database,
    run: Run,
    stripe_stand_in: StripeStandIn,
    answered: set[str],
    logged_in: dict[str, str],
) -> None:
    assert cloud.deployment.functions["ValidateEventFunction"].code_directory == code_of(built())
    version = _ask(built(), "import platform; print(platform.python_version())")
    assert version.startswith(f"{SAM['Globals']['Function']['Runtime'].removeprefix('python')}.")

    shop = maintain(cloud)
    buy(cloud, stripe_stand_in, shop, logged_in)
    pay(Scene(cloud, database, run, stripe_stand_in))
    assert set(FUNCTIONS) - answered == set(), "invoke it here, too"


def maintain(cloud: LocalCloud) -> dict[str, int]:
    """What operators and schedules call; gives the ids of the sample shop."""

    def ask(function: str, **given: object) -> Any:
        answer = cloud.lambdas.invoke(function, json.dumps(given).encode())
        assert answer.function_error is None, (function, answer.payload)
        return json.loads(answer.payload)

    ask("PrepareDatabaseFunction")
    assert ask("MigrateDatabaseFunction")["applied"] == []
    shop: dict[str, int] = ask("SampleShopFunction")
    assert shop["is_new"]
    assert ask("InspectOrderFunction", health=True)["health"]
    ask("CorrectCountsFunction")
    sale = {"event_id": shop["event_id"], "open": False}
    assert ask("CorrectOrderFunction", sale=sale)["rows"]
    ask("RefundEventFunction", scope={"event_id": shop["event_id"]}, action="preview")
    ask("CompareBooksFunction", action="lines", since=0, until=int(time.time()))
    ask("BuyerDataFunction", address="nobody@cachao.example")
    ask("ReconcileOrdersFunction")
    ask("EndHoldsFunction")
    letter = base64.b64encode(b"%PDF-1.4 a receipt").decode()
    assert ask("AnswerDisputeFunction", upload={"name": "receipt.pdf", "content": letter})["file_id"]
    ask("SummarizeAlertsFunction")
    # One that this stack's workflow ended itself, with an alert of its own.
    ended = {"executionArn": "arn:aws:states:eu-west-1:123456789012:execution:a:b", "name": "b", "status": "FAILED"}
    ask("TellEndedExecutionFunction", detail={**ended, "error": "OrderNotFound"})
    return shop


def buy(cloud: LocalCloud, stand_in: StripeStandIn, shop: dict[str, int], logged_in: dict[str, str]) -> None:
    """What browsers and Stripe's webhook call."""
    api = Client(HttpApi(cloud.deployment.template.http_api, cloud.lambdas))
    place = f"/events/{shop['event_id']}/tickets"
    assert api.get(place).json["tickets"][0]["name"]  # type: ignore[index]
    asked = {"quantity": 2, "email": "maria@müller.example"}
    bought = api.post(f"{place}/{shop['ticket_id']}/checkout", json=asked)
    assert bought.status_code == 200, bought.data
    session: str = bought.json["session_id"]  # type: ignore[index]
    assert api.get(f"/orders?session_id={session}").json["order"]["status"] == "pending"  # type: ignore[index]
    looked_up = cloud.lambdas.invoke("InspectStripeFunction", json.dumps({"wanted": session}).encode())
    assert session in looked_up.payload.decode()
    back = urlsplit(stand_in.session(session)["cancel_url"])
    assert api.get(f"{back.path}?{back.query}").status_code == 303
    assert api.get(f"/orders?session_id={session}").json["order"]["status"] == "expired"  # type: ignore[index]
    mine = api.get("/user/tickets", headers=logged_in)
    assert (mine.status_code, mine.json["count"]) == (200, 0)  # type: ignore[index]
    event = json.dumps(stripe_event("customer.created", {"id": "cus_1", "object": "customer"}))
    signature = stripe.WebhookSignature.generate_signature_header(event, "whsec_local", int(time.time()))
    taken = api.post("/webhooks/stripe", data=event, headers={"Stripe-Signature": signature})
    assert taken.status_code == 200, taken.data


def pay(scene: Scene) -> None:
    """What the workflow calls."""
    code = create_code(scene.database)
    order = scene.pending(discount_code_id=code)
    assert scene.complete(order).status == "SUCCEEDED"
    paid = row_of(scene.database, "ticket_orders", order["id"])
    assert (paid["status"], row_of(scene.database, "discount_codes", code)["used_count"]) == ("paid", 1)
    other = scene.stripe.session(scene.stripe.seed_session(SessionSeed(2000)))
    with scene.definition(with_automatic_refund):
        assert scene.complete(order, payment_intent=other["payment_intent"]).error == "DuplicatePayment"
    assert scene.run(envelope("charge.dispute.created", dispute_of(paid))).status == "SUCCEEDED"
    assert scene.run(envelope("refund.created", refund_of(paid, amount=2000))).status == "SUCCEEDED"
    assert scene.complete(scene.pending(), payment_status="unpaid").status == "SUCCEEDED"
    expired = session_of(scene.pending(), payment_status="unpaid", status="expired")
    assert scene.run(envelope("checkout.session.expired", expired)).status == "SUCCEEDED"


def _ask(artefact: Artefact, program: str) -> str:
    return subprocess.run([artefact.python.path, "-c", program], capture_output=True, text=True, check=True).stdout
