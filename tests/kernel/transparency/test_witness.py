"""A witness cosigns what continues the tree that it saw, and nothing else; nor does it forget."""

from http import HTTPStatus
from pathlib import Path

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from crypto.log.checkpoints import Checkpoint
from crypto.log.merkle import EMPTY_ROOT, Tree
from crypto.log.notes import KeyKind, Note, NoteSigner, read_lines, verify_note
from crypto.log.proofs import consistency_proof
from kernel.clock import ManualClock
from kernel.transparency.witness import BODY_BYTES_MAX, SIZE_TYPE, WitnessState, alone
from kernel.transparency.witnesses import request_body
from tests.builders.transparency import AWitness
from tests.builders.trees import ORIGIN, a_signer, a_tree, flipped, hashes_of
from tests.conftest import NOON


@pytest.fixture
def witness(tmp_path: Path) -> AWitness:
    found = AWitness(1, tmp_path, ManualClock(NOON))
    found.logs[ORIGIN] = a_signer().key
    return found


def a_body(old: int, size: int, tree: Tree | None = None, signer: NoteSigner | None = None) -> str:
    tree = tree or a_tree(size)
    text = str(Checkpoint(ORIGIN, size, tree.root(size)))
    proof = consistency_proof(old, size, tree.hash) if old <= size else []
    return request_body(old, proof, Note(text, ((signer or a_signer()).sign(text),)))


async def post(witness: AWitness, body: str | bytes) -> httpx2.Response:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=witness.app), base_url="http://w") as client:
        return await client.post("/add-checkpoint", content=body if isinstance(body, bytes) else body.encode())


async def test_what_continues_the_tree_is_cosigned_with_the_time(witness: AWitness) -> None:
    for old, size in ((0, 3), (3, 3), (3, 8), (8, 70)):
        answer = await post(witness, a_body(old, size))

        assert answer.status_code == HTTPStatus.OK
        text = str(Checkpoint(ORIGIN, size, a_tree(size).root()))
        (found,) = verify_note(Note(text, read_lines(answer.text)), [witness.signer.key])
        assert found.time_s == int(NOON.timestamp())
    assert witness.state.logs[ORIGIN].size == 70


async def test_the_empty_tree_is_cosigned_too(witness: AWitness) -> None:
    assert (await post(witness, a_body(0, 0))).status_code == HTTPStatus.OK
    assert (await post(witness, a_body(0, 1))).status_code == HTTPStatus.OK


async def test_another_old_size_is_answered_with_the_right_one(witness: AWitness) -> None:
    await post(witness, a_body(0, 5))

    for old in (0, 4, 6):
        answer = await post(witness, a_body(old, 8))
        assert (answer.status_code, answer.text) == (HTTPStatus.CONFLICT, "5\n")
        assert answer.headers["content-type"] == SIZE_TYPE


async def test_a_history_written_anew_is_refused(witness: AWitness) -> None:
    await post(witness, a_body(0, 5))
    for place in range(5):
        hashes = hashes_of(9)
        hashes[place] = flipped(hashes[place], 0)
        other = Tree(hashes)

        longer = await post(witness, a_body(5, 9, other))
        as_long = await post(witness, a_body(5, 5, other))

        assert longer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
        assert as_long.status_code == HTTPStatus.CONFLICT
        assert "another tree" in as_long.text
    assert (await post(witness, a_body(5, 9))).status_code == HTTPStatus.OK


async def test_a_log_that_became_shorter_is_refused(witness: AWitness) -> None:
    await post(witness, a_body(0, 5))

    assert (await post(witness, a_body(5, 4))).status_code == HTTPStatus.BAD_REQUEST
    shorter = await post(witness, a_body(0, 4))

    assert (shorter.status_code, shorter.text) == (HTTPStatus.CONFLICT, "5\n")


async def test_only_the_logs_own_key_counts(witness: AWitness) -> None:
    stranger = NoteSigner(ORIGIN, KeyKind.NOTE, Ed25519PrivateKey.generate())
    other = a_body(0, 5).replace(ORIGIN, "log.example/other")

    assert (await post(witness, a_body(0, 5, signer=stranger))).status_code == HTTPStatus.FORBIDDEN
    assert (await post(witness, a_body(0, 5).replace("\n5\n", "\n6\n"))).status_code == HTTPStatus.FORBIDDEN
    assert (await post(witness, other)).status_code == HTTPStatus.NOT_FOUND
    assert witness.state.logs == {}


@pytest.mark.parametrize(
    "body",
    [
        "",
        "old 0\n",
        a_body(0, 5).replace("old 0", "old 00"),
        a_body(0, 5).replace("old 0", "new 0"),
        a_body(0, 5).replace("old 0\n", "old 0\nAAAA\n"),
        a_body(0, 5).replace("old 0\n", "old 0\n" + f"{'A' * 43}=\n" * 64),
        b"\xff",
    ],
)
async def test_what_is_not_a_submission_is_a_bad_request(witness: AWitness, body: str | bytes) -> None:
    assert (await post(witness, body)).status_code == HTTPStatus.BAD_REQUEST


async def test_a_proof_for_the_first_checkpoint_is_refused(witness: AWitness) -> None:
    body = a_body(0, 5).replace("old 0\n", f"old 0\n{'A' * 43}=\n")

    assert (await post(witness, body)).status_code == HTTPStatus.UNPROCESSABLE_ENTITY


async def test_a_submission_has_a_limit(witness: AWitness) -> None:
    assert (await post(witness, b"x" * (BODY_BYTES_MAX + 1))).status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE


async def test_what_was_answered_is_remembered_by_the_next_process(witness: AWitness) -> None:
    await post(witness, a_body(0, 5))

    witness.restart()

    assert (await post(witness, a_body(0, 8))).text == "5\n"
    assert (await post(witness, a_body(5, 8))).status_code == HTTPStatus.OK


async def test_what_cannot_be_remembered_is_not_cosigned(witness: AWitness, tmp_path: Path) -> None:
    (tmp_path / f"{witness.path.name}.new").mkdir()  # the file cannot be written

    with pytest.raises(IsADirectoryError):
        await post(witness, a_body(0, 5))

    assert witness.state.logs == {}


def test_a_witness_whose_memory_is_damaged_does_not_start(tmp_path: Path) -> None:
    path = tmp_path / "seen.json"
    path.write_bytes(b'{"log": {"size": ')

    with pytest.raises(ValueError, match="is not what a witness remembers"):
        WitnessState(path)


def test_two_witnesses_do_not_share_a_memory(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "seen.json"
    with alone(path), pytest.raises(BlockingIOError), alone(path):
        pass
    with alone(path):
        pass


def test_nothing_was_cosigned_at_first(tmp_path: Path) -> None:
    assert WitnessState(tmp_path / "seen.json").logs == {}
    assert Tree().root() == EMPTY_ROOT
