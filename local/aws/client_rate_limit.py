"""deploy/rate-limit.yaml on one machine: CloudFront before the HTTP API, and its web ACL's rate rules for each client.

AWS WAF estimates rates, and notices a flood after some seconds; here a rule is exact and at once.

References:
- rate rules: https://docs.aws.amazon.com/waf/latest/developerguide/waf-rule-statement-type-rate-based.html
- what CloudFront adds: https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/RequestAndResponseBehaviorCustomOrigin.html
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from samtranslator.yaml_helper import yaml_parse

from local.aws.template import Resolver
from local.web_server import respond

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# One of CloudFront's (https://ip-ranges.amazonaws.com/ip-ranges.json).
_EDGE: Final = "130.176.0.1"
_PRUNE_EVERY: Final = 1000


@dataclass(frozen=True)
class RateRule:
    """`limit` requests of one client within `window_seconds`, of those that `matches` (path) says; else `refusal`."""

    limit: int
    window_seconds: float
    matches: Callable[[str], bool]
    refusal_status: int
    refusal_headers: tuple[tuple[str, str], ...]
    refusal_body: bytes


@dataclass(frozen=True)
class RateLimitTemplate:
    """What the template says: its rules in order, and the header that CloudFront adds for the API."""

    rules: tuple[RateRule, ...]
    header: str
    secret: str


class ClientRateLimit:
    """WSGI application: passes each client's requests on as CloudFront does, up to the rules' limits."""

    def __init__(
        self, template: RateLimitTemplate, api: "WSGIApplication", *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Stand in front of the API; `clock` gives seconds."""
        self._template = template
        self._api = api
        self._counters = [_Counter(rule, clock) for rule in template.rules]

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Handle one request."""
        client = environ.get("REMOTE_ADDR", "")
        path = unquote(environ.get("PATH_INFO", ""))
        for counter in self._counters:
            rule = counter.rule
            if rule.matches(path) and not counter.lets_pass(client):
                status = HTTPStatus(rule.refusal_status)
                return respond(
                    start_response, f"{status.value} {status.phrase}", rule.refusal_headers, rule.refusal_body
                )
        before = environ.get("HTTP_X_FORWARDED_FOR")
        environ["HTTP_X_FORWARDED_FOR"] = f"{before}, {client}" if before else client
        environ[f"HTTP_{self._template.header.upper().replace('-', '_')}"] = self._template.secret
        environ["REMOTE_ADDR"] = _EDGE
        try:
            return self._api(environ, start_response)
        finally:
            # werkzeug takes it for the address of the connection, and so of the next request on it.
            environ["REMOTE_ADDR"] = client


class _Counter:
    """How often each client asked within a rule's window. What is refused counts, too. Thread-safe."""

    def __init__(self, rule: RateRule, clock: Callable[[], float]) -> None:
        self.rule = rule
        self._clock = clock
        self._lock = threading.Lock()
        self._asked: dict[str, deque[float]] = {}
        self._since_pruned = 0

    def lets_pass(self, client: str) -> bool:
        with self._lock:
            now = self._clock()
            self._prune(now)
            asked = self._asked.setdefault(client, deque(maxlen=self.rule.limit))
            is_full = len(asked) == self.rule.limit and asked[0] > now - self.rule.window_seconds
            asked.append(now)
            return not is_full

    def _prune(self, now: float) -> None:
        self._since_pruned += 1
        if self._since_pruned < _PRUNE_EVERY:
            return
        self._since_pruned = 0
        oldest = now - self.rule.window_seconds
        self._asked = {client: asked for client, asked in self._asked.items() if asked[-1] > oldest}


def read_rate_limit(file: Path, *, secret: str, **parameters: str) -> RateLimitTemplate:
    """Read the template; parameters that are not given have their defaults."""
    body: dict[str, Any] = yaml_parse(file.read_text(encoding="utf-8"))
    values = {name: str(found["Default"]) for name, found in body["Parameters"].items() if "Default" in found}
    values |= {"ApiHost": "local", "ProxySecret": secret, **parameters}
    resolver = Resolver(body, values, {"AWS::StackName": "rate-limit"})
    acl = resolver.resolve(body["Resources"]["WebAcl"]["Properties"])
    distribution = resolver.resolve(body["Resources"]["Distribution"]["Properties"]["DistributionConfig"])
    [header] = distribution["Origins"][0]["OriginCustomHeaders"]
    rules = sorted(acl["Rules"], key=lambda rule: int(rule["Priority"]))
    bodies = {name: found["Content"] for name, found in acl["CustomResponseBodies"].items()}
    return RateLimitTemplate(
        tuple(_read_rule(rule, bodies) for rule in rules), header["HeaderName"], header["HeaderValue"]
    )


def _read_rule(rule: Mapping[str, Any], bodies: Mapping[str, str]) -> RateRule:
    statement = rule["Statement"]["RateBasedStatement"]
    refusal = rule["Action"]["Block"]["CustomResponse"]
    headers = [(header["Name"], header["Value"]) for header in refusal["ResponseHeaders"]]
    return RateRule(
        limit=int(statement["Limit"]),
        window_seconds=float(statement["EvaluationWindowSec"]),
        matches=_read_statement(statement["ScopeDownStatement"]),
        refusal_status=int(refusal["ResponseCode"]),
        refusal_headers=(*headers, ("Content-Type", "application/json")),
        refusal_body=bodies[refusal["CustomResponseBodyKey"]].encode(),
    )


def _read_statement(statement: Mapping[str, Any]) -> Callable[[str], bool]:
    """Read as much of WAF's language as the template speaks."""
    [(kind, of)] = statement.items()
    if kind == "NotStatement":
        inner = _read_statement(of["Statement"])
        return lambda path: not inner(path)
    if kind != "ByteMatchStatement" or of["FieldToMatch"] != {"UriPath": {}}:
        raise ValueError(f"{kind} is not played here")
    text: str = of["SearchString"]
    if of["PositionalConstraint"] == "STARTS_WITH":
        return lambda path: path.startswith(text)
    if of["PositionalConstraint"] == "ENDS_WITH":
        return lambda path: path.endswith(text)
    raise ValueError(f"{of['PositionalConstraint']} is not played here")
