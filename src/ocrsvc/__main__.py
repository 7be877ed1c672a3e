"""``python -m ocrsvc`` is ``ocrsvc``."""

from ocrsvc.commands.cli import main

raise SystemExit(main())
