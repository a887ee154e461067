"""The API's description: valid, and about the same routes as the template."""

from __future__ import annotations

import re
from pathlib import Path

from openapi_spec_validator import validate

from handlers.api import http, public_errors
from tests.handlers.api.conftest import HANDLERS, OPENAPI, ROOT


def test_the_description_is_valid_openapi() -> None:
    assert OPENAPI["openapi"].startswith("3.1")
    validate(OPENAPI)


def test_it_describes_the_routes_that_the_template_deploys() -> None:
    described = {f"{method.upper()} {path}" for path, item in OPENAPI["paths"].items() for method in item}
    template = (ROOT / "template.yaml").read_text(encoding="utf-8")
    deployed = {f"{method} {path}" for method, path in re.findall(r"Method: (\w+)\n\s+Path: (\S+)", template)}
    assert described == deployed == set(HANDLERS)


def test_it_names_every_code_that_the_handlers_can_give() -> None:
    text = (ROOT / "docs" / "openapi.yaml").read_text(encoding="utf-8")
    sources = [Path(module.__file__ or "") for module in (public_errors, http)]
    codes = {
        code
        for source in sources
        for code in re.findall(r'\d{3},\s+"(\w+)"|"code": "(\w+)"', source.read_text(encoding="utf-8"))
        for code in code
        if code
    } | set(public_errors._CODE_SENTENCES)
    assert len(codes) > 12
    assert {code for code in codes if not re.search(rf"\b{code}\b", text)} == set()
