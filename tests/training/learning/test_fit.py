"""Training in stages: it learns, frozen parts stay, and a killed run goes on as if nothing had happened."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from available import need_training
from training.tiny_training import TrainingRun, described

need_training()

import torch

from ocrsvc.training.data.shards import Line, Shards
from ocrsvc.training.data.targets import Truths
from ocrsvc.training.learning import fit as fit_module
from ocrsvc.training.learning.fit import fit, rate, score
from ocrsvc.training.learning.loss import SIGNS
from ocrsvc.training.learning.state import Recipe, State, donor_net, start, with_minutes
from ocrsvc.training.nets import teacher
from ocrsvc.training.nets.net import SHAPES, Crnn
from ocrsvc.training.packing import export
from ocrsvc.training.packing.folder import write
from ocrsvc.training.texts import charset

pytestmark = pytest.mark.timeout(240)
RECIPE = Recipe(epochs=2, frames=64, learning_rate=3e-3, seed=1)
# Signs, ASCII and a hundred characters: a head of seven thousand classes would be most of these tests' time.
CHARSET = (
    "".join(dict.fromkeys(charset.load()[: SIGNS + 100] + "合计收银小票发票号码全麦面包")).replace(" ", "")
    + " "
)


@dataclass(frozen=True)
class Ground:
    """What every fit of these tests takes."""

    shards: Shards
    truths: Truths
    lines: list[Line]
    head: teacher.Head

    def fit(self, recipe: Recipe, folder: Path, initial: Path | None = None) -> dict[str, Any]:
        """The checkpoint of a run."""
        dev = {"drawn": self.lines[:4]}
        path = fit(self.shards, self.truths, self.lines, dev, self.head, recipe, folder, initial)
        content: dict[str, Any] = torch.load(path, weights_only=True)
        return content


@pytest.fixture(scope="module")
def ground(tiny_run: TrainingRun) -> Ground:
    """Few lines, all with a text: a few dozen steps are enough."""
    head = teacher.load_head()
    truths = Truths(CHARSET, head)
    shards = Shards(tiny_run.shards, truths)
    texts = [line for line in shards.lines if line.truth.target]
    texts.sort(
        key=lambda line: (not line.truth.distil, line.length)
    )  # those that the teacher reads right first
    return Ground(shards, truths, texts[:12], head)


@pytest.fixture(scope="module")
def spoilt(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint to start from that has forgotten half of what it was lent."""
    path = tmp_path_factory.mktemp("spoilt") / "last.pt"
    state = start(RECIPE, CHARSET)
    with torch.no_grad():
        for name, parameter in state.average.neck.named_parameters():
            if parameter.ndim > 1:
                parameter.add_(0.7 * parameter.std() * torch.randn(parameter.shape))
            if name == "recurrent.project.weight":
                parameter.normal_(std=0.05)
    state.save(path, RECIPE, CHARSET)
    return path


