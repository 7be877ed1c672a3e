"""What is chosen from what there is, and what this machine's ONNX Runtime does with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny_model
from drawings import encode

from ocrsvc.commands import cli
from ocrsvc.diagnosis import doctor
from ocrsvc.errors import UnusableProvider
from ocrsvc.machine import cpu
from ocrsvc.models.providers import CPU, choose, gains_from_int8
from ocrsvc.reading.reader import Reader
from ocrsvc.recognition.recogniser import Recogniser
from ocrsvc.settings import Settings

CUDA, CANN = "CUDAExecutionProvider", "CANNExecutionProvider"
AZURE = "AzureExecutionProvider"  # in every wheel, and takes none of our operators


@pytest.mark.parametrize(
    ("wanted", "available", "chosen"),
    [
        ("cpu", [CPU], [CPU]),
        ("cuda,cpu", [CUDA, CPU], [CUDA, CPU]),
        ("cuda", [CUDA, CPU], [CUDA]),
        ("cuda,cann,cpu", [AZURE, CPU], [CPU]),
        ("cann,cpu", [CANN, CPU], [CANN, CPU]),
    ],
)
def test_what_is_there_is_taken_in_order(wanted: str, available: list[str], chosen: list[str]) -> None:
    assert choose(wanted, fixed_shapes=True, available=available) == chosen


@pytest.mark.parametrize("wanted", ["cuda", "cpu,cuda", "cuda,openvino"])
def test_what_is_not_there_is_an_error_that_names_what_is(wanted: str) -> None:
    with pytest.raises(UnusableProvider, match=f"'cuda' cannot be used.*has only {AZURE}, {CPU}") as caught:
        choose(wanted, fixed_shapes=True, available=[CPU, AZURE])
    assert caught.value.extra == {"providers": [AZURE, CPU]}


def test_cann_is_for_fixed_shapes() -> None:
    assert choose("cann,cpu", fixed_shapes=False, available=[CANN, CPU]) == [CPU]
    with pytest.raises(UnusableProvider, match="--static-buckets"):
        choose("cann", fixed_shapes=False, available=[CANN, CPU])


def test_8_bit_weights_are_for_those_that_run_them() -> None:
    assert gains_from_int8([CPU])
    assert gains_from_int8(["OpenVINOExecutionProvider", CPU])
    assert not gains_from_int8([CUDA, CPU])


def test_a_provider_that_takes_nothing_leaves_all_to_the_cpu() -> None:
    lines = [tiny_model.draw("12中")]
    plain = Recogniser(tiny_model.manifest(), cpu=cpu.inspect())
    other = Recogniser(tiny_model.manifest(), cpu=cpu.inspect(), providers=[AZURE, CPU])
    assert (plain.providers, other.providers) == ([CPU], [AZURE, CPU])
    assert other.run(128, lines) == plain.run(128, lines)


def test_the_command_line_names_what_there_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(encode(np.full((48, 100, 3), 255, np.uint8), ".png"))
    assert cli.main(["read", "--providers", "cuda", str(picture)]) == 2
    assert CPU in capsys.readouterr().err
    monkeypatch.setenv("OCRSVC_PROVIDERS", "gpu")
    assert cli.main(["read", str(picture)]) == 2
    assert "OCRSVC_PROVIDERS" in capsys.readouterr().err


def test_the_doctor_tells_what_runs(tmp_path: Path) -> None:
    tiny_model.write(tmp_path)
    told = {}
    for providers in ("cpu", "cuda,cpu"):
        settings = Settings(model=str(tmp_path / "tiny"), providers=providers)
        reader = Reader(settings)
        reader.sessions.open_recogniser(settings.model)
        check = doctor.providers(reader, settings)
        told[providers] = (check.status, CPU in check.found)
    assert told == {"cpu": ("ok", True), "cuda,cpu": ("warning", True)}
