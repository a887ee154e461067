"""Child processes that never outlive this one, and free ports on the loopback interface.

Everything the local stack starts (mariadbd, Lambda workers) goes through `spawn`, so that no process is
left behind: not after Ctrl-C, not after an exception, not even after `kill -9` of the parent.
"""

import contextlib
import ctypes
import gc
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

LOOPBACK = "127.0.0.1"
_PR_SET_PDEATHSIG = 1

# Loaded once, before any fork: a freshly forked child of a threaded process must not load anything.
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

# Linux sends PR_SET_PDEATHSIG when the *thread* that forked ends (prctl(2)). Executions and requests run in
# short-lived threads, so all children are started by this one thread, which lives as long as the process.
_SPAWNER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")


def spawn(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str],
    directory: Path,
    output: IO[bytes] | int = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own (a Ctrl-C does not reach it) that is killed when we die.

    Args:
        command: program and arguments.
        environment: the whole environment of the child; nothing is inherited.
        directory: its working directory.
        output: where its stdout and stderr go.
    """
    return _SPAWNER.submit(_start, command, environment, directory, output).result()


def _start(
    command: Sequence[str | Path], environment: Mapping[str, str], directory: Path, output: IO[bytes] | int
) -> subprocess.Popen[bytes]:
    parent = os.getpid()

    def die_with_parent() -> None:
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died between fork and prctl
            os._exit(1)

    return subprocess.Popen(
        [str(part) for part in command],
        env=dict(environment),
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=die_with_parent,  # noqa: PLW1509 - prctl only; see _LIBC
    )


def stop(process: subprocess.Popen[bytes], *, grace_seconds: float = 0.0) -> None:
    """End a child and reap it: SIGTERM first where it is given time, then SIGKILL."""
    if grace_seconds > 0 and process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(grace_seconds)
    if process.poll() is None:
        process.kill()
    process.wait()


def return_unused_memory() -> None:
    """Give back to the system what is not needed any more after a start, where the C library can (glibc)."""
    gc.collect()
    with contextlib.suppress(AttributeError):
        if _LIBC is not None:
            _LIBC.malloc_trim(0)


def free_port(preferred: int = 0) -> int:
    """Return the preferred port where it is free on 127.0.0.1, otherwise any free one."""
    for port in (preferred, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            # Servers set it too: a port whose last connections are in TIME_WAIT is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((LOOPBACK, port))
            found: int = probe.getsockname()[1]
            return found
    raise OSError("no free port on 127.0.0.1")
