"""A TCP proxy in front of the server to test with: counts what goes through it, puts it far away, cuts connections.

It can also replace bytes of the server's answers, such as an error's number.

It is a process of its own: a driver that waits for an answer may keep all threads of its process from running.
"""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from threading import Thread

PIECE = 16 * 1024
Replacement = tuple[bytes, bytes]
"""A regular expression, and the bytes of the same length that replace what it matches within a piece."""

MOST_ON_THE_WAY = 1024
"""Pieces that are held at most in each direction of a connection."""


class TcpProxy:
    """The handle of a running proxy.

    Args:
        commands: To the process of the proxy.

    Attributes:
        port: Where it listens on this machine.
    """

    def __init__(self, commands: Connection) -> None:
        self._commands = commands
        self.port: int = commands.recv()

    def cut(self) -> int:
        """Cut all connections at once, and say how many there were; later ones are let through."""
        return self._ask("cut")

    def cut_after(self, received: int) -> None:
        """Cut all connections as soon as the server has sent so many bytes more; later ones are let through."""
        self._ask("cut_after", received)

    def received(self) -> int:
        """Bytes that the server has sent so far."""
        return self._ask("received")

    def connections(self) -> int:
        """Connections that there have been so far."""
        return self._ask("connections")

    def round_trips(self) -> int:
        """How often a client has begun to send after something came back to it, over all connections.

        Servers answer the beginning of what a client sends before they have all of it. Only a server that is far away
        shows whether the client waited for that.
        """
        return self._ask("round_trips")

    def _ask(self, command: str, number: int = 0) -> int:
        self._commands.send((command, number))
        answer: int = self._commands.recv()
        return answer


@contextmanager
def tcp_proxy(
    host: str, port: int, round_trip_seconds: float = 0.0, replacement: Replacement | None = None
) -> Iterator[TcpProxy]:
    """A proxy in front of this address until the end of the block.

    Args:
        host: Where the server is.
        port: Its port.
        round_trip_seconds: How far away to put it. Each piece arrives half of this later, and holds up no other.
        replacement: What to replace in the server's answers.
    """
    ours, theirs = get_context("spawn").Pipe()
    process = get_context("spawn").Process(
        target=_serve, args=(theirs, host, port, round_trip_seconds / 2, replacement), daemon=True
    )
    process.start()
    theirs.close()
    try:
        yield TcpProxy(ours)
    finally:
        ours.close()
        process.join(10)
        process.kill()


def _serve(commands: Connection, host: str, port: int, delay: float, replacement: Replacement | None) -> None:
    asyncio.run(_Relay(host, port, delay, replacement).serve(commands))


@dataclass
class _Turn:
    """Whether what a client sends next begins a round trip: something has come back to it since the last began."""

    is_new: bool = True


class _Relay:
    """The proxy in its own process."""

    def __init__(self, host: str, port: int, delay: float, replacement: Replacement | None) -> None:
        self._host = host
        self._port = port
        self._delay = delay
        self._replacement = replacement
        self._open: set[asyncio.StreamWriter] = set()
        self._received = 0
        self._connections = 0
        self._round_trips = 0
        self._cut_at: int | None = None

    async def serve(self, commands: Connection) -> None:
        server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        commands.send(server.sockets[0].getsockname()[1])
        ended = asyncio.Event()
        Thread(target=self._obey, args=(commands, asyncio.get_running_loop(), ended), daemon=True).start()
        await ended.wait()

    def _obey(self, commands: Connection, loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
        """Answer commands until the other end is closed."""
        with suppress(EOFError):
            while True:
                command, number = commands.recv()
                answer = asyncio.run_coroutine_threadsafe(self._answer(command, number), loop).result()
                commands.send(answer)
        loop.call_soon_threadsafe(ended.set)

    async def _answer(self, command: str, number: int) -> int:
        match command:
            case "cut":
                return self._cut()
            case "cut_after":
                self._cut_at = self._received + number
                return 0
            case "received":
                return self._received
            case "round_trips":
                return self._round_trips
            case _:
                return self._connections

    def _cut(self) -> int:
        cut = len(self._open) // 2
        for writer in self._open:
            writer.transport.abort()
        self._open.clear()
        return cut

    async def _relay(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection(self._host, self._port)
        self._connections += 1
        self._open |= {to_client, to_server}
        turn = _Turn()
        # The task of a connection that is still open at the end is cancelled, of which asyncio would complain.
        with suppress(asyncio.CancelledError):
            await asyncio.gather(
                self._copy(from_client, to_server, turn, from_server=False),
                self._copy(from_server, to_client, turn, from_server=True),
            )

    async def _copy(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, turn: _Turn, *, from_server: bool
    ) -> None:
        """Read on while pieces are on their way, so that the delay is one of time alone."""
        clock = asyncio.get_running_loop().time
        on_the_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(MOST_ON_THE_WAY)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._deliver(on_the_way, writer, turn if from_server else None))
            with suppress(OSError):
                while piece := await reader.read(PIECE):
                    self._note(piece, turn, from_server=from_server)
                    sent = self._replaced(piece) if from_server else piece
                    await on_the_way.put((clock() + self._delay, sent))
            await on_the_way.put((clock() + self._delay, b""))

    def _replaced(self, piece: bytes) -> bytes:
        if self._replacement is None:
            return piece
        pattern, new = self._replacement
        return re.sub(pattern, lambda _: new, piece, flags=re.DOTALL)

    def _note(self, piece: bytes, turn: _Turn, *, from_server: bool) -> None:
        if not from_server and turn.is_new:
            self._round_trips += 1
            turn.is_new = False
        if from_server:
            self._received += len(piece)
            if self._cut_at is not None and self._received >= self._cut_at:
                self._cut_at = None
                self._cut()

    async def _deliver(
        self, on_the_way: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter, turn: _Turn | None
    ) -> None:
        clock = asyncio.get_running_loop().time
        with suppress(OSError):
            while True:
                due, piece = await on_the_way.get()
                if not piece:
                    break
                await asyncio.sleep(due - clock())
                writer.write(piece)
                if turn is not None:
                    turn.is_new = True
                await writer.drain()
        writer.close()
        self._open.discard(writer)
