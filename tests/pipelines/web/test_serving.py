"""The socket that pages are served on."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest

from components.contract.errors import UserError
from pipelines.web.serving import listening
from pipelines.web.settings import ServeSettings
from tests.pipelines.web.calling import carried_out


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost", "::1"])
def test_no_part_of_an_answer_waits_for_the_browser(address: str) -> None:
    async def sent_at_once() -> bool:
        taken: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def take(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            at = writer.get_extra_info("socket")
            taken.set_result(bool(at.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))
            writer.close()

        with contextlib.closing(listening(ServeSettings(address=address, port=0))) as bound:
            async with await asyncio.start_server(take, sock=bound):
                with socket.create_connection(bound.getsockname()[:2]):
                    return await asyncio.wait_for(taken, 10)

    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        if ":" in address:
            pytest.skip("this machine has no IPv6")
    assert carried_out(sent_at_once())


def test_a_port_that_is_taken_is_named_and_another_one_works() -> None:
    with contextlib.closing(listening(ServeSettings(port=0))) as bound:
        port = bound.getsockname()[1]
        with pytest.raises(UserError, match=f"{port} cannot be listened on") as caught:
            listening(ServeSettings(port=port))
        assert "--port 0" in caught.value.fix
        listening(ServeSettings(port=0)).close()
