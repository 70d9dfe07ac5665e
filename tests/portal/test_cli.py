"""What the command line says when the engines that the settings name are not to be had."""

import socket
from collections.abc import Callable

import pytest

from portal.cli import main

COMMANDS = (["migrate"], ["verify"], ["doctor"], ["serve", "--port", "0"])


def a_closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_database_that_does_not_answer_is_said_in_a_sentence(
    command: list[str], redis_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ZHECAI_DATABASE_URL", f"postgresql://zhecai@127.0.0.1:{a_closed_port()}/zhecai")
    monkeypatch.setenv("ZHECAI_REDIS_URL", redis_url)

    assert main(command) == 1
    said = "".join(capsys.readouterr())
    assert "Traceback" not in said
    assert "Connection refused" in " ".join(said.split())


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_database_that_does_not_exist_is_said_in_a_sentence(
    command: list[str],
    postgres: Callable[[str], str],
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("ZHECAI_DATABASE_URL", postgres("there_is_none_of_this_name"))
    monkeypatch.setenv("ZHECAI_REDIS_URL", redis_url)

    assert main(command) == 1
    said = "".join(capsys.readouterr())
    assert "Traceback" not in said
    assert "there_is_none_of_this_name" in "".join(said.split())
