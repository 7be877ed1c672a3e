"""What is counted, and that what ships is what comes out."""

from __future__ import annotations

from importlib import resources

import numpy as np
import pytest
from available import need_training

need_training()

from ocrsvc.bigrams import TABLE  # noqa: E402
from ocrsvc.training import charset, cli, pairs  # noqa: E402


@pytest.fixture(scope="module")
def evidence() -> dict[str, float]:
    """Of all our characters."""
    return pairs.evidence(frozenset(charset.load()))


def test_words_speak_for_their_characters_and_nothing_for_look_alikes(evidence: dict[str, float]) -> None:
    for word, mistaken in (("未来", "末来"), ("周末", "周未"), ("已经", "己经"), ("自己", "自已")):
        assert evidence[word] > 2
        assert mistaken not in evidence
    assert min(evidence.values()) > 1
    assert 80_000 < len(evidence) < 120_000


def test_only_what_a_model_can_write_is_counted() -> None:
    assert set(pairs.evidence(frozenset("未来周末"))) == {"未来", "周末"}


def test_the_table_that_ships_is_the_one_that_is_counted(
    tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tmp_path_factory.mktemp("table") / "bigrams.npz"
    cli.main(["bigrams", "--out", str(made)])
    assert capsys.readouterr().out.endswith(" pairs\n")
    with np.load(made) as ours, np.load(str(resources.files("ocrsvc").joinpath(TABLE))) as shipped:
        assert all(np.array_equal(ours[name], shipped[name]) for name in ("gaps", "evidence"))
