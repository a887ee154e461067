"""Draws the state machine from its definition, and an execution's way through it, as SVG or HTML.

    python -m operations.state_machine_picture

writes docs/ticket_payment.svg from statemachine/ticket_payment.asl.yaml.
"""

from __future__ import annotations

from operations.state_machine_picture.page import draw_page
from operations.state_machine_picture.results import Overlay, StateResult, Status
from operations.state_machine_picture.svg import draw

__all__ = ["Overlay", "StateResult", "Status", "draw", "draw_page"]
