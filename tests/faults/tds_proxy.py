"""A proxy that breaks connections to a SQL Server: `python tds_proxy.py HOST PORT PLAN`, in a process of its own.

It prints its port, and a line for each fault when it happens. The plan is JSON, a list of `[event, number, action]`.
Events are counted over all connections: `connect`, `request` (a packet of the client) and, where packets are not
encrypted, `commit`. An action happens once:

- `refuse`: the connection is closed before a byte is sent;
- `cut before`: the connection breaks before the server gets the packet;
- `cut after`: the server gets the packet, and the connection breaks in place of its answer;
- `half close`: the server gets the packet, and the client reads the end of the connection, which it may still write to;
- `delay`: the packet comes late.

Source for packets: MS-TDS, "Packet Header" and "Transaction Manager Request".
"""

import json
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

HEADER = 8
TRANSACTION_REQUEST = 14
COMMIT = 7
TLS_RECORDS = range(20, 24)
TLS_HEADER = 5
DELAY_SECONDS = 0.4
LINGER = struct.pack("ii", 1, 0)
"""Close with a reset, as a broken connection does."""


class Plan:
    """What is to happen, and how often each event was."""

    def __init__(self, faults: list[tuple[str, int, str]]) -> None:
        self._faults = faults
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()

    def due(self, event: str) -> str:
        """Count an event; the action that is due now, or empty."""
        with self._lock:
            number = self._counts[event] = self._counts.get(event, 0) + 1
            for fault in self._faults:
                if fault[:2] == (event, number):
                    print(*fault, flush=True)
                    return fault[2]
        return ""


def packets(client: socket.socket) -> Iterator[bytes]:
    """The packets of TDS, and records of TLS, that a client sends; ends with the connection."""
    stream = client.makefile("rb")
    while first := stream.read(1):
        is_tls = first[0] in TLS_RECORDS
        rest = stream.read((TLS_HEADER if is_tls else HEADER) - 1)
        if not rest:
            return
        header = first + rest
        length = TLS_HEADER + int.from_bytes(header[3:5], "big") if is_tls else int.from_bytes(header[2:4], "big")
        yield header + stream.read(length - len(header))


def event_of(packet: bytes) -> str:
    """What a packet is."""
    if packet[0] != TRANSACTION_REQUEST:
        return "request"
    at = HEADER + int.from_bytes(packet[HEADER : HEADER + 4], "little")
    return "commit" if int.from_bytes(packet[at : at + 2], "little") == COMMIT else "request"


class Link:
    """A connection of a client, and that to the server behind it."""

    def __init__(self, client: socket.socket, server: socket.socket, plan: Plan) -> None:
        self._client = client
        self._server = server
        self._plan = plan
        self._swallows = False

    def run(self) -> None:
        """Start to carry bytes both ways."""
        threading.Thread(target=self._carry_requests, daemon=True).start()
        threading.Thread(target=self._carry_answers, daemon=True).start()

    def _carry_requests(self) -> None:
        with suppress(OSError):
            for packet in packets(self._client):
                action = self._plan.due(event_of(packet))
                if action == "delay":
                    time.sleep(DELAY_SECONDS)
                elif action == "cut before":
                    break
                self._swallows = self._swallows or action == "cut after"
                self._server.sendall(packet)
                if action == "half close":
                    self._client.shutdown(socket.SHUT_WR)
        self._cut()

    def _carry_answers(self) -> None:
        with suppress(OSError):
            while data := self._server.recv(1 << 16):
                if self._swallows:
                    break
                self._client.sendall(data)
        self._cut()

    def _cut(self) -> None:
        for side in (self._client, self._server):
            with suppress(OSError):
                side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
                side.shutdown(socket.SHUT_RDWR)
            with suppress(OSError):
                side.close()


def main() -> None:
    """Serve until the process is ended."""
    host, port, text = sys.argv[1:]
    plan = Plan([(event, number, action) for event, number, action in json.loads(text)])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            client, _ = listener.accept()
            if plan.due("connect"):
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
                client.close()
                continue
            server = socket.create_connection((host, int(port)))
            for side in (client, server):
                side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            Link(client, server, plan).run()


if __name__ == "__main__":
    main()
