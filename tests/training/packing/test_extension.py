"""New characters out of the head of another net: old ones stay as they are, new ones are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from available import missing, need_training
from drawings import Picture

need_training()

from ocrsvc.errors import UnknownCharset
from ocrsvc.machine import cpu
from ocrsvc.models import manifest
from ocrsvc.models.buckets import fit
from ocrsvc.models.manifest import Manifest, ModelFile
from ocrsvc.models.registry import Registry
from ocrsvc.recognition.recogniser import Recogniser
from ocrsvc.settings import Precision, Settings
from ocrsvc.training.commands import cli
from ocrsvc.training.nets.teacher import Head
from ocrsvc.training.packing import extension

pytestmark = pytest.mark.timeout(120)
NEW = "\U0001f600\ue000"  # that no model of ours can write
SIZE = 60  # numbers of a donor's row; more than the model's would fit as well


def random_head(characters: str, size: int, seed: int) -> Head:
    generator = np.random.default_rng(seed)
    weight = generator.normal(0, 1, (size, len(characters) + 1)).astype(np.float32)
    return Head(weight, generator.normal(0, 0.1, len(characters) + 1).astype(np.float32), ("", *characters))


def seen_through(head: Head, matrix: np.ndarray, shift: float) -> Head:
    """The same head as another net has it: every row through a matrix, every bias a little lower."""
    return Head((matrix.T @ head.weight).astype(np.float32), head.bias - np.float32(shift), head.characters)


@pytest.fixture(scope="module")
def heads() -> tuple[Head, Head]:
    """A donor of 400 characters, and a model that has the first 300 of them."""
    characters = "".join(chr(0x4E00 + i) for i in range(400))
    donor = random_head(characters, SIZE, 1)
    matrix = np.random.default_rng(2).normal(0, 0.2, (SIZE, SIZE))
    own = seen_through(donor, matrix, 0.5)
    return Head(own.weight[:, :301], own.bias[:301], own.characters[:301]), donor


def test_rows_go_through_the_map_that_the_shared_ones_went_through(heads: tuple[Head, Head]) -> None:
    own, donor = heads
    new = "".join(donor.characters[301:])
    matrix = np.random.default_rng(2).normal(0, 0.2, (SIZE, SIZE))
    true = seen_through(donor, matrix, 0.5)
    rows, (fitted,) = extension.carried(own, [("donor", donor)], new, 0.0)
    assert rows.characters == new
    assert np.allclose(rows.weight, true.weight.T[301:], atol=0.02)
    assert np.allclose(rows.bias, true.bias[301:], atol=1e-5)
    assert (fitted.shared, fitted.added) == (300, 100)
    assert fitted.cosine > 0.999
    louder, _ = extension.carried(own, [("donor", donor)], new, 1.5)
    assert np.allclose(louder.bias - rows.bias, 1.5)
    assert np.array_equal(louder.weight, rows.weight)


def test_a_cosine_says_when_two_nets_have_nothing_in_common(heads: tuple[Head, Head]) -> None:
    _, donor = heads
    stranger = random_head("".join(donor.characters[1:301]), 40, 9)
    _, (fitted,) = extension.carried(stranger, [("donor", donor)], donor.characters[350], 0.0)
    assert abs(fitted.cosine) < 0.2


def test_each_character_comes_from_the_first_donor_that_has_it(heads: tuple[Head, Head]) -> None:
    own, donor = heads
    few = Head(donor.weight[:, :321], donor.bias[:321] + 7, donor.characters[:321])
    new = "".join(donor.characters[311:331])
    rows, fits = extension.carried(own, [("few", few), ("all", donor)], new, 0.0)
    assert [(fit.donor, fit.added) for fit in fits] == [("few", 10), ("all", 10)]
    alone, _ = extension.carried(own, [("all", donor)], new, 0.0)
    assert np.allclose(rows.bias, alone.bias, atol=1e-4)  # the map of `few` takes its seven nats away again
    with pytest.raises(ValueError, match="no donor has"):
        extension.carried(own, [("few", few)], new, 0.0)
    with pytest.raises(ValueError, match="shares 0 characters"):
        extension.carried(random_head("abc", 8, 1), [("all", donor)], new, 0.0)


def test_what_is_wanted_is_what_a_donor_has_and_the_model_lacks(heads: tuple[Head, Head]) -> None:
    own, donor = heads
    characters = "".join(own.characters)
    assert extension.wanted("all", characters, [donor]) == "".join(donor.characters[301:])
    asked = f"chars:{donor.characters[310]}Ω{donor.characters[5]}"
    assert extension.wanted(asked, characters, [donor]) == donor.characters[310]
    with pytest.raises(UnknownCharset):
        extension.wanted("klingon", characters, [donor])


@pytest.fixture(scope="module")
def shipped() -> Manifest:
    registry = Registry(Settings())
    if "crnn-fast" not in registry.names():
        missing("models/crnn-fast is not here")
    return registry.spec("crnn-fast")


@pytest.fixture(scope="module")
def donor(shipped: Manifest) -> Head:
    """A net that writes two signs where ours writes 合 and 7, and is surer of them by three nats."""
    own = extension._head(shipped, "head")
    matrix = np.random.default_rng(4).normal(0, 0.3, (own.weight.shape[0], 96))
    head = seen_through(own, matrix, 1.0)
    places = [own.characters.index(c) for c in "合7"]
    weight = np.concatenate([head.weight, head.weight[:, places]], axis=1)
    return Head(weight, np.concatenate([head.bias, head.bias[places] + 3]), (*own.characters, *NEW))


@pytest.fixture(scope="module")
def extended(shipped: Manifest, donor: Head, tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    made, _ = extension.extend(
        shipped, tmp_path_factory.mktemp("models") / "wider", [("donor", donor)], NEW, 0.0
    )
    return made


def reader(spec: Manifest, precision: Precision) -> Recogniser:
    return Recogniser(spec, cpu=cpu.inspect(), precision=precision, context=False)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_new_characters_are_read_and_old_ones_as_before(
    shipped: Manifest, extended: Manifest, precision: Precision, draw_line: Callable[..., Picture]
) -> None:
    lines = [fit(draw_line(text), 48) for text in ("合计37.20", "收银小票", "Thank you")]
    before, after = (reader(spec, precision).run(640, lines) for spec in (shipped, extended))
    assert before[0].text == "合计37.20"
    assert [line.text for line in after] == [
        line.text.replace("合", NEW[0]).replace("7", NEW[1]) for line in before
    ]
    for old, new in zip(before[1].characters, after[1].characters, strict=True):
        assert new.confidence == pytest.approx(old.confidence, abs=0.02)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_charset_knows_the_new_characters(
    extended: Manifest, precision: Precision, draw_line: Callable[..., Picture]
) -> None:
    recogniser = reader(extended, precision)
    line = fit(draw_line("合计37.20"), 48)
    assert (
        recogniser.run(640, [line], recogniser.charset(f"digits,chars:.计 {NEW[0]}"))[0].text
        == f"{NEW[0]}计37.20"
    )


def test_the_manifest_says_what_was_added(shipped: Manifest, extended: Manifest) -> None:
    assert extended.charset == shipped.charset + NEW
    assert extended.recipe["charset"]["characters"] == 2
    assert extended.recipe["charset"]["donors"][0]["cosine"] > 0.99
    assert extended.scores == {}
    assert extended.calibration == {}
    assert {name: file.path.name for name, file in extended.files.items() if file.path} == {
        name: file.path.name for name, file in shipped.files.items() if file.path
    }
    assert extended.files["fp32"].size > shipped.files["fp32"].size


def test_what_cannot_be_extended_is_refused(
    shipped: Manifest, extended: Manifest, donor: Head, tmp_path: Path
) -> None:
    donors = [("donor", donor)]
    with pytest.raises(ValueError, match="nothing to add"):
        extension.extend(shipped, tmp_path / "m", donors, "", 0.0)
    (tmp_path / "there").mkdir()
    with pytest.raises(ValueError, match="is there already"):
        extension.extend(shipped, tmp_path / "there", donors, NEW, 0.0)
    headless = replace(shipped, files={"fp32": shipped.files["fp32"]})
    with pytest.raises(ValueError, match="has no head file"):
        extension.extend(headless, tmp_path / "m", donors, NEW, 0.0)
    other = replace(shipped, files={**shipped.files, "fp32": ModelFile("0" * 64, 3, data=b"abc")})
    with pytest.raises(Exception, match="SHA-256"):
        extension.extend(other, tmp_path / "m", donors, NEW, 0.0)
    assert not (tmp_path / "m").exists()


def test_the_command_adds_characters_and_says_how_well_they_fit(
    shipped: Manifest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["charset", "crnn-fast", "--characters", "chars:ĉЖ", "--model", str(tmp_path / "more")]
    if extension.donor_head("ppocrv6-small").characters.count("ĉ") != 1:
        missing("the donor writes no ĉ")
    cli.main(arguments)
    out = capsys.readouterr().out
    assert "ppocrv6-small: 1 characters; rows of " in out  # it has no Ж
    assert f"more: {len(shipped.charset) + 1} characters" in out
    assert manifest.load(tmp_path / "more").charset == shipped.charset + "ĉ"
    with pytest.raises(SystemExit, match="is there already"):
        cli.main(arguments)
    with pytest.raises(SystemExit, match="nothing to add"):
        cli.main([*arguments[:3], "chars:合", "--model", str(tmp_path / "none")])
    with pytest.raises(SystemExit, match=r"ocrsvc train: .*nosuch"):
        cli.main([*arguments[:-1], str(tmp_path / "x"), "--donor", str(tmp_path / "nosuch")])
    with pytest.raises(SystemExit, match="Unknown charset"):
        cli.main([*arguments[:3], "klingon", "--model", str(tmp_path / "x")])
