"""Exit status of a command, and the message if it is not 0."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from ocrsvc.diagnosis.configuration import InvalidSettings
from ocrsvc.errors import OcrError, Unprocessable

FAILED, WRONG_USAGE, INTERRUPTED, BROKEN_PIPE = 1, 2, 130, 141


def status_of(work: Callable[[], int]) -> int:
    """Return the exit status of ``work``; turn user errors and Ctrl-C into one-line messages."""
    try:
        status = work()
        sys.stdout.flush()
    except InvalidSettings as error:
        return _fail(str(error), WRONG_USAGE)
    except OcrError as error:
        # An unknown name of a model or charset is wrong usage; other errors are failures.
        return _fail(error.detail, WRONG_USAGE if isinstance(error, Unprocessable) else FAILED)
    except BrokenPipeError:
        # The interpreter flushes stdout again at exit and would report the same broken pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return _fail("interrupted", INTERRUPTED)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _fail(f"{where}{error.strerror or error}", FAILED)
    return status


def _fail(message: str, status: int) -> int:
    print("ocrsvc:", " ".join(message.split()), file=sys.stderr)
    return status
