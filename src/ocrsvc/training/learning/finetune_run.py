"""Implementation of ``ocrsvc train finetune``: from a user's .jsonl to a model folder, or reasons to refuse it."""

from __future__ import annotations

import json
import os
import random
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ocrsvc.models import buckets, manifest
from ocrsvc.models.manifest import Manifest
from ocrsvc.training.data import examples
from ocrsvc.training.data.samples import Sample, fresh
from ocrsvc.training.data.targets import Truths
from ocrsvc.training.learning import finetune, progress
from ocrsvc.training.learning.finetune import Extractor, Line, Recipe
from ocrsvc.training.nets.net import Crnn
from ocrsvc.training.nets.weights import from_manifest
from ocrsvc.training.packing import folder, regression_gate
from ocrsvc.training.packing.regression_gate import OWN, Verdict

HELD_OUT = 0.2
FEWEST_HELD_OUT = 30
FEWEST = 60  # minimum number of lines to learn from
DRAWN = "drawn"
_DRAWN_SEED = 20_260_101  # drawn lines of the verdict; replay lines have other seeds
_GUARD_SEED = 20_270_101  # drawn lines that limit the interpolation; neither in the verdict nor replayed
_CALIBRATION = 192  # lines of each kind

Say = Callable[[str], None]


@dataclass(frozen=True)
class Order:
    """Inputs and outputs of one fine-tuning; ``golden``: a .jsonl of further lines that must stay right.

    ``most_lost``: how much the share of right lines may fall on golden and drawn lines; ``drawn``: their number.
    """

    data: Path
    model: Manifest
    out: Path
    golden: Path | None = None
    fonts: tuple[Path, ...] = ()
    prose: tuple[Path, ...] = ()
    recipe: Recipe = field(default_factory=Recipe)
    most_lost: float = 0.005
    drawn: int = 1500
    skip: bool = False


def run(order: Order, say: Say = print) -> Verdict:
    """Fine-tune, write ``order.out`` if the new model passes the gate (otherwise nothing), and return the verdict.

    ValueError or FileNotFoundError says what is wrong with the data, the model or the folder.
    """
    spec, recipe = order.model, order.recipe
    if order.out.exists() and (not order.out.is_dir() or any(order.out.iterdir())):
        raise ValueError(f"{order.out} is there already; give --out a new folder")
    net = from_manifest(spec)
    learn, held = _data(order, say)
    sets = {OWN: held, DRAWN: _fresh(order, _DRAWN_SEED, order.drawn)}
    if order.golden is not None:
        sets["golden"] = list(examples.read(order.golden, spec, skip=order.skip).samples)
    say(f"{len(learn)} lines to learn, " + ", ".join(f"{len(group)} {name}" for name, group in sets.items()))
    say(f"reading them with {spec.name} as it is")
    before = regression_gate.score(spec, sets)
    if all(scores[OWN].strict == 1 for scores in before.values()):
        raise ValueError(
            f"{spec.name} reads all {len(held)} held-out lines right already: there is nothing to gain"
        )
    replay = _fresh(order, _DRAWN_SEED + recipe.seed, recipe.replay)
    net, share = _learn(net, order, learn, held, replay, say)
    say("exporting, and reading the same lines with the new model")
    order.out.absolute().parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{order.out.name}-", dir=order.out.absolute().parent))
    try:
        _write(building, net, order, learn, replay)
        verdict = regression_gate.judge(
            before, regression_gate.score(manifest.load(building), sets), order.most_lost
        )
        if verdict.kept:
            _note(building, order, verdict, len(learn), share)
            building.chmod(0o755)
            os.replace(building, order.out)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return verdict


def _data(order: Order, say: Say) -> tuple[list[Sample], list[Sample]]:
    """Return the lines to learn and the lines held out; ValueError if they are too few."""
    found = examples.read(order.data, order.model, skip=order.skip)
    for complaint in found.skipped:
        say(f"left out: {complaint}")
    learn, held = examples.split(found.samples, HELD_OUT, FEWEST_HELD_OUT)
    if len(learn) < FEWEST:
        raise ValueError(
            f"{len(found.samples)} usable lines in {order.data} are too few: {len(held)} are held out to judge by, and "
            f"at least {FEWEST} have to remain to learn from; 200 and more are better"
        )
    return learn, held


def _fresh(order: Order, seed: int, count: int) -> list[Sample]:
    """Return drawn lines of all kinds in the installed faces; a seed fixes them."""
    return list(fresh(order.model.charset, count, seed=seed, fonts=order.fonts, prose=order.prose))


def _learn(
    net: Crnn,
    order: Order,
    learn: Sequence[Sample],
    held: Sequence[Sample],
    replay: Sequence[Sample],
    say: Say,
) -> tuple[Crnn, float]:
    spec, recipe = order.model, order.recipe
    extract = Extractor(net, Truths(spec.charset, finetune.as_head(net, spec.charset)), spec.input)
    copies = finetune.varied(learn, recipe)
    groups = (copies, replay, held, _fresh(order, _GUARD_SEED, order.drawn // 2))
    total = sum(map(len, groups))
    say(f"{total} lines, varied copies and drawn ones among them, go through the convolutions once")
    found: list[list[Line]] = []
    with progress.shown() as show:

        def tell(done: int) -> None:
            done += sum(map(len, found))
            show(progress.Report(done / total, 0, done, 0.0))

        for group in groups:
            found.append(extract(group, tell))
    own, replayed, looked_at, guard = found
    lines = [*own, *map(finetune.distilled, replayed)]
    say(f"learning: {recipe.epochs} epochs, {recipe.minutes:g} minutes at most")
    with progress.shown() as show:
        learnt = finetune.train(net, spec.charset, lines, looked_at, recipe, show)
    kept, share = finetune.drawn_back(net, learnt, spec.charset, guard, order.most_lost / 2)
    if share < 1:
        say(f"it forgot some of what it knew: {share:.0%} of the way is kept")
    return kept, share


def _write(target: Path, net: Crnn, order: Order, learn: Sequence[Sample], replay: Sequence[Sample]) -> None:
    """Write the model folder, with an INT8 graph if the old model has one, calibrated on own and replay lines.

    There is no INT8 graph if the old one has separately trained weights (``int8_learnt_apart``), which ``net`` lacks.
    """
    spec = order.model
    rng = random.Random(order.recipe.seed)
    lines = [s.image for group in (learn, replay) for s in rng.sample(group, min(len(group), _CALIBRATION))]
    description = folder.Description.of(
        spec,
        name=order.out.name,
        origin=f"Fine-tuned from {spec.name} on its user's lines. {spec.origin}",
        recipe={**spec.recipe, "finetune": asdict(order.recipe)},
    )
    rounds = "int8" in spec.files and not spec.int8_learnt_apart
    shown = [buckets.fit(image, spec.input.height) for image in lines] if rounds else []
    folder.write(target, net, description, shown)


def _note(target: Path, order: Order, verdict: Verdict, learnt: int, share: float) -> None:
    """Add the origin of the model and its scores to the manifest."""
    path = target / "manifest.json"
    document = json.loads(path.read_text("utf-8"))
    document["finetuned"] = {
        "from": order.model.name,
        "weights": order.model.files["fp32"].digest,
        "lines": learnt,
        "share": share,
        "most_lost": order.most_lost,
        **verdict.record(),
    }
    path.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
