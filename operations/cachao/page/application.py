"""The page's HTTP: its files, and its data as JSON."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec
from werkzeug.exceptions import BadRequest, Forbidden, HTTPException, NotFound, Unauthorized
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from cachao.aws.environment import Environment
from cachao.orders import Wish, find_orders
from cachao.page.actions import ACTIONS
from cachao.page.alerts import Alerts
from cachao.page.board import Board
from cachao.page.guard import Guard
from cachao.page.jobs import Jobs
from cachao.page.reading import Reading
from cachao.picture import svg
from cachao.problems import CANNOT_REACH, USAGE, Problem, explain
from cachao.replay import dead_letters
from cachao.view.foreign_text import shown_json
from cachao.view.output import COLOURS

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

LOG: Final = logging.getLogger(__name__)
_FILES: Final = Path(__file__).parent / "static"
# Of the pictures, and the same colours for all.
_STYLES: Final = {"picture.css": svg.RULES, "palette.css": svg.COLOURS}
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
# Nothing from elsewhere, nothing inline, in no frame: what an event says can be no script here.
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_STATUS_OF: Final = {USAGE: 400, CANNOT_REACH: 503}
_LARGEST_BODY: Final = 100_000
_Kind = TypeVar("_Kind")


class Page:
    """WSGI application: the page of one stack.

    Args:
        environment: the stack.
        guard: who may ask.
        changes: whether anything may be changed; otherwise the page only reads.
    """

    def __init__(self, environment: Environment, guard: Guard, *, changes: bool) -> None:
        """Note what to show; nothing is asked yet."""
        self._environment = environment
        self._guard = guard
        self._board = Board(environment)
        self._reading = Reading(environment)
        self._alerts = Alerts(environment)
        self._jobs = Jobs(environment)
        self._may_change = changes
        # By name: nothing outside is reached, whatever a path says.
        self._files = {file.name: file for file in _FILES.iterdir() if file.suffix in _TYPES}
        self._routes: dict[str, tuple[str, str, Callable[..., object]]] = {
            "about": ("GET", "/api/about", self._about),
            "changes": ("GET", "/api/executions", self._changes),
            "execution": ("GET", "/api/executions/<name>", self._execution),
            "orders": ("POST", "/api/orders", self._orders),
            "order": ("GET", "/api/orders/<wanted>", self._order),
            "alerts": ("GET", "/api/alerts", self._newest_alerts),
            "letters": ("GET", "/api/dead-letters", self._dead_letters),
            "waiting": ("GET", "/api/waiting", self._waiting),
            "start": ("POST", "/api/actions/<name>", self._start),
            "job": ("GET", "/api/jobs/<job_id>", self._job),
        }
        self._map = Map(
            [
                Rule("/", endpoint="index", methods=["GET"]),
                Rule("/api/session", endpoint="session", methods=["POST"]),
                *(Rule(path, endpoint=name, methods=[method]) for name, (method, path, _) in self._routes.items()),
                Rule("/<file>", endpoint="file", methods=["GET"]),
            ]
        )

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        request = Request(environ)
        request.max_content_length = _LARGEST_BODY
        try:
            response = self._answer(request)
        except HTTPException as error:
            response = error.response if isinstance(error.response, Response) else _refused(error)
        response.headers.update(_HEADERS)
        return response(environ, start_response)

    def close(self) -> None:
        """Ask nothing any more."""
        self._board.close()

    def _answer(self, request: Request) -> Response:
        self._guard.check_host(request)
        endpoint, values = self._map.bind_to_environ(request.environ).match()
        if endpoint == "index":
            return self._file("index.html")
        if endpoint == "file":
            return self._file(values["file"])
        self._guard.check_data(request)
        if endpoint == "session":
            return self._open_session(request)
        self._guard.check_key(request)
        return self._data(request, self._routes[endpoint][2], values)

    def _file(self, name: str) -> Response:
        if name in _STYLES:
            return Response(_STYLES[name], content_type=_TYPES[".css"])
        if name not in self._files:
            raise NotFound
        file = self._files[name]
        return Response(file.read_bytes(), content_type=_TYPES[file.suffix])

    def _open_session(self, request: Request) -> Response:
        sessions = self._guard.sessions
        if sessions is None:
            return _json({"key": None})
        key = sessions.open(_text(_body(request), "token"))
        if key is None:
            raise Unauthorized("That address was used already. Press Enter where `cachao page` runs for a new one.")
        return _json({"key": key})

    def _data(self, request: Request, answer: Callable[..., object], values: Mapping[str, Any]) -> Response:
        try:
            return _unless_known(request, _json(answer(request, **values)))
        except HTTPException:
            raise
        except Exception as error:
            problem = explain(error)
            if problem is None:
                LOG.exception("the page could not answer %s", request.path)
                problem = Problem(f"{type(error).__name__}: {error}", advice="The terminal says more.")
            return _told(problem)

    # --- what is asked for ----------------------------------------------------------------------------------------

    def _about(self, request: Request) -> object:
        del request
        return {
            "stack": self._environment.name,
            "local": self._environment.is_local,
            "colours": COLOURS,
            "alerts_complete": self._alerts.complete,
            "changes": self._may_change,
        }

    def _changes(self, request: Request) -> object:
        return self._board.changes(request.args.get("after", ""))

    def _execution(self, request: Request, name: str) -> object:
        del request
        return self._reading.execution(name)

    def _orders(self, request: Request) -> object:
        # In a body: an address has no place in a browser's history.
        return find_orders(self._environment, _as(Wish, _body(request)))

    def _order(self, request: Request, wanted: str) -> object:
        del request
        return self._reading.order(wanted)

    def _newest_alerts(self, request: Request) -> object:
        del request
        return {"alerts": self._alerts.newest()}

    def _dead_letters(self, request: Request) -> object:
        del request
        return self._reading.dead_letters()

    def _waiting(self, request: Request) -> object:
        del request
        return {"dead_letters": dead_letters.count(self._environment)}

    def _start(self, request: Request, name: str) -> object:
        action = ACTIONS.get(name)
        if action is None:
            raise NotFound
        if action.changes and not self._may_change:
            raise Forbidden("This page only reads. To change something start it with: cachao page --allow-changes")
        body = _body(request)
        yes_to = body.pop("yes_to", None)
        wish = _as(action.wish, body)
        return self._jobs.start(
            name, wish, action.run(wish), yes_to=yes_to if isinstance(yes_to, str) else None
        ).as_data()

    def _job(self, request: Request, job_id: str) -> object:
        del request
        job = self._jobs.get(job_id)
        if job is None:
            raise NotFound
        return job.as_data()


def _body(request: Request) -> dict[str, Any]:
    """Read a JSON object; only as JSON: another site's form can send the others without asking."""
    if request.mimetype != "application/json":
        raise BadRequest("A JSON object is wanted.")
    try:
        body = msgspec.json.decode(request.get_data(cache=False))
    except msgspec.DecodeError as error:
        raise BadRequest(f"The body is no JSON: {error}") from error
    if not isinstance(body, dict):
        raise BadRequest("A JSON object is wanted.")
    return body


def _as(kind: type[_Kind], body: dict[str, Any]) -> _Kind:
    try:
        return msgspec.convert(body, kind)
    except msgspec.ValidationError as error:
        raise BadRequest(str(error)) from error


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str):
        raise BadRequest(f"{name} must be a text.")
    return value


def _json(data: object, *, status: int = 200) -> Response:
    text = shown_json(msgspec.json.encode(data, enc_hook=str).decode())
    return Response(text, status=status, content_type="application/json; charset=utf-8")


def _unless_known(request: Request, response: Response) -> Response:
    """Send nothing where the page has it already."""
    response.set_etag(hashlib.blake2b(response.get_data(), digest_size=16).hexdigest())
    return response.make_conditional(request)


def _told(problem: Problem) -> Response:
    body = {"error": problem.sentence, "advice": problem.advice}
    return _json(body, status=_STATUS_OF.get(problem.exit_code, 422))


def _refused(error: HTTPException) -> Response:
    return _json({"error": error.description or error.name, "advice": ""}, status=error.code or 500)
