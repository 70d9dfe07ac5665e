import re

import pytest

from kernel.problems import PROBLEMS, Problem


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.code)
def test_a_problem_says_what_it_is_in_two_languages(problem: type[Problem]) -> None:
    zh, en = problem.title

    assert re.search(r"[\u4e00-\u9fff]", zh)
    assert en.isascii()
    assert 400 <= problem.status <= 503
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", problem.code)
    assert problem.__doc__


def test_every_problem_is_listed_once() -> None:
    ours = {one for one in Problem.__subclasses__() if one.__module__ == "kernel.problems"}

    assert set(PROBLEMS) == ours
    assert len({problem.code for problem in PROBLEMS}) == len(PROBLEMS)
