"""Messages between the service and its decoder processes: one JSON object each, with optional file descriptors.

JSON, because a process compromised by a crafted picture must not be able to send more than plain values (pickle
would run its code). Bytes of inputs and pixels are passed as files in memory.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Sequence
from typing import Any

_LENGTH = struct.Struct("<I")
_MOST_BYTES = 1 << 20  # longest message; 10 000 page numbers take a tenth of it


class Closed(Exception):
    """The other side has ended or broke the protocol."""


def send(connection: socket.socket, message: dict[str, Any], files: Sequence[int] = ()) -> None:
    """Send a message and descriptors; Closed if the other side has ended."""
    body = json.dumps(message).encode()
    try:
        socket.send_fds(connection, [_LENGTH.pack(len(body))], files)
        connection.sendall(body)
    except OSError as error:
        raise Closed from error


def receive(connection: socket.socket, *, most_files: int) -> tuple[dict[str, Any], list[int]]:
    """Wait for a message and return it with its descriptors, which the caller must close.

    At most ``most_files`` descriptors are received. Closed if the other side has ended.
    """
    try:
        head, files, _, _ = socket.recv_fds(connection, _LENGTH.size, most_files)
        try:
            (length,) = _LENGTH.unpack(head + _exactly(connection, _LENGTH.size - len(head)))
            if length > _MOST_BYTES:
                raise Closed
            message = json.loads(_exactly(connection, length))
        except BaseException:
            for file in files:
                os.close(file)
            raise
    except (OSError, ValueError) as error:
        raise Closed from error
    if not isinstance(message, dict):
        raise Closed
    return message, files


def _exactly(connection: socket.socket, count: int) -> bytes:
    parts = []
    while count:
        part = connection.recv(min(count, 1 << 16))
        if not part:
            raise Closed
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
