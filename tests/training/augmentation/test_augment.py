"""Variation of batches: it keeps shapes, ranges and padding, follows its seed, and each fault does what it says."""

from __future__ import annotations

import numpy as np
import pytest
from available import need_training

need_training()

import torch
from torch import Tensor

from ocrsvc.training.augmentation import canvas, light
from ocrsvc.training.augmentation.augment import Augment, Varied
from ocrsvc.training.augmentation.draws import Draws
from ocrsvc.training.augmentation.geometry import bent
from ocrsvc.training.augmentation.jpeg import Jpeg
from ocrsvc.training.augmentation.optics import Optics

CPU = torch.device("cpu")
PAD = 127
WIDTH = np.array([96, 81, 40, 8, 96, 70, 23, 64], np.int64)
LINES, BUCKET = len(WIDTH), 96


def pictures(seed: int = 3) -> Tensor:
    return torch.rand(LINES, 3, 48, BUCKET, generator=torch.Generator().manual_seed(seed)) * 255


def flat(value: float, lines: int = LINES) -> Tensor:
    return torch.full((lines, 3, 48, BUCKET), value)


def vary(seed: int, strength: float = 1.0, poor: bool = False) -> Varied:
    return Augment(CPU, seed, PAD)(pictures(), WIDTH, np.full(LINES, poor), 5, strength)


@pytest.fixture
def draws() -> Draws:
    return Draws(CPU, 7)


ALL = np.arange(LINES)
SOME = np.array([1, 4])
OTHERS = np.setdiff1d(ALL, SOME)


@pytest.mark.parametrize("poor", [True, False])
@pytest.mark.parametrize("seed", range(12))
def test_a_batch_stays_what_the_net_takes(seed: int, poor: bool) -> None:
    varied = vary(seed, poor=poor)
    assert varied.spoilt.shape == (LINES, 3, 48, BUCKET)
    assert varied.clean.shape == (5, 3, 48, BUCKET)
    for made in (varied.spoilt, varied.clean):
        assert made.dtype == torch.float32
        assert made.min() >= -1
        assert made.max() <= 1
        levels = (made + 1) * 127.5  # whole numbers, as pixels are
        assert float((levels - levels.round()).abs().max()) < 1e-3
        for line, width in zip(made, WIDTH, strict=False):
            assert torch.all(line[..., width:] == np.float32(PAD) * np.float32(2 / 255) - 1)


def test_a_seed_gives_the_same_batch() -> None:
    one, again, other = vary(1), vary(1), vary(2)
    assert torch.equal(one.spoilt, again.spoilt)
    assert torch.equal(one.clean, again.clean)
    assert not torch.equal(one.spoilt, other.spoilt)
    assert not torch.equal(one.clean, other.clean)


def test_without_strength_a_batch_stays_as_it_is() -> None:
    varied = vary(1, strength=0.0)
    within = canvas.inside(torch.from_numpy(WIDTH), BUCKET)
    assert torch.equal(varied.spoilt, canvas.finished(pictures(), within, PAD))
    assert torch.equal(varied.clean, varied.spoilt[:5])


def test_lines_with_faults_get_fewer_new_ones() -> None:
    def noise(poor: bool) -> float:
        """How much neighbouring pixels of a flat picture differ: faults of the sensor and of the file."""
        total = 0.0
        for seed in range(40):
            made = Augment(CPU, seed, PAD).spoil(flat(128.0), np.full(LINES, poor), 1.0)
            total += float((made[..., 1:] - made[..., :-1]).abs().mean())
        return total

    assert noise(False) > 1.3 * noise(True)


