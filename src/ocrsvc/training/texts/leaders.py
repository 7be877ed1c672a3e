"""Random texts with leaders, runs of one character, single characters, and characters apart from each other.

A leader of more than six dots is labelled ``……``, one of more than six dashes ``——``: nobody counts them. Shorter runs
are labelled with as many characters as they have.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Set

LONGEST_COUNTED = 6  # dots or dashes in a row that labels count
_LONE = "-—·/|\\.,:;!?()[]{}<>+=*#%&@~^_'\"$￥…、。，：；！？（）《》「」×√〇"
_NUMERALS = "一二三四五六七八九十"
# Neither o nor l: alone they look like 0 and 1.
_REPEATED = "01234567891110005588一一二十口日iIII*#=_-.~…—·。!！?？哈啊呵嘿嗯的了mMaA"
_SEPARATORS = "- = _ * · ～ . # +".split()


class Leaders:
    """Generator of such texts; ``label`` and ``english`` draw words, ``allowed`` are the characters to use."""

    def __init__(
        self,
        rng: random.Random,
        label: Callable[[], str],
        english: Callable[[], str],
        allowed: Set[str],
    ) -> None:
        self.rng = rng
        self.label = label
        self.english = english
        self.allowed = allowed
        self.every = sorted(allowed - {" "})
        self.alike = [c for c in _REPEATED if c in allowed] or self.every
        self.lone = [c for c in _LONE if c in allowed] or self.every

    def contents(self) -> str:
        """Draw a row of a table of contents: 第一章 总则……12, 2.1 Board of directors ...... 15."""
        rng = self.rng
        page = rng.choice(
            (str(rng.randint(1, 20)), str(rng.randint(1, 400)), f"({rng.randint(1, 99)})", "Ⅱ", "iv")
        )
        if rng.random() < 0.6:
            number = rng.choice(_NUMERALS)
            start = rng.choice(
                (
                    f"第{number}章 ",
                    f"第{number}节",
                    f"{number}、",
                    f"{rng.randint(1, 9)}.{rng.randint(1, 9)} ",
                    "",
                    "附录 ",
                    "目录",
                )
            )
            heading = start + self.label()
            dots = rng.choice(("……", "……", "……", "…", "...", "......", "···", "......", "——", ". . . . ."))
        else:
            start = rng.choice(
                (
                    f"Chapter {rng.randint(1, 20)} ",
                    f"{rng.randint(1, 9)}.{rng.randint(1, 9)} ",
                    "",
                    "Appendix A ",
                )
            )
            heading = start + " ".join(self.english().capitalize() for _ in range(rng.randint(1, 4)))
            dots = rng.choice(("……", "……", "......", "....", "...", ". . . .", "_ _ _"))
        gap = rng.choice(("", "", " "))
        return f"{heading}{gap}{dots}{rng.choice((gap, ' '))}{page}"

    def amount(self) -> str:
        """Draw a name, dashes or dots, and a sum: 合计--11.90, Balance --- 100.00."""
        rng = self.rng
        value = rng.choice(
            (
                f"{rng.uniform(0, 1000):.2f}",
                f"{rng.uniform(0, 99999):,.2f}",
                f"￥{rng.uniform(0, 1000):.2f}",
                f"{rng.randint(1, 9999)}",
                f"${rng.uniform(0, 1000):.2f}",
            )
        )
        name = self.label() if rng.random() < 0.6 else self.english().capitalize()
        run = rng.choice(("-", "-", "-", ".", "·", "=", "_", "*")) * rng.randint(2, LONGEST_COUNTED)
        if rng.random() < 0.35:
            run = rng.choice(("……", "——"))
        gap = rng.choice(("", "", " "))
        return f"{name}{gap}{run}{gap}{value}" if rng.random() < 0.85 else f"{run}{gap}{value}"

    def repeated(self) -> str:
        """Draw a run of one character, alone or beside a text: 1111, 一一一, ====, 3.14159....., 哈哈哈."""
        rng = self.rng
        one = rng.choice(self.alike) if rng.random() < 0.75 else rng.choice(self.every)
        run = one * rng.choice((2, 3, 3, 4, 5, 6, 8))
        if one in "…—":
            run = one * rng.choice((1, 2, 3))
        elif not one.isalnum():
            run = run[:LONGEST_COUNTED]
        draw = rng.random()
        if draw < 0.45:
            return run
        if draw < 0.6:
            other = rng.choice(self.alike)
            return run + other * rng.randint(1, 4) if other != one else run
        if draw < 0.75:
            return f"{rng.uniform(0, 100):.{rng.randint(1, 5)}f}{rng.choice('.-=*·') * rng.randint(2, 6)}"
        if draw < 0.9:
            return self.label() + rng.choice(("", " ")) + run
        return f"{rng.randint(1, 9)}{'0' * rng.randint(3, 12)}"

    def single(self) -> str:
        """Draw one character: a lone sign, a letter, a digit, a common Chinese character or any other."""
        rng, draw = self.rng, self.rng.random()
        if draw < 0.3:
            return rng.choice(self.lone)
        if draw < 0.5:
            return rng.choice("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
        if draw < 0.75:
            return rng.choice(self.label() or "一")
        if draw < 0.85:
            return rng.choice(self.lone) + rng.choice(("", rng.choice(self.lone)))
        return rng.choice(self.every)

    def apart(self) -> str:
        """Draw digits or letters with spaces between them: 1 2 3 4, T O T A L, 6 2 2 . 5 0, 1234 5678."""
        rng = self.rng
        digits = "".join(rng.choices("0123456789", k=rng.randint(3, 12)))
        draw = rng.random()
        if draw < 0.35:
            return " ".join(digits)
        if draw < 0.5:
            return " ".join(f"{rng.uniform(0, 9999):.2f}")
        if draw < 0.7:
            return " ".join(self.english().upper()[:10])
        if draw < 0.85:  # groups
            size = rng.choice((2, 3, 4, 4))
            return " ".join(digits[i : i + size] for i in range(0, len(digits), size))
        return f"{self.label()[:4]} {' '.join(digits[:8])}"

    def separator(self) -> str:
        """Draw a row of signs as till receipts and logs have it between their parts, at times around a word."""
        rng = self.rng
        sign = rng.choice(_SEPARATORS) * rng.randint(3, LONGEST_COUNTED)
        word = self.label()[:6] if rng.random() < 0.6 else self.english().upper()
        gap = rng.choice(("", " "))
        return rng.choice((f"{sign}{gap}{word}{gap}{sign}", f"{sign}{gap}{word}", f"{word}{gap}{sign}"))

    def line(self) -> str:
        """Draw a row with a leader or a separator."""
        draw = self.rng.random()
        return self.contents() if draw < 0.5 else self.amount() if draw < 0.85 else self.separator()
