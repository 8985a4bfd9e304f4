"""The proxy that tests and benchmarks put before a server."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest

from tests.tcp_proxy import tcp_proxy


def answer(listening: socket.socket) -> None:
    """Send back what a client sends, one client after the other, until the socket is closed."""
    while True:
        try:
            client, _ = listening.accept()
        except OSError:
            return
        with client:
            while piece := client.recv(1 << 16):
                client.sendall(piece)


@pytest.fixture
def echo() -> Iterator[int]:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        thread = threading.Thread(target=answer, args=(listening,), daemon=True)
        thread.start()
        yield listening.getsockname()[1]


def asked(client: socket.socket, question: bytes) -> bytes:
    client.sendall(question)
    got = b""
    while len(got) < len(question) and (piece := client.recv(1 << 16)):
        got += piece
    return got


def test_each_question_that_waits_for_an_answer_is_a_round_trip(echo: int) -> None:
    with tcp_proxy("127.0.0.1", echo) as proxy, socket.create_connection(("127.0.0.1", proxy.port)) as client:
        assert [asked(client, question) for question in (b"a", b"b" * 10, b"c")] == [b"a", b"b" * 10, b"c"]
        assert (proxy.round_trips(), proxy.connections(), proxy.received()) == (3, 1, 12)


def test_no_answer_comes_before_a_round_trip_is_over_and_nothing_is_lost_on_the_way(echo: int) -> None:
    with tcp_proxy("127.0.0.1", echo, 0.2) as proxy, socket.create_connection(("127.0.0.1", proxy.port)) as client:
        began_at = time.monotonic()
        text = bytes(range(256)) * 2000
        assert asked(client, text) == text
        assert time.monotonic() - began_at >= 0.2


def test_only_bytes_that_match_are_replaced_in_answers(echo: int) -> None:
    with (
        tcp_proxy("127.0.0.1", echo, replacement=(rb"\x01\x02(?=.c)", rb"\1")) as proxy,
        socket.create_connection(("127.0.0.1", proxy.port)) as client,
    ):
        assert asked(client, b"\x01\x02\nc \x01\x02cd") == rb"\1" + b"\nc \x01\x02cd"


def test_a_connection_that_was_cut_ends_and_the_next_one_is_let_through(echo: int) -> None:
    with tcp_proxy("127.0.0.1", echo) as proxy:
        with socket.create_connection(("127.0.0.1", proxy.port)) as client:
            assert asked(client, b"a") == b"a"
            assert proxy.cut() == 1
            with suppress(ConnectionError):
                assert asked(client, b"b") == b""
        with socket.create_connection(("127.0.0.1", proxy.port)) as client:
            assert asked(client, b"c") == b"c"
