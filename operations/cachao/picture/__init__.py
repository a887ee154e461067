"""Draws the state machine from its definition, and an execution's way through it, as SVG or HTML.

    python -m cachao.picture

writes docs/ticket_payment.svg from statemachine/ticket_payment.asl.yaml.
"""

from __future__ import annotations

from cachao.picture.page import draw_page
from cachao.picture.results import Overlay, StateResult, Status
from cachao.picture.svg import draw

__all__ = ["Overlay", "StateResult", "Status", "draw", "draw_page"]
