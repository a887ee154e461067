"""What a command of the command line said."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answer:
    """What a command printed, and how it ended."""

    exit_code: int
    text: str
    notes: str

    @property
    def data(self) -> Any:
        return json.loads(self.text)
