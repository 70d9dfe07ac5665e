import pytest

from kernel.access.passwords import hash_password, verify_password
from kernel.problems import Unauthenticated

STORED = hash_password("正确的密码 42")


async def test_the_right_password_is_taken() -> None:
    await verify_password(STORED, "正确的密码 42")


@pytest.mark.parametrize(
    ("stored", "password"),
    [
        (STORED, "正确的密码 43"),
        (STORED, ""),
        (STORED, "正确的密码 42 "),
        (None, "正确的密码 42"),
        ("not a hash", "正确的密码 42"),
        ("", "nobody has this password"),
    ],
    ids=["another", "none", "a space more", "no account", "no hash", "an empty hash"],  # a hash is never the same twice
)
async def test_anything_else_is_refused_in_the_same_words(stored: str | None, password: str) -> None:
    with pytest.raises(Unauthenticated) as caught:
        await verify_password(stored, password)
    assert caught.value.members == {"reason": "wrong-credentials"}


def test_a_hash_is_argon2id_with_its_parameters_and_never_the_same_twice() -> None:
    assert STORED.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert hash_password("正确的密码 42") != STORED
