"""The command line as its users have it: real processes, real models, real files."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import tiny_model
from available import model_name
from drawings import RECEIPT, DrawnPage, Picture, pdf_page
from pdf_drawings import encrypted
from PIL import Image

from ocrsvc import __version__
from ocrsvc.text import fold

LINES = ("合计 TOTAL 37.20", "发票号码 No. 24417", "Thank you 谢谢惠顾")
NOT_A_PICTURE = b"this is no picture"

pytestmark = pytest.mark.timeout(120)


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OCRSVC_")}
    return {**kept, "OCRSVC_MODEL": model_name()}


def run(*arguments: str | Path, stdin: bytes = b"", status: int = 0, **variables: str) -> tuple[bytes, str]:
    """Run ``ocrsvc``, check its exit status, return standard output and error."""
    command = [sys.executable, "-m", "ocrsvc", *map(str, arguments)]
    done = subprocess.run(
        command,
        input=stdin,
        capture_output=True,
        env=environment() | variables,
        timeout=100,
        check=False,
    )
    assert done.returncode == status, done.stderr.decode()
    errors = done.stderr.decode()
    assert "Traceback" not in errors
    return done.stdout, errors


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core: BLAS has one thread anyway")
def test_numpy_has_no_threads_beside_the_models() -> None:
    code = (
        "import os; from ocrsvc.commands import cli; cli.main(['models']); import numpy; "
        "print(len(os.listdir('/proc/self/task')))"
    )
    kept = {name: value for name, value in environment().items() if name != "OPENBLAS_NUM_THREADS"}
    done = subprocess.run([sys.executable, "-c", code], env=kept, capture_output=True, timeout=60, check=True)
    assert done.stdout.split()[-1] == b"1"


@pytest.fixture(scope="module")
def pictures(
    tmp_path_factory: pytest.TempPathFactory,
    draw_line: Callable[..., Picture],
    png: Callable[[Picture], bytes],
) -> Path:
    """A folder: three lines, one of them deeper, and between them a file that is no picture."""
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "deep").mkdir()
    for name, text in zip(("1.png", "3.png", "deep/4.png"), LINES, strict=True):
        (folder / name).write_bytes(png(draw_line(text)))
    (folder / "2.png").write_bytes(NOT_A_PICTURE)
    return folder


def same(text: str, expected: str) -> bool:
    return fold(text) == fold(expected)


def test_version_is_quick_and_loads_nothing_heavy() -> None:
    out, _ = run("--version")
    assert out.decode().strip() == f"ocrsvc {__version__}"
    code = (
        "import sys; sys.argv=['ocrsvc','--help']\n"
        "from ocrsvc.commands.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'onnxruntime','cv2','numpy','fastapi','pydantic','PIL','rich','torch'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {heavy}' if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr


def test_help_teaches() -> None:
    out, _ = run("--help")
    commands = ("serve", "read", "models", "bench", "doctor", "evaluate", "train")
    assert all(command in out.decode() for command in commands)
    for command in commands[:-1]:
        out, _ = run(command, "--help")
        assert "examples:" in out.decode()
        assert f"ocrsvc {command}" in out.decode()


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("read",),
        ("read", "x.png", "--format", "odt"),
        ("read", "-", "--files-from", "-"),
        ("evaluate",),
        ("dance",),
    ],
)
def test_wrong_usage_is_status_2(arguments: tuple[str, ...]) -> None:
    out, errors = run(*arguments, status=2)
    assert out == b""
    assert errors.startswith("usage:")


def test_text_of_one_file(pictures: Path) -> None:
    out, errors = run("read", pictures / "1.png")
    assert same(out.decode(), LINES[0])
    assert out.endswith(b"\n")
    assert errors == ""


def test_jsonl_of_a_folder_keeps_order_and_tells_the_bad_file(pictures: Path) -> None:
    out, errors = run("read", pictures, "--format", "jsonl", "--mode", "line", status=1)
    rows = [json.loads(line) for line in out.decode().splitlines()]
    assert [row["file"] for row in rows] == [
        str(pictures / name) for name in ("1.png", "2.png", "3.png", "deep/4.png")
    ]
    assert rows[1]["error"]["type"] == "/problems/unsupported-media-type"
    assert set(rows[1]) == {"file", "error"}
    good = [rows[0], *rows[2:]]
    for row, expected in zip(good, LINES, strict=True):
        assert same(row["text"], expected)
        assert set(row) >= {"file", "text", "model", "lines", "pages"}
        (line,) = row["lines"]
        assert len(line["polygon"]) == 4
        assert 0.5 < line["confidence"] <= 1
        assert row["model"]["name"] == model_name()
        assert row["pages"][0]["height"] > 0
    assert errors.count("\n") == 2
    assert "2.png" in errors
    assert "1 of 4 files could not be read" in errors


def test_json_of_a_page_has_its_lines(
    tmp_path: Path, draw_page: Callable[..., DrawnPage], jpeg: Callable[..., bytes]
) -> None:
    (tmp_path / "receipt.jpg").write_bytes(jpeg(draw_page().image))
    out, _ = run("read", tmp_path / "receipt.jpg", "--format", "json")
    reading = json.loads(out)
    assert len(reading["lines"]) == len(RECEIPT)
    read, wanted = [fold(line["text"]) for line in reading["lines"]], [fold(line) for line in RECEIPT]
    assert sum(a == b for a, b in zip(read, wanted, strict=True)) >= len(RECEIPT) - 1


def test_what_is_left_out_of_a_page_is_told(
    tmp_path: Path, draw_page: Callable[..., DrawnPage], jpeg: Callable[..., bytes]
) -> None:
    path = tmp_path / "receipt.jpg"
    path.write_bytes(jpeg(draw_page().image))
    out, errors = run("read", path, OCRSVC_MAX_PAGE_LINES="2")
    assert len(out.splitlines()) == 2
    left = len(RECEIPT) - 2
    assert errors == f"ocrsvc: {path}: page 1 has {left} lines more than the limit; they are left out\n"


def test_tsv_of_a_pattern(pictures: Path) -> None:
    out, _ = run("read", f"{pictures}/[13].png", "--format", "tsv", "--mode", "line")
    head, *rows = [row.split("\t") for row in out.decode().splitlines()]
    assert head[:2] == ["file", "level"]
    words = {
        name: "".join(row[-1] for row in rows if row[:2] == [str(pictures / name), "5"])
        for name in ("1.png", "3.png")
    }
    assert same(words["1.png"], LINES[0])
    assert same(words["3.png"], LINES[1])


def test_standard_input_and_charset(
    draw_line: Callable[..., Picture], png: Callable[[Picture], bytes]
) -> None:
    out, _ = run("read", "-", "--mode", "line", "--charset", "digits", stdin=png(draw_line("24417")))
    assert out == b"24417\n"


def test_alternatives_and_characters(pictures: Path, tmp_path: Path) -> None:
    asked = ("--mode", "line", "--n-best", "2", "--characters")
    out, _ = run("read", pictures / "1.png", "--format", "jsonl", *asked)
    (line,) = json.loads(out)["lines"]
    assert line["alternatives"][0]["text"] == line["text"]
    assert len(line["alternatives"]) == 2
    assert all(each["alternatives"][0]["text"] == each["text"] for each in line["characters"])
    run("read", pictures / "1.png", "--format", "json", "--output", tmp_path / "out", *asked)
    (written,) = json.loads((tmp_path / "out" / "1.png.json").read_text("utf-8"))["lines"]
    assert written == line
    _, errors = run("read", pictures / "1.png", "--n-best", "9", status=2)
    assert "whole number from 1 to 5, not '9'" in errors


def test_list_of_files_into_a_folder(pictures: Path, tmp_path: Path) -> None:
    names = "\n".join(str(pictures / name) for name in ("3.png", "2.png", "gone.png", "1.png"))
    out, errors = run(
        "read",
        "--files-from",
        "-",
        "--output",
        tmp_path / "out",
        "--mode",
        "line",
        stdin=names.encode(),
        status=1,
    )
    assert out == b""
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["1.png.txt", "3.png.txt"]
    assert same((tmp_path / "out" / "3.png.txt").read_text("utf-8"), LINES[1])
    assert f"{pictures / 'gone.png'}: No such file or directory" in errors
    assert "2 of 4 files could not be read" in errors


def test_resume_leaves_out_what_has_been_read(pictures: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    out.mkdir()
    many(pictures, folder, 4)
    for name in ("0000", "0001"):
        (out / f"{name}.png.txt").write_text("as it was")
    (out / ".0002.png.txt.part").write_text("half")
    os.utime(out / "0001.png.txt", (1, 1))  # the picture is newer than its reading
    command = ("read", folder, "--output", out, "--mode", "line")
    _, errors = run(*command, "--resume")
    assert errors == "ocrsvc: 1 of 4 files have their reading already\n"
    assert (out / "0000.png.txt").read_text() == "as it was"
    assert all(same((out / f"{i:04}.png.txt").read_text("utf-8"), LINES[0]) for i in (1, 2, 3))
    assert sorted(path.name for path in out.iterdir()) == [f"{i:04}.png.txt" for i in range(4)]
    _, errors = run(*command, "--resume")
    assert errors == "ocrsvc: 4 of 4 files have their reading already\n"
    _, errors = run("read", folder, "--resume", status=2)
    assert "with --output" in errors


def test_a_searchable_pdf(pictures: Path, tmp_path: Path) -> None:
    target = tmp_path / "line.pdf"
    run("read", pictures / "1.png", "--mode", "line", "--output", target)
    found = subprocess.run(["pdftotext", str(target), "-"], capture_output=True, check=True).stdout.decode()
    assert same(found, LINES[0])
    _, errors = run("read", target, "--output", target, status=2)
    assert "is one of the files to read" in errors
    assert target.read_bytes().startswith(b"%PDF")
    for name in ("pdf", "hocr", "alto"):
        _, errors = run("read", pictures / "1.png", pictures / "3.png", "--format", name, status=2)
        assert f"{name} holds one input" in errors


def test_a_pdf_that_may_not_be_changed_is_told(tmp_path: Path) -> None:
    path = tmp_path / "broken.pdf"
    # PDFium reads the page, and qpdf gives up in the loop of the tree.
    path.write_bytes(pdf_page(b"0 0 m 9 9 l S").replace(b"/Kids[3 0 R]", b"/Kids[3 0 R 2 0 R]"))
    assert run("read", path) == (b"", "")
    _, errors = run("read", path, "--output", tmp_path / "out.pdf", status=1)
    assert (
        errors
        == f"ocrsvc: {path}: The PDF is too damaged to add text to it; ask for another format, such as hocr.\n"
    )
    assert not (tmp_path / "out.pdf").exists()


@pytest.mark.parametrize("suffix", [".txt", ".json", ".jsonl", ".tsv"])
def test_all_into_one_file(pictures: Path, tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"all{suffix}"
    names = (pictures / "1.png", pictures / "3.png")
    out, errors = run("read", *names, "--mode", "line", "--output", target)
    assert (out, errors) == (b"", "")
    assert target.is_file()
    name = {".txt": "text"}.get(suffix, suffix[1:])
    expected, _ = run("read", *names, "--mode", "line", "--format", name)
    untimed = re.compile(rb'"timing_ms":\s*\{[^}]*\}')
    assert untimed.sub(b"", target.read_bytes()) == untimed.sub(b"", expected)


def test_a_file_that_is_no_output_is_not_overwritten(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.rst").write_text("mine")
    _, errors = run("read", pictures / "1.png", "--output", tmp_path / "notes.rst", status=2)
    assert errors.count("\n") == 1
    assert "is a file" in errors
    assert (tmp_path / "notes.rst").read_text() == "mine"


def test_a_pdf_with_a_password(tmp_path: Path) -> None:
    path = tmp_path / "secret.pdf"
    path.write_bytes(encrypted("open sesame"))
    found, _ = run("read", path, "--password", "open sesame", "--format", "jsonl", "--pdf-text", "always")
    assert json.loads(found)["lines"][0]["source"] == "pdf_text"
    _, errors = run("read", path, "--password", "sesame street", status=1)
    assert "does not open" in errors
    assert "sesame" not in errors


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    out, errors = run("read", tmp_path, status=1)
    assert out == b""
    assert errors.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said", "status"),
    [
        (("--model", "gone"), "'gone'", 2),
        (("--charset", "klingon"), "klingon", 2),
        (("--pages", "0"), "pages", 1),  # depends on the document
    ],
)
def test_what_is_not_allowed_is_told_in_one_line(
    pictures: Path, arguments: tuple[str, ...], said: str, status: int
) -> None:
    out, errors = run("read", pictures / "1.png", *arguments, status=status)
    assert out == b""
    assert errors.count("\n") == 1
    assert said in errors


def test_a_wrong_setting_is_told_in_one_line(pictures: Path) -> None:
    wrong = {**environment(), "OCRSVC_WORKERS": "none"}
    command = [sys.executable, "-m", "ocrsvc", "read", str(pictures / "1.png")]
    done = subprocess.run(command, env=wrong, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("ocrsvc: OCRSVC_WORKERS")
    assert done.stderr.count("\n") == 1


def test_the_pages_of_a_document_are_lines_of_jsonl_and_are_reported(pictures: Path, tmp_path: Path) -> None:
    page = Image.open(pictures / "1.png").convert("RGB")
    page.save(tmp_path / "book.tif", save_all=True, append_images=[page, page])
    out, errors = run("read", tmp_path / "book.tif", "--format", "jsonl", "--mode", "line", "--progress")
    rows = [json.loads(line) for line in out.decode().splitlines()]
    assert [(row["page"], row["page_count"]) for row in rows] == [(1, 3), (2, 3), (3, 3)]
    assert all(same(row["text"], LINES[0]) for row in rows)
    said = [line.partition(": ")[2].partition(": ")[2] for line in errors.splitlines()]
    assert said == [f"{n} of 3 pages (page {n})" for n in (1, 2, 3)]


def test_on_a_terminal_there_is_a_progress_bar_and_lines_stay_whole(pictures: Path, tmp_path: Path) -> None:
    many(pictures, tmp_path, 3)
    terminal, inner = pty.openpty()
    command = [sys.executable, "-m", "ocrsvc", "read", str(tmp_path), "--mode", "line", "--format", "jsonl"]
    with subprocess.Popen(command, stdout=inner, stderr=inner, env=environment()) as process:
        os.close(inner)
        shown = b""
        with contextlib.suppress(OSError):  # how Linux says that the other end of a terminal is closed
            while piece := os.read(terminal, 65536):
                shown += piece
    os.close(terminal)
    assert process.returncode == 0
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert re.search(r"3/3 files.*\d/s", plain)
    objects = [part for part in re.split(r"[\r\n]+", plain) if part.startswith("{")]
    assert len(objects) == 3
    assert all(same(json.loads(each)["text"], LINES[0]) for each in objects)


def many(pictures: Path, folder: Path, count: int) -> None:
    content = (pictures / "1.png").read_bytes()
    for number in range(count):
        (folder / f"{number:04}.png").write_bytes(content)


def test_interrupt_ends_cleanly(pictures: Path, tmp_path: Path) -> None:
    many(pictures, tmp_path, 2000)
    command = [sys.executable, "-m", "ocrsvc", "read", str(tmp_path), "--mode", "line"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert same(process.stdout.readline().decode(), LINES[0])
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        errors = process.stderr.read().decode()
    assert process.returncode == 130
    assert errors == "ocrsvc: interrupted\n"
    assert rest.count(b"\n") < 1999, "it read on to the end"


def test_interrupt_while_waiting_for_standard_input() -> None:
    command = [sys.executable, "-m", "ocrsvc", "read", "-"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment()) as process:
        assert process.stdin is not None
        process.stdin.write(bytes(2**20))  # more than a pipe holds: it is being read
        process.stdin.flush()
        while psutil.Process(process.pid).status() != psutil.STATUS_SLEEPING:  # until there is no more
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=100) == 130


def test_a_broken_pipe_is_no_error(pictures: Path, tmp_path: Path) -> None:
    many(pictures, tmp_path, 400)
    line = f"{sys.executable} -m ocrsvc read {tmp_path} --mode line | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", line], env=environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "141"
    assert same(done.stdout.splitlines()[0], LINES[0])


def test_models_as_table_and_json() -> None:
    out, _ = run("models")
    assert f"{model_name()}*" in out.decode()
    out, _ = run("models", "--json")
    by_name = {row["name"]: row for row in json.loads(out)}
    default = by_name[model_name()]
    assert default["default"] is True
    assert default["kind"] == "recogniser"
    assert default["characters"] > 6000
    assert by_name["ppocrv6-det-small"]["kind"] == "detector"


def test_doctor_finds_this_machine_well() -> None:
    out, _ = run("doctor")
    text = out.decode()
    assert "All well." in text
    assert "read a line" in text
    assert "read a page" in text


def test_doctor_with_a_problem_is_status_1() -> None:
    wrong = {**environment(), "OCRSVC_MODEL": "gone"}
    command = [sys.executable, "-m", "ocrsvc", "doctor", "--json"]
    done = subprocess.run(command, env=wrong, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    body = json.loads(done.stdout)
    assert body["ok"] is False
    assert [check["name"] for check in body["checks"] if check["status"] == "problem"] == ["models"]
    assert body["settings"]["model"] == "gone"


def test_evaluate_scores_what_it_reads(
    tmp_path: Path, draw_line: Callable[..., Picture], png: Callable[[Picture], bytes]
) -> None:
    data = tmp_path / "data" / "drawn"
    (data / "img").mkdir(parents=True)
    rows = []
    for number, text in enumerate(LINES):
        (data / "img" / f"{number}.png").write_bytes(png(draw_line(text)))
        rows.append({"file": f"img/{number}.png", "text": text})
    rows.append({"file": "img/gone.png", "text": "gone"})
    (data / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    predictions = tmp_path / "out.jsonl"
    out, errors = run(
        "evaluate", data.parent, "--json", "--predictions", predictions, "--precision", "fp32", status=1
    )
    summary = json.loads(out)
    assert summary["mean"]["exact"] == 0.75  # the three that are there
    assert (summary["images"], summary["failed"], summary["kind"]) == (4, 1, "lines")
    assert summary["lines_per_second"] > 0
    assert "gone.png: No such file or directory" in errors
    written = [json.loads(line) for line in predictions.read_text("utf-8").splitlines()]
    assert [row["file"] for row in written] == [f"drawn/{row['file']}" for row in rows]
    assert same(written[0]["text"], LINES[0])

    (data / "manifest.jsonl").write_text(json.dumps(rows[0]) + "\n", encoding="utf-8")
    out, _ = run("evaluate", data.parent, "--limit", "1", "--strata", "--json")
    strata = json.loads(out)["strata"]
    assert list(strata) == ["source", "script", "characters", "height"]
    assert set(strata["script"]) == {"mixed"}
    out, _ = run("evaluate", data.parent, "--limit", "1", "--strata")
    head, drawn, mean, *more = out.decode().splitlines()
    assert [line.split()[:3] for line in more[1:4]] == [
        ["source", "drawn", "1"],
        ["script", "mixed", "1"],
        ["characters", "11-25", "1"],
    ]
    assert head.split() == ["source", "images", "exact", "ned", "strict", "ece"]
    assert drawn.split()[:2] == ["drawn", "1"]
    assert mean.split()[0] == "MEAN"


def test_evaluate_takes_a_folder_with_an_attention_decoder(
    tmp_path: Path, png: Callable[[Picture], bytes]
) -> None:
    """CTC reads 8A, the decoder 8B."""
    data = tmp_path / "data" / "stripes"
    data.mkdir(parents=True)
    (data / "1.png").write_bytes(png(tiny_model.draw("8A", "8B")))
    (data / "manifest.jsonl").write_text('{"file": "1.png", "text": "8B"}\n', encoding="utf-8")
    tiny_model.write(tmp_path, decoder=True)
    out, _ = run("evaluate", data.parent, "--model", tmp_path / "tiny", "--json")
    assert json.loads(out)["mean"]["exact"] == 1


def test_strata_of_pages_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "manifest.jsonl").write_text('{"file": "1.png", "text": "a", "boxes": []}\n', "utf-8")
    _, errors = run("evaluate", tmp_path, "--strata", status=2)
    assert "--strata needs labelled lines" in errors


def test_evaluate_without_labels_is_told(tmp_path: Path) -> None:
    _, errors = run("evaluate", tmp_path, status=1)
    assert errors == f"ocrsvc: {tmp_path}: there is no SOURCE/manifest.jsonl in this folder\n"


def test_train_says_what_it_needs() -> None:
    """torch is made invisible: it cannot be uninstalled for a test."""
    code = (
        "import importlib.util as u; real = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'torch' else real(name, *rest)\n"
        "from ocrsvc.commands.cli import main; raise SystemExit(main(['train', '--help']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 1
    assert done.stderr == "ocrsvc: training needs torch: pip install 'ocrsvc[train]'\n"
