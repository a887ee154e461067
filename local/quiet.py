"""Keeps libraries from telling on the screen what our own output tells better."""

import logging
import warnings


def quieten_libraries() -> None:
    """Moto tells of each failed execution at length; the history and our own logs tell it better."""
    logging.getLogger("moto").setLevel(logging.CRITICAL)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"moto\..*")
