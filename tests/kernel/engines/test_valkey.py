import os
import shutil
import socket
from pathlib import Path

import pytest
import redis
import redis.asyncio

from kernel.engines.errors import EngineError, Fault
from kernel.engines.locate import redis_program
from kernel.engines.valkey import ValkeyServer

DEBIAN_REDIS = shutil.which("redis-server")


async def test_it_passes_messages_on_and_keeps_nothing(tmp_path: Path) -> None:
    with ValkeyServer(redis_program(), tmp_path / "valkey") as server:
        async with redis.asyncio.from_url(server.url) as client, client.pubsub() as subscriber:
            await subscriber.subscribe("hints")
            assert (await subscriber.get_message(timeout=5))["type"] == "subscribe"
            await client.publish("hints", "auction/1 7")
            assert (await subscriber.get_message(timeout=5))["data"] == b"auction/1 7"
            await client.set("key", "value")
    with ValkeyServer(redis_program(), tmp_path / "valkey") as server:
        async with redis.asyncio.from_url(server.url) as client:
            assert await client.get("key") is None


async def test_over_tcp_it_wants_its_password(tmp_path: Path) -> None:
    with ValkeyServer(redis_program(), tmp_path / "valkey", port=0) as server:
        async with redis.asyncio.from_url(server.url) as client:
            assert await client.ping()
        host = server.url.rpartition("@")[2]
        async with redis.asyncio.from_url(f"redis://{host}") as stranger:
            with pytest.raises(redis.AuthenticationError):
                await stranger.ping()


def test_a_second_owner_is_refused_with_the_number_of_the_first(tmp_path: Path) -> None:
    with ValkeyServer(redis_program(), tmp_path), pytest.raises(EngineError) as refused:
        ValkeyServer(redis_program(), tmp_path).start()
    assert refused.value.fault is Fault.IN_USE
    assert str(os.getpid()) in refused.value.detail[0]


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EngineError) as refused:
            ValkeyServer(redis_program(), tmp_path, port=port).start()
    assert refused.value.fault is Fault.PORT_TAKEN
    assert str(port) in refused.value.detail[1]


@pytest.mark.skipif(os.geteuid() != 0, reason="root becomes somebody else to be refused")
def test_a_directory_of_somebody_else_is_named_to_an_ordinary_user(short_path: Path) -> None:
    server = ValkeyServer(redis_program(), short_path / "valkey")
    os.seteuid(65534)
    try:
        with pytest.raises(EngineError) as refused:
            server.start()
    finally:
        os.seteuid(0)
    assert refused.value.fault is Fault.NOT_PERMITTED
    assert str(short_path) in refused.value.detail[0]


@pytest.mark.skipif(DEBIAN_REDIS is None, reason="Debian's redis-server is not installed")
async def test_the_same_launcher_serves_debians_redis(tmp_path: Path) -> None:
    assert DEBIAN_REDIS is not None
    with ValkeyServer(Path(DEBIAN_REDIS), tmp_path / "redis") as server:
        async with redis.asyncio.from_url(server.url) as client:
            assert await client.ping()
    assert not server.alive()
