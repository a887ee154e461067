"""A TCP proxy between the functions and MariaDB that can go away, and cut a connection around its COMMIT.

It reads just enough of the client's protocol to see statements: packets of a three-byte length and a number, and in
them COM_QUERY (https://mariadb.com/kb/en/0-packet/, https://mariadb.com/kb/en/com_query/). TLS must be off.
"""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from typing import Self

_LOOPBACK = "127.0.0.1"
# By itself, or in the block that a transaction ends with.
_COMMIT = re.compile(rb"\x03(COMMIT$|BEGIN NOT ATOMIC .* COMMIT; )", re.DOTALL)
# As the driver changes the mode; then each statement that writes is a transaction of its own, committed with it.
_MODES = {b"\x03SET AUTOCOMMIT = 1": True, b"\x03SET AUTOCOMMIT = 0": False}
_WRITES = re.compile(rb"\x03\s*(UPDATE|INSERT|DELETE)\b")
_RECEIVE_BYTES = 65536


class ProxiedConnection:
    """One client's connection, and the one to the server that stands for it."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client = client
        self.server = server
        self.drops_next_answer = False
        self.commits_by_itself = False

    def cut(self) -> None:
        """End both sides at once, as a network failure does: with a reset."""
        for side in (self.client, self.server):
            with contextlib.suppress(OSError):
                side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
            side.close()

    def lose_after_commit(self) -> None:
        """Let this COMMIT, or the statement that commits itself, happen, and lose its answer with the connection."""
        self.drops_next_answer = True


# Called with each COMMIT, and each statement that commits itself, before it is passed on. What it does to the
# connection is the fault.
OnCommit = Callable[[ProxiedConnection], None]


class DatabaseProxy:
    """Listens on a port of its own and passes everything on.

    Args:
        upstream: where the server is.
        rewrite: texts in statements, each replaced by one of the same length.
    """

    def __init__(self, upstream: tuple[str, int], *, rewrite: Mapping[bytes, bytes] | None = None) -> None:
        self._upstream = upstream
        self._rewrite = dict(rewrite or {})
        assert all(len(old) == len(new) for old, new in self._rewrite.items()), "packets must keep their length"
        self._listener: socket.socket | None = None
        self._return: threading.Timer | None = None
        self._open: set[ProxiedConnection] = set()
        self._lock = threading.Lock()
        self.port = 0
        self.statements = 0
        self.commits = 0
        self.on_commit: OnCommit | None = None

    def __enter__(self) -> Self:
        self.come_back()
        return self

    def __exit__(self, *_: object) -> None:
        self.go_away()

    def come_back(self) -> None:
        """Take connections, on the same port as before."""
        self._listener = socket.create_server((_LOOPBACK, self.port), backlog=64)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), name="proxy-accept", daemon=True).start()

    def go_away(self) -> None:
        """Cut every connection and refuse new ones, as a server that died."""
        if self._listener is not None:
            # A thread blocked in accept() keeps a closed socket listening: wake it first.
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        with self._lock:
            connections, self._open = self._open, set()
        for connection in connections:
            connection.cut()

    def go_away_for(self, seconds: float) -> None:
        """Go away, and come back by the clock, whatever happens meanwhile."""
        self.go_away()
        self._return = threading.Timer(seconds, self.come_back)
        self._return.start()

    def wait_until_back(self) -> None:
        """Wait for the end of `go_away_for`, so that nobody else meets it."""
        if self._return is not None:
            self._return.join()
            self._return = None

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return  # it went away
            try:
                server = socket.create_connection(self._upstream, timeout=5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            for side in (client, server):
                side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = ProxiedConnection(client, server)
            with self._lock:
                self._open.add(connection)
            for pump in (self._upwards, self._downwards):
                threading.Thread(target=self._pump, args=(pump, connection), name="proxy", daemon=True).start()

    def _pump(self, pump: Callable[[ProxiedConnection], None], connection: ProxiedConnection) -> None:
        with contextlib.suppress(OSError):
            pump(connection)
        with self._lock:
            self._open.discard(connection)
        connection.cut()

    def _upwards(self, connection: ProxiedConnection) -> None:
        buffer = bytearray()
        while received := connection.client.recv(_RECEIVE_BYTES):
            buffer += received
            while (packet := _take_packet(buffer)) is not None:
                connection.commits_by_itself = _MODES.get(packet[4:], connection.commits_by_itself)
                if _COMMIT.match(packet[4:]) or (connection.commits_by_itself and _WRITES.match(packet[4:])):
                    self.commits += 1
                    if self.on_commit is not None:
                        self.on_commit(connection)
                if packet[4:5] == b"\x03":
                    self.statements += 1
                    for old, new in self._rewrite.items():
                        packet = packet.replace(old, new)
                connection.server.sendall(packet)

    @staticmethod
    def _downwards(connection: ProxiedConnection) -> None:
        while received := connection.server.recv(_RECEIVE_BYTES):
            if connection.drops_next_answer:
                return
            connection.client.sendall(received)


def _take_packet(buffer: bytearray) -> bytes | None:
    if len(buffer) < 4:
        return None
    end = 4 + int.from_bytes(buffer[:3], "little")
    if len(buffer) < end:
        return None
    packet = bytes(buffer[:end])
    del buffer[:end]
    return packet
