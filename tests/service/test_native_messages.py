"""Lines of C libraries reach the log, Python's own stay where they were."""

from __future__ import annotations

import logging
import os
import sys

import pytest

from ocrsvc.service import native_messages


def test_native_lines_are_logged(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    with caplog.at_level(logging.WARNING, "ocrsvc.native"):
        with native_messages.logged():
            os.write(2, b"Corrupt JPEG data: 7 extraneous bytes\n\nand \xff" + b"x" * 1200)
            print("Traceback", file=sys.stderr)
        os.write(2, b"afterwards\n")
        print("again", file=sys.stderr)
    texts = [str(vars(record)["said"]) for record in caplog.records]
    assert texts[0] == "Corrupt JPEG data: 7 extraneous bytes"
    assert "".join(texts[1:]) == "and \ufffd" + "x" * 1200
    assert max(map(len, texts)) <= 500
    assert capfd.readouterr().err == "Traceback\nafterwards\nagain\n"