def test_a_line_that_is_not_stretched_keeps_its_pixels() -> None:
    columns = torch.randint(0, 256, (30, 144), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    offset, source = torch.tensor([0, 12]), torch.tensor([12, 18])
    made = canvas.stretched(columns, offset, source, source, 24)
    for line, begin, width in zip(made, (0, 12), (12, 18), strict=True):
        wanted = columns[begin : begin + width].reshape(width, 48, 3).permute(2, 1, 0)
        assert torch.equal(line[..., :width], wanted.float())
        assert torch.equal(line[..., width:], wanted[..., -1:].float().expand(-1, -1, 24 - width))


@pytest.mark.parametrize("width", [10, 20, 40])
def test_a_stretched_line_is_the_same_ramp_faster_or_slower(width: int) -> None:
    columns = torch.arange(0, 200, 10, dtype=torch.uint8)[:, None].expand(20, 144).contiguous()
    offset, source, wanted = torch.tensor([[0], [20], [width]])
    made = canvas.stretched(columns, offset, source, wanted, 48)[0, 0, 0]
    middle = made[2 : width - 2]
    torch.testing.assert_close(middle.diff(), torch.full((width - 5,), 200 / width))
    assert torch.all(made[width:] == 190)


def test_geometry_moves_only_a_share_and_only_pixels_of_the_picture(draws: Draws) -> None:
    before = pictures()
    assert torch.equal(bent(before.clone(), WIDTH, draws, 0.0), before)
    moved = bent(before.clone(), WIDTH, draws, 0.5)
    changed = [not torch.equal(a, b) for a, b in zip(moved, before, strict=True)]
    assert 0 < sum(changed) < LINES
    assert moved.min() >= before.min()
    assert moved.max() <= before.max()
    torch.testing.assert_close(bent(flat(77.0), WIDTH, draws, 1.0), flat(77.0))


@pytest.mark.parametrize("fault", ["stroke", "shade", "rule", "office", "invert"])
def test_faults_of_light_leave_the_other_lines_alone(fault: str, draws: Draws) -> None:
    before = pictures()
    made = getattr(light, fault)(before.clone(), SOME, draws)
    assert torch.equal(made[OTHERS], before[OTHERS])
    assert all(not torch.equal(made[row], before[row]) for row in SOME)
    assert torch.equal(getattr(light, fault)(before.clone(), SOME[:0], draws), before)


@pytest.mark.parametrize("fault", ["low", "blur", "sharpen", "grain"])
def test_faults_of_optics_leave_the_other_lines_alone(fault: str, draws: Draws) -> None:
    before, optics = pictures(), Optics(draws)
    more = (1.0,) if fault == "blur" else ()
    made = getattr(optics, fault)(before.clone(), SOME, *more)
    assert torch.equal(made[OTHERS], before[OTHERS])
    assert all(not torch.equal(made[row], before[row]) for row in SOME)
    assert torch.equal(getattr(optics, fault)(before.clone(), SOME[:0], *more), before)


def test_what_is_inverted_twice_is_back_and_office_is_grey(draws: Draws) -> None:
    before = pictures()
    twice = light.invert(light.invert(before.clone(), ALL, draws), ALL, draws)
    torch.testing.assert_close(twice, before)
    grey = light.office(before.clone(), ALL, draws)
    assert torch.equal(grey[:, 0], grey[:, 1])
    assert torch.equal(grey[:, 0], grey[:, 2])


def test_strokes_become_fatter_or_thinner_but_the_ground_stays(draws: Draws) -> None:
    page = flat(255.0)
    page[:, :, :, 40:44] = 0
    made = light.stroke(page.clone(), ALL, draws)
    dark = (255 - made[:, 0, 24]).sum(1) / 255
    assert torch.all(dark != 4)
    assert torch.all((dark > 3) & (dark < 5))
    assert torch.all(made[..., :38] == 255)


def test_blurring_and_low_resolution_keep_a_flat_picture(draws: Draws) -> None:
    optics = Optics(draws)
    torch.testing.assert_close(optics.blur(flat(90.0), ALL, 1.0), flat(90.0))
    edge = flat(0.0)
    edge[..., 48:] = 255
    soft = optics.blur(edge.clone(), ALL, 1.0)
    torch.testing.assert_close(soft.mean((1, 2, 3)), edge.mean((1, 2, 3)))
    assert torch.all(soft[:, 0, 24].diff(dim=1).abs().max(1).values < 255)


def test_jpeg_changes_little_of_what_is_smooth_and_nothing_of_other_lines(draws: Draws) -> None:
    ramp = torch.linspace(40, 200, BUCKET).expand(LINES, 3, 48, BUCKET).contiguous()
    made = Jpeg(draws)(ramp.clone(), SOME)
    assert torch.equal(made[OTHERS], ramp[OTHERS])
    difference = (made[SOME] - ramp[SOME]).abs()
    assert 0 < float(difference.mean()) < 5
    odd = pictures()[..., :90].contiguous()
    assert torch.equal(Jpeg(draws)(odd.clone(), ALL), odd)
