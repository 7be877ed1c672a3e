"""The model folder of an attention decoder reads what the trained decoder reads, and CTC reads in it as before."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from available import need_training
from numpy.typing import NDArray
from training.tiny_training import described

need_training()

import torch

from ocrsvc.machine import cpu
from ocrsvc.models import manifest
from ocrsvc.models.buckets import stack
from ocrsvc.models.manifest import Manifest
from ocrsvc.recognition.recogniser import Recogniser
from ocrsvc.training.commands import cli
from ocrsvc.training.learning import attention, attention_plan
from ocrsvc.training.learning.attention_loss import AttentionLoss, Teaching
from ocrsvc.training.learning.held_loss import Seen
from ocrsvc.training.nets.net import SHAPES, Crnn, convolved, normalise
from ocrsvc.training.packing import attention_export
from ocrsvc.training.packing import folder as folder_module

pytestmark = pytest.mark.timeout(600)

CHARSET = "0123456789"
TEXTS = ("12", "34", "5", "78")
WIDTHS = (96, 60, 33, 90)
LEVELS = (0, 80, 170, 255)
BUCKET = 96


@dataclass(frozen=True)
class Trained:
    """A model whose CTC reads nonsense, the checkpoint of a decoder that reads ``TEXTS``, and the model with both."""

    base: Manifest
    checkpoint: Path
    made: Manifest
    crops: list[NDArray[np.uint8]]


@pytest.fixture(scope="module")
def trained(font_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The decoder learns four grey lines by heart."""
    folder = tmp_path_factory.mktemp("attention")
    torch.manual_seed(1)
    net = Crnn(SHAPES["tiny"], len(CHARSET) + 1)
    for parameter in net.backbone.parameters():  # or lines of all greys would look the same to it
        if parameter.ndim > 1:
            torch.nn.init.kaiming_normal_(parameter)
    folder_module.write(folder / "base", net, described("base", CHARSET, buckets=(BUCKET, 160)))
    crops = [np.full((48, width, 3), level, np.uint8) for width, level in zip(WIDTHS, LEVELS, strict=True)]
    recipe = {"attention": {"width": 96, "layers": 1, "heads": 4}}
    planned = attention_plan.plan(recipe, folder, folder / "base", device="cpu")
    state = attention.start(planned)
    pixels = stack(crops, height=48, width=BUCKET, pad_value=127)
    with torch.no_grad():
        features = convolved(state.net, normalise(pixels))
        embedding = state.net.neck(features)
        seen = Seen(features, embedding, state.net.head(embedding).argmax(-1), WIDTHS)
    loss = AttentionLoss(state.decoder, Teaching(smoothing=0.02, replaced=0, drafts=0))
    optimiser = torch.optim.Adam(state.decoder.parameters(), lr=3e-3)
    targets = [[CHARSET.index(c) + 1 for c in text] for text in TEXTS]
    for _ in range(60):
        optimiser.zero_grad()
        term = loss(state.net, seen, targets)["attention"]
        term.backward()
        optimiser.step()
    state.average.load_state_dict(state.decoder.state_dict())
    planned.folder.mkdir()
    state.save(planned)
    command = ["export", "--decoder", str(planned.checkpoint), "--from", str(folder / "base")]
    cli.main([*command, "--model", str(folder / "made"), "--below", "1"])
    base, made = (manifest.load(folder / name) for name in ("base", "made"))
    return Trained(base, planned.checkpoint, made, crops)


def test_it_reads_what_the_decoder_has_learnt(trained: Trained) -> None:
    plain, both = (Recogniser(spec, cpu=cpu.inspect()) for spec in (trained.base, trained.made))
    assert not set(TEXTS) & {line.text for line in plain.run(BUCKET, trained.crops)}
    lines = both.run(BUCKET, trained.crops)
    assert [line.text for line in lines] == list(TEXTS)
    assert all(0.8 < c.confidence <= 1 for line in lines for c in line.characters)
    assert all(0 <= c.start < c.end <= 1 for line in lines for c in line.characters)
    assert plain.run(BUCKET, trained.crops, plain.charset("chars:13")) == both.run(
        BUCKET, trained.crops, both.charset("chars:13")
    )


def test_a_line_reads_the_same_alone(trained: Trained) -> None:
    recogniser = Recogniser(trained.made, cpu=cpu.inspect())
    together = recogniser.run(BUCKET, trained.crops * 8)
    for crop, line in zip(trained.crops * 8, together, strict=True):
        (alone,) = recogniser.run(BUCKET, [crop])
        assert alone.text == line.text
        assert alone.confidence == pytest.approx(line.confidence, abs=1e-4)


def test_the_manifest_says_how_the_decoder_was_made(trained: Trained) -> None:
    made = trained.made
    assert made.decoder == {"below": 1, "longest": 95}
    assert (made.recipe["attention"]["start"], made.recipe["attention"]["layers"]) == ("base", 1)
    assert set(made.files) == {"fp32", "head", "decoder"}
    assert made.files["head"].sha256 == trained.base.files["head"].sha256


def test_what_cannot_be_made_is_told(trained: Trained, tmp_path: Path) -> None:
    base, checkpoint, new = trained.base, trained.checkpoint, tmp_path / "new"
    with pytest.raises(ValueError, match="there already"):
        attention_export.export(base, checkpoint, tmp_path)
    with pytest.raises(ValueError, match="no line has a peak below -1"):
        attention_export.export(base, checkpoint, new, -1)
    with pytest.raises(FileNotFoundError, match="run `ocrsvc train attention` first"):
        attention_export.export(base, tmp_path / "last.pt", new)
    with pytest.raises(ValueError, match="made has an attention decoder, which belongs to its weights"):
        attention_export.export(trained.made, checkpoint, new)
    content = torch.load(checkpoint, weights_only=True)
    torch.save(content | {"weights": "0" * 64}, tmp_path / "other.pt")
    with pytest.raises(ValueError, match="trained on other weights than those of base"):
        attention_export.export(base, tmp_path / "other.pt", new)
    del content["average_decoder"]
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(ValueError, match="no checkpoint of `ocrsvc train attention`"):
        attention_export.export(base, tmp_path / "other.pt", new)
    with pytest.raises(SystemExit, match="--decoder needs --from"):
        cli.main(["export", "--decoder", str(checkpoint), "--model", str(new)])
