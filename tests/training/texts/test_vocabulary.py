"""What is counted, and that what ships is what comes out."""

from __future__ import annotations

import gzip
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from available import need_training

need_training()

from ocrsvc.recognition.bigrams import TABLE
from ocrsvc.recognition.lexicon import WORDS, shipped
from ocrsvc.training.commands import cli
from ocrsvc.training.texts import charset, vocabulary


@pytest.fixture(scope="module")
def pairs() -> dict[str, float]:
    """Of all our characters."""
    return vocabulary.pairs(frozenset(charset.load()))


def test_words_speak_for_their_characters_and_nothing_for_look_alikes(pairs: dict[str, float]) -> None:
    for word, mistaken in (("未来", "末来"), ("周末", "周未"), ("已经", "己经"), ("自己", "自已")):
        assert pairs[word] > 2
        assert mistaken not in pairs
    assert min(pairs.values()) > 1
    assert 130_000 < len(pairs) < 190_000


def test_a_pair_in_traditional_spelling_counts_as_the_simplified_one(pairs: dict[str, float]) -> None:
    """So that no dictionary pushes a text from one script into the other."""
    for traditional, simplified in (
        ("圖書", "图书"),
        ("發現", "发现"),
        ("後來", "后来"),
        ("裡面", "里面"),
        ("裏面", "里面"),
    ):
        assert pairs[traditional] == pairs[simplified]
    assert "皇後" not in pairs  # 后 stays what it is in an empress


def test_only_what_a_model_can_write_is_counted() -> None:
    assert set(vocabulary.pairs(frozenset("未来周末"))) == {"未来", "周末"}


def test_words_are_long_plain_and_in_small_letters() -> None:
    lines = ["Berlin\n", "berlin", "don't", "cafés", "four", "", "versions  "]
    assert vocabulary.words(lines) == ["berlin", "versions"]


def test_the_tables_that_ship_are_those_that_are_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From jieba's dictionary, and from a list of the words that ship, as far as they go."""
    (tmp_path / "list").write_text("\n".join(["Ann", *shipped()]), encoding="utf-8")
    cli.main(["vocabulary", "--words", str(tmp_path / "list"), "--out", str(tmp_path)])
    assert capsys.readouterr().out == f"{tmp_path}: 159059 pairs, {len(shipped())} words\n"
    package = resources.files("ocrsvc.recognition")
    made, kept = (gzip.decompress(each.joinpath(WORDS).read_bytes()) for each in (tmp_path, package))
    assert made == kept
    with np.load(tmp_path / TABLE) as ours, np.load(str(package.joinpath(TABLE))) as theirs:
        assert all(np.array_equal(ours[name], theirs[name]) for name in ("gaps", "evidence"))
    with pytest.raises(SystemExit, match=r"ocrsvc train: .*nosuch"):
        cli.main(["vocabulary", "--words", str(tmp_path / "nosuch"), "--out", str(tmp_path)])
