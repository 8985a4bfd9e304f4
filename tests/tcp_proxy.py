"""A TCP proxy in front of the server to test with, which counts what goes through it and can cut connections.

It is a process of its own: a driver that waits for an answer may keep all threads of its process from running.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from threading import Thread

PIECE = 16 * 1024


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

    def _ask(self, command: str, number: int = 0) -> int:
        self._commands.send((command, number))
        answer: int = self._commands.recv()
        return answer


@contextmanager
def tcp_proxy(host: str, port: int) -> Iterator[TcpProxy]:
    """A proxy in front of this address until the end of the block."""
    ours, theirs = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=_serve, args=(theirs, host, port), daemon=True)
    process.start()
    theirs.close()
    try:
        yield TcpProxy(ours)
    finally:
        ours.close()
        process.join(10)
        process.kill()


def _serve(commands: Connection, host: str, port: int) -> None:
    asyncio.run(_Relay(host, port).serve(commands))


class _Relay:
    """The proxy in its own process."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._open: set[asyncio.StreamWriter] = set()
        self._received = 0
        self._connections = 0
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
        await asyncio.gather(
            self._copy(from_client, to_server, from_server=False), self._copy(from_server, to_client, from_server=True)
        )

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, from_server: bool) -> None:
        with suppress(OSError):
            while piece := await reader.read(PIECE):
                if from_server:
                    self._received += len(piece)
                    if self._cut_at is not None and self._received >= self._cut_at:
                        self._cut_at = None
                        self._cut()
                        return
                writer.write(piece)
                await writer.drain()
        writer.close()
        self._open.discard(writer)
