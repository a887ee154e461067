"""`docs/openapi.yaml` as a page, beside the API that it describes: `GET /docs`.

Swagger UI's files come with a package of the lock file; the browser loads nothing from elsewhere, and may not.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from local.web_server import respond

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PATH: Final = "/docs"
_PACKAGE: Final = "drf_spectacular_sidecar"
_DOCUMENT: Final = "openapi.yaml"
_PAGE: Final = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Cachao tickets: the HTTP API</title>
<link rel="icon" href="{PATH}/favicon-32x32.png">
<link rel="stylesheet" href="{PATH}/swagger-ui.css">
</head>
<body>
<div id="api"></div>
<script src="{PATH}/swagger-ui-bundle.js"></script>
<script src="{PATH}/start.js"></script>
</body>
</html>
"""
# Without a validator: Swagger UI would send the document's address to a service on the internet.
_START: Final = (
    f'SwaggerUIBundle({{url: "{PATH}/{_DOCUMENT}", dom_id: "#api", deepLinking: true, validatorUrl: null}});\n'
)
# The style sheet is not enough for Swagger UI: it writes styles and small pictures into its elements, too.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".yaml": "application/yaml; charset=utf-8",
}


class ApiPage:
    """WSGI application: answers what is below `/docs`, passes everything else on."""

    def __init__(self, document: Path, everything_else: WSGIApplication) -> None:
        """Stand in front of another application; `document` is the description in OpenAPI."""
        self._everything_else = everything_else
        # By name: nothing outside is reached, whatever a path says.
        self._files = {file.name: file for file in _swagger_ui().iterdir() if file.suffix in _TYPES}
        self._files[_DOCUMENT] = document

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Handle one request."""
        path = environ["PATH_INFO"]
        is_ours = path == PATH or path.startswith(f"{PATH}/")
        if not is_ours or environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            return self._everything_else(environ, start_response)
        name = path.removeprefix(PATH).removeprefix("/")
        if not name:
            return _answer(start_response, "text/html; charset=utf-8", _PAGE.encode())
        if name == "start.js":
            return _answer(start_response, _TYPES[".js"], _START.encode())
        if name not in self._files:
            return respond(start_response, "404 Not Found", [("Content-Type", "text/plain")], b"Not found\n")
        file = self._files[name]
        # Read each time: whoever writes the document reloads the page.
        return _answer(start_response, _TYPES[file.suffix], file.read_bytes())


def _answer(start_response: StartResponse, content_type: str, body: bytes) -> Iterable[bytes]:
    headers = [
        ("Content-Type", content_type),
        ("Content-Security-Policy", _POLICY),
        ("X-Content-Type-Options", "nosniff"),
        ("Cache-Control", "no-cache"),
    ]
    return respond(start_response, "200 OK", headers, body)


def _swagger_ui() -> Path:
    # Found and not imported: the package is an app of Django's.
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError(f"The package {_PACKAGE} is missing; `make setup` installs it.")
    return Path(spec.submodule_search_locations[0]) / "static" / _PACKAGE / "swagger-ui-dist"
