"""Makes every way of ending a command as clean as Ctrl-C."""

import signal
from types import FrameType
from typing import NoReturn

INTERRUPTED = 130  # what shells give for a command that Ctrl-C ended


def stop_as_by_ctrl_c() -> None:
    """Let SIGINT, SIGTERM and SIGHUP raise KeyboardInterrupt, so that what was started is stopped and removed.

    SIGINT, too: a command that a script started in the background ignores it otherwise.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
