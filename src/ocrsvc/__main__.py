"""``python -m ocrsvc`` is ``ocrsvc``."""

from ocrsvc.cli import main

raise SystemExit(main())
