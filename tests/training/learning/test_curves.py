"""The picture of a fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from available import need_training

need_training()

import torch

from ocrsvc.training.commands import cli
from ocrsvc.training.learning import curves

LOG = [
    {"epoch": 1, "kl": 0.4, "ctc": 0.8, "drawn_exact": 0.2, "drawn_strict": 0.1},
    {"epoch": 2, "kl": 0.2, "ctc": 0.3, "drawn_exact": 0.6, "drawn_strict": 0.5},
    {"epoch": 3, "kl": 0.1, "ctc": 0.2, "drawn_exact": 0.8, "drawn_strict": 0.7},
]


def curve(log: list[dict[str, float]], colour: tuple[int, int, int], panel: int) -> list[float]:
    """The height of a colour's line at each epoch, in pixels from below."""
    width, height = curves.PANEL
    page = np.asarray(curves.draw(log))[:, panel * width : (panel + 1) * width - 130]
    found = (np.abs(page.astype(int) - colour).sum(-1) < 30).nonzero()
    ends = found[1].min() + 2, found[1].max() - 2
    columns = [round(ends[0] + (ends[1] - ends[0]) * i / (len(log) - 1)) for i in range(len(log))]
    return [height - float(found[0][found[1] == x].mean()) for x in columns]


def test_losses_fall_and_shares_rise_in_the_picture() -> None:
    blue = (0x1F, 0x77, 0xB4)  # the first of each panel
    losses, shares = curve(LOG, blue, 0), curve(LOG, blue, 1)
    assert losses == sorted(losses, reverse=True)
    assert losses[0] - losses[1] == pytest.approx(2 * (losses[1] - losses[2]), abs=3)
    assert shares == sorted(shares)


def test_one_epoch_is_enough_and_none_is_not() -> None:
    assert curves.draw(LOG[:1]).size == (2 * curves.PANEL[0], curves.PANEL[1])
    with pytest.raises(ValueError, match="no epoch"):
        curves.draw([])


def test_the_command_draws_the_log_of_every_stage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"no .*STAGE/last.pt; run `ocrsvc train fit` first"):
        cli.main(["curves", "--out", str(tmp_path)])
    for stage in ("neck", "whole"):
        (tmp_path / stage).mkdir()
        torch.save({"log": LOG}, tmp_path / stage / "last.pt")
    targets = [tmp_path / stage / "curves.png" for stage in ("neck", "whole")]
    cli.main(["curves", "--out", str(tmp_path), "--stage", "whole"])
    assert capsys.readouterr().out == f"{targets[1]}\n"
    assert not targets[0].exists()
    cli.main(["curves", "--out", str(tmp_path)])
    assert capsys.readouterr().out == f"{targets[0]}\n{targets[1]}\n"
    assert all(target.read_bytes()[1:4] == b"PNG" for target in targets)
    with pytest.raises(SystemExit, match=r"no .*neek/last.pt"):
        cli.main(["curves", "--out", str(tmp_path), "--stage", "neek"])


def test_a_stage_that_has_only_begun_has_no_picture_yet(tmp_path: Path) -> None:
    (tmp_path / "neck").mkdir()
    torch.save({"log": []}, tmp_path / "neck" / "last.pt")
    with pytest.raises(SystemExit, match="no epoch has been finished yet"):
        cli.main(["curves", "--out", str(tmp_path)])
