"""A witness that is killed at any moment has forgotten nothing that it answered."""

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

import httpx2
import pytest

from crypto.log.checkpoints import Checkpoint
from crypto.log.merkle import Tree
from crypto.log.notes import Note
from crypto.log.proofs import consistency_proof
from kernel.transparency.witnesses import request_body
from tests.builders.trees import ORIGIN, a_signer, a_tree, flipped, hashes_of

KILLS = 4
SIZE = 4_000


@contextmanager
def running(directory: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-m", "portal", "witness", "--port", "0", "--data", str(directory)]
    process = subprocess.Popen([*command, "--log", str(a_signer().key)], stderr=subprocess.PIPE, text=True)
    assert process.stderr
    try:
        line = process.stderr.readline()
        found = re.match(r"witness: (http://\S+) witness\.localhost/", line)
        assert found, line
        yield process, found[1]
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def body(old: int, size: int, tree: Tree) -> bytes:
    text = str(Checkpoint(ORIGIN, size, tree.root(size)))
    return request_body(old, consistency_proof(old, size, tree.hash), Note(text, (a_signer().sign(text),))).encode()


@pytest.mark.timeout(90)
def test_a_witness_that_is_killed_remembers_what_it_cosigned(tmp_path: Path) -> None:
    tree, seen = a_tree(SIZE), 0
    for round_ in range(KILLS):
        with running(tmp_path) as (process, url), httpx2.Client(base_url=url, timeout=5) as client:
            told = client.post("/add-checkpoint", content=body(0, SIZE, tree)) if seen else None
            if told is not None:
                assert told.status_code == HTTPStatus.CONFLICT
                assert int(told.text) >= seen  # what was stored and not answered may be ahead
                seen = int(told.text)
            threading.Timer(0.15 + 0.05 * round_, process.kill).start()
            try:
                while True:
                    answer = client.post("/add-checkpoint", content=body(seen, seen + 1, tree))
                    assert answer.status_code == HTTPStatus.OK
                    seen += 1
            except httpx2.TransportError:
                pass
    assert seen > KILLS

    with running(tmp_path) as (_, url), httpx2.Client(base_url=url, timeout=5) as client:
        seen = int(client.post("/add-checkpoint", content=body(0, SIZE, tree)).text)
        hashes = hashes_of(SIZE)
        hashes[0] = flipped(hashes[0], 0)
        refused = client.post("/add-checkpoint", content=body(seen, SIZE, Tree(hashes)))
        assert refused.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
        assert client.post("/add-checkpoint", content=body(seen, SIZE, tree)).status_code == HTTPStatus.OK


def test_a_witness_says_what_keeps_it_from_starting(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "portal", "witness", "--data", str(tmp_path), "--port", "0"]
    wrong = subprocess.run([*command, "--log", "x"], capture_output=True, text=True, check=False, timeout=30)
    with running(tmp_path):
        second = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)

    assert (wrong.returncode, second.returncode) == (1, 1)
    assert "name+id+key" in wrong.stderr
    assert "Another witness" in second.stderr
