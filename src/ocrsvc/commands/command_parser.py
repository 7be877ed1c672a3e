"""A parser of arguments that names what was probably meant."""

from __future__ import annotations

import argparse
from typing import Any

from ocrsvc.text import nearest


class CommandParser(argparse.ArgumentParser):
    """Suggests the nearest command, choice or option for one that does not exist; so do the parsers of commands."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse as usual, but end the program at an option that does not exist, with the one that is meant."""
        options, extra = super().parse_known_args(args, namespace)
        for each in extra:
            name = each.partition("=")[0]
            if name.startswith("--") and (meant := nearest(name, self._option_string_actions)):
                self.error(f"there is no option {name}; is {meant} meant?")
        return options, extra

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            meant = nearest(str(value), map(str, action.choices))
            if meant:
                kind = "command" if isinstance(action, argparse._SubParsersAction) else "choice"
                raise argparse.ArgumentError(
                    None if kind == "command" else action, f"there is no {kind} {value!r}; is {meant} meant?"
                )
        super()._check_value(action, value)