@pytest.fixture(scope="module")
def whole(ground: Ground, spoilt: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The checkpoint of an uninterrupted run."""
    return ground.fit(RECIPE, tmp_path_factory.mktemp("whole"), spoilt)


def test_two_epochs_lower_every_term_of_the_loss(whole: dict[str, Any]) -> None:
    first, second = whole["log"]
    assert second["epoch"] == 2
    for term in ("kl", "ctc", "embedding"):
        assert second[term] < first[term], term
    assert set(first) == {"epoch", "kl", "ctc", "embedding", "drawn_exact", "drawn_strict"}


@pytest.mark.parametrize(("save_every_s", "saves"), [(180.0, 1), (0.0, 3)])
def test_a_killed_run_goes_on_to_the_same_weights(
    save_every_s: float,
    saves: int,
    ground: Ground,
    spoilt: Path,
    whole: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Killed behind its first epoch, or in the middle of it."""
    real, left = State.save, [saves]

    def save_and_die(self: State, *rest: Any) -> None:
        real(self, *rest)
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(fit_module, "SAVE_EVERY_S", save_every_s)
        patched.setattr(State, "save", save_and_die)
        with pytest.raises(KeyboardInterrupt):
            ground.fit(RECIPE, tmp_path, spoilt)
    stopped = torch.load(tmp_path / "last.pt", weights_only=True)["step"]
    assert stopped == (whole["step"] // 2 if saves == 1 else saves)
    # What it began with is not needed any more.
    content = ground.fit(RECIPE, tmp_path, tmp_path / "nosuch.pt")
    assert content["step"] == whole["step"]
    assert content["log"][-1] == whole["log"][-1]
    for part in ("net", "average"):
        for name, tensor in whole[part].items():
            assert torch.equal(content[part][name], tensor), (part, name)


def test_the_optimiser_knows_parameters_by_their_place(teacher_path: Path, tiny_path: Path) -> None:
    """Its moments are stored by number: the order must not hang on where objects lie in memory."""
    for shape in ("small", "tiny"):
        orders = []
        for _ in range(2):
            state = start(Recipe(shape=shape, frozen="none"), CHARSET)
            names = {id(parameter): name for name, parameter in state.net.named_parameters()}
            orders.append([[names[id(p)] for p in group["params"]] for group in state.optimiser.param_groups])
        assert orders[0] == orders[1]
        flat = [name for group in orders[0] for name in group]
        assert sorted(flat) == sorted(names.values())  # every parameter once
        assert orders[0][0] == [name for name in names.values() if "recurrent" in name and "bias" not in name]


def test_a_rounded_stage_keeps_float_weights_and_scores_rounded_ones(
    ground: Ground, tiny_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Convolutions in bfloat16, too; every forward sees rounded weights, none is left in the checkpoint."""
    recipe = Recipe(
        shape="tiny", epochs=1, frames=64, frozen="none", quantised=True, bfloat16=True, embedding=0, kl=0
    )
    real, rows = fit_module.embed, []

    def embed(net: Crnn, *rest: Any, **named: Any) -> torch.Tensor:
        rows.append(len(net.head.weight.detach()[5].unique()))
        return real(net, *rest, **named)

    monkeypatch.setattr(fit_module, "embed", embed)
    content = ground.fit(recipe, tmp_path)
    width = SHAPES["tiny"].embedding
    assert len(rows) > content["step"]  # scores as well
    assert max(rows) < width
    assert all(len(content[part]["head.weight"][5].unique()) == width for part in ("net", "average"))
    assert all(math.isfinite(value) for value in content["log"][0].values())


def test_what_is_exported_follows_the_trained_weights_at_a_distance(
    spoilt: Path, whole: dict[str, Any]
) -> None:
    """The moving average lies between the first weights and the last."""
    began = torch.load(spoilt, weights_only=True)["average"]["neck.reduce.weight"]
    trained, averaged = whole["net"]["neck.reduce.weight"], whole["average"]["neck.reduce.weight"]
    way = float((trained - began).norm())
    assert 0 < float((averaged - trained).norm()) < 0.5 * way


def test_a_stage_begins_with_the_averaged_weights_of_another(
    ground: Ground, whole: dict[str, Any], tmp_path: Path
) -> None:
    torch.save(whole, tmp_path / "first.pt")
    still = replace(RECIPE, epochs=1, learning_rate=0.0)
    content = ground.fit(still, tmp_path / "second", tmp_path / "first.pt")
    assert content["step"] > 0
    for part in ("net", "average"):
        for name, tensor in whole["average"].items():
            assert torch.equal(content[part][name], tensor), (part, name)
    assert any(not torch.equal(whole["net"][name], whole["average"][name]) for name in whole["net"])


def test_a_checkpoint_of_another_shape_is_refused(spoilt: Path, tiny_path: Path) -> None:
    with pytest.raises(ValueError, match="holds a net of shape 'small', the recipe wants 'tiny'"):
        start(replace(RECIPE, shape="tiny", frozen="none"), CHARSET, spoilt)


def test_a_stage_begins_with_the_weights_of_a_model_folder(tiny_path: Path, tmp_path: Path) -> None:
    """Training goes on from what ships, without the checkpoint that it came from."""
    recipe = Recipe(shape="tiny", frozen="none")
    torch.manual_seed(5)
    net = donor_net("tiny", CHARSET, 1)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
    write(tmp_path / "model", net, described("t", CHARSET))
    for part in (
        start(recipe, CHARSET, tmp_path / "model").net,
        start(recipe, CHARSET, tmp_path / "model").average,
    ):
        for name, tensor in part.state_dict().items():
            assert torch.allclose(tensor, net.state_dict()[name], rtol=0, atol=1e-30), name
    with pytest.raises(ValueError, match="has another charset"):
        start(recipe, CHARSET[1:], tmp_path / "model")


def test_a_stage_may_begin_between_the_before_learning_and_a_trained_one(
    whole: dict[str, Any], tmp_path: Path
) -> None:
    torch.save(whole, tmp_path / "first.pt")
    before_learning, learnt = donor_net("small", CHARSET, RECIPE.seed).state_dict(), whole["average"]
    for share in (0.0, 0.7, 1.0):
        net = start(replace(RECIPE, blend=share), CHARSET, tmp_path / "first.pt").net.state_dict()
        for name in ("backbone.stem.first.weight", "neck.reduce.weight", "neck.skip.bias"):
            assert torch.equal(net[name], torch.lerp(before_learning[name], learnt[name], share)), (
                share,
                name,
            )
        for name in ("neck.recurrent.lstm.weight_ih_l0", "neck.recurrent.project.weight"):
            assert torch.equal(net[name], learnt[name]), (share, name)  # lent nets have none
        rows, before, after = (weights["head.weight"] for weights in (net, before_learning, learnt))
        assert torch.equal(rows[[0, -1]], after[[0, -1]]), share  # blank and space
        assert torch.equal(rows[1:-1], torch.lerp(before, after, share)[1:-1]), share


def changed(content: dict[str, Any], before: dict[str, torch.Tensor], part: str) -> set[str]:
    """Which parameters of a checkpoint's net are not what they were, by their first two names."""
    return {
        ".".join(name.split(".")[:2])
        for name, tensor in content[part].items()
        if not torch.equal(tensor, before[name])
    }


UPPER = {"backbone.middle", "backbone.high"}
LOWER = {"backbone.stem", "backbone.low"}


@pytest.mark.parametrize(
    ("recipe", "convolutions"),
    [
        (Recipe(frozen="all"), set()),
        (Recipe(frozen="low"), UPPER),
        (Recipe(frozen="none"), LOWER | UPPER),
        (Recipe(shape="tiny", frozen="none", embedding=0), LOWER | UPPER),
    ],
    ids=["all", "low", "none", "tiny"],
)
def test_frozen_parts_stay_and_all_others_learn(
    recipe: Recipe, convolutions: set[str], ground: Ground, tiny_path: Path, tmp_path: Path
) -> None:
    recipe = replace(recipe, epochs=1, frames=64, learning_rate=1e-3)
    few = replace(ground, lines=ground.lines[:4])
    content = few.fit(recipe, tmp_path)
    before = donor_net(recipe.shape, CHARSET, recipe.seed).state_dict()
    for part in ("net", "average"):
        found = changed(content, before, part)
        assert {name for name in found if name.startswith("backbone.")} == convolutions, part
        assert {"neck.reduce", "neck.mix", "neck.recurrent", "head.weight", "head.bias"} <= found, part
    assert ("embedding" in content["log"][0]) == bool(recipe.embedding)
    assert content["shape"] == recipe.shape


def test_new_rows_learn_from_lines_with_their_character_alone(ground: Ground, tmp_path: Path) -> None:
    """All others stay as they were, bit for bit, while the neck learns."""
    first = len(CHARSET) - 60
    recipe = replace(RECIPE, epochs=1, first_row=first, head_rate=1.0)
    content = ground.fit(recipe, tmp_path)
    before = donor_net(recipe.shape, CHARSET, recipe.seed).state_dict()
    assert "neck.reduce" in changed(content, before, "net")
    seen = {c for line in ground.lines for c in line.truth.target if c >= first}
    moved = (content["net"]["head.weight"] != before["head.weight"]).any(dim=1)
    assert set(torch.nonzero(moved).flatten().tolist()) == seen
    assert seen
    assert len(seen) < 60


def test_rows_of_named_characters_may_learn_alone(ground: Ground, tmp_path: Path) -> None:
    content = ground.fit(replace(RECIPE, epochs=1, rows="digits,chars:合", head_rate=1.0), tmp_path)
    before = donor_net(RECIPE.shape, CHARSET, RECIPE.seed).state_dict()
    moved = (content["net"]["head.weight"] != before["head.weight"]).any(dim=1)
    learnt = {CHARSET[c - 1] for c in torch.nonzero(moved).flatten().tolist()}
    seen = {CHARSET[c - 1] for line in ground.lines for c in line.truth.target}
    assert learnt == seen & set("0123456789合")
    assert learnt


def test_rows_may_learn_what_they_are_not(ground: Ground, tmp_path: Path) -> None:
    """From lines without their character too: else nothing tells a row of a sign where none stands."""
    recipe = replace(RECIPE, epochs=1, rows="digits,chars:合", everywhere=True, head_rate=1.0)
    content = ground.fit(recipe, tmp_path)
    before = donor_net(RECIPE.shape, CHARSET, RECIPE.seed).state_dict()
    moved = (content["net"]["head.weight"] != before["head.weight"]).any(dim=1)
    assert {CHARSET[c - 1] for c in torch.nonzero(moved).flatten().tolist()} == set("0123456789合") & set(
        CHARSET
    )


def test_minutes_bound_a_stage(ground: Ground, tmp_path: Path) -> None:
    """It ends in the middle of an epoch, scored and saved, and is over."""
    assert with_minutes(RECIPE, None) == RECIPE
    bounded = with_minutes(replace(RECIPE, epochs=10_000), 0.02)
    content = ground.fit(bounded, tmp_path)
    assert content["recipe"]["minutes"] == 0.02
    assert content["seconds"] >= 1.2
    assert 0 < content["log"][-1]["epoch"] < 10_000
    assert ground.fit(bounded, tmp_path)["step"] == content["step"]


def test_a_finished_run_is_left_alone(ground: Ground, whole: dict[str, Any], tmp_path: Path) -> None:
    torch.save(whole, tmp_path / "last.pt")
    before = (tmp_path / "last.pt").read_bytes()
    ground.fit(RECIPE, tmp_path)
    assert (tmp_path / "last.pt").read_bytes() == before


def test_the_checkpoint_becomes_one_net(whole: dict[str, Any], tmp_path: Path) -> None:
    torch.save(whole, tmp_path / "last.pt")
    net, characters = export.load(tmp_path / "last.pt")
    assert characters == CHARSET
    assert not net.training
    assert net.shape.name == "small"
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, whole["average"][name]), name


def test_a_net_begins_as_it_was_lent(ground: Ground) -> None:
    """It reads what the donor reads, from cached features and from pictures, before it has learnt anything."""
    lines = [line for line in ground.lines if line.truth.distil]
    assert len(lines) >= 6
    state = start(RECIPE, CHARSET)
    for frozen in ("all", "none"):
        scores = score(state.average, ground.shards, ground.truths, lines, frozen)
        assert scores["exact"] == 1.0, frozen
        strict = sum(
            ground.truths.read(
                ground.shards.classes[line.shard][line.start : line.start + line.length].tolist()
            ).strip()
            == line.truth.text
            for line in lines
        )
        assert scores["strict"] == strict / len(lines), frozen


def test_the_seed_decides_what_is_not_lent(teacher_path: Path) -> None:
    first, again, other = (donor_net("small", CHARSET, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    differ = {name for name in first if not torch.equal(first[name], other[name])}
    assert differ
    assert all(name.startswith("neck.recurrent.lstm.") for name in differ)


def test_the_rate_warms_up_and_cools_down() -> None:
    rates = [rate(step / 200) for step in range(201)]
    assert rates[0] == 0.02
    assert rates[5] == 0.5
    assert max(rates) == rates[10] == 1.0
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] == pytest.approx(0.01)
