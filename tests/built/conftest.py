"""What the workflow's tests use, for what ships."""

from __future__ import annotations

from tests.workflow.conftest import alerts as alerts  # noqa: PLC0414 -- a fixture
from tests.workflow.conftest import run as run  # noqa: PLC0414 -- a fixture
