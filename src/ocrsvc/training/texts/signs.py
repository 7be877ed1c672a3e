"""Random texts with signs: ticked boxes, lists, status marks, exponents, units, numerals, arrows."""

from __future__ import annotations

import random
from collections.abc import Callable, Set

from ocrsvc.recognition.charsets import named
from ocrsvc.training.texts.reports import Reports

_CIRCLED = "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳"
_FILLED = "❶❷❸❹❺❻❼❽❾❿"
_ROMAN, _SMALL_ROMAN = "ⅠⅡⅢⅣⅤⅥⅦⅧⅨⅩⅪⅫ", "ⅰⅱⅲⅳⅴⅵⅶⅷⅸⅹ"
_BULLETS = "●○◆◇■□▲△▼▽★☆※·◎►▶▷→☎♀♂✓"
_RAISED, _LOWERED = "⁰¹²³⁴⁵⁶⁷⁸⁹", "₀₁₂₃₄₅₆₇₈₉"
_YEAR = "〇一二三四五六七八九"
_RELATIONS = "≥≤≠≈=<>±×÷≡≌∝≪≫∈∉⊂⊃∩∪⊥"
_ARROWS = "→←↑↓↔↕↗↘↖↙⇒⇔"
_GREEK = "αβγδεζηθκλμξπρστφχψωΔΩΦΓΘΛΞΨ"
_UNITS = (
    "℃ °F ‰ ㎡ m² m³ cm² km² μm μg/L Ω kΩ MΩ Å ° % rad/s² N·m kg/m³ mol·L⁻¹ ×10⁹/L ×10¹²/L ￥ € £ $ ₩ ₽"
).split()
_FORMULAS = "H₂O CO₂ SO₂ NaHCO₃ H₂SO₄ Ca²⁺ Na⁺ Cl⁻ NO₃⁻ PM₂.₅ O₃ NH₄⁺ Fe₂O₃ C₆H₁₂O₆ KMnO₄ SO₄²⁻".split()
_REFERENCES = "附录 附件 第 类型 阶段 级别 表 图 方案 型号 Type Class Stage Grade".split()


class Signs:
    """Generator of texts with signs; ``label`` draws a short text, ``allowed`` are the characters to use."""

    def __init__(self, rng: random.Random, label: Callable[[], str], allowed: Set[str]) -> None:
        self.rng = rng
        self.label = label
        self.allowed = allowed
        self.every = sorted(allowed & set(named()["signs"] + "〇"))
        self.reports = Reports(rng, label, allowed)
        self.kinds = (
            self.beside,
            self.beside,
            self.beside,
            self.boxes,
            self.bullet,
            self.listed,
            self.roman,
            self.power,
            self.unit,
            self.year,
            self.arrows,
            self.relation,
            self.row,
            self.state,
            *self.reports.kinds,
        )

    def line(self) -> str:
        """Draw a line of one of these kinds."""
        return self.rng.choice(self.kinds)()

    def _one(self, characters: str) -> str:
        usable = [c for c in characters if c in self.allowed]
        return self.rng.choice(usable) if usable else ""

    def _digits(self, least: int = 1, most: int = 4) -> str:
        return "".join(self.rng.choices("0123456789", k=self.rng.randint(least, most)))

    def beside(self) -> str:
        """Draw a sign beside a text; signs are uniform, so that rare ones are as frequent as common ones."""
        return self.about(self.rng.choice(self.every))

    def about(self, sign: str) -> str:
        """Draw a text with the sign."""
        rng, number = self.rng, self._digits(1, 2)
        label = self.label()[:6] if rng.random() < 0.7 else rng.choice(_REFERENCES)
        forms = (
            sign + label,
            f"{sign} {label}",
            label + sign,
            f"{label} {sign} {number}",
            label + sign + self.label()[:4],
            number + sign,
            f"{sign} {sign} {label}",
            f"{number}{sign}{self._digits(1, 2)}",
            f"{label}({sign})",
        )
        return rng.choice(forms)

    def boxes(self) -> str:
        """Draw boxes, some of them ticked: ☑ 同意 ☐ 不同意."""
        rng = self.rng
        ticked, empty = rng.choice(
            (("☑", "☐"), ("☑", "☐"), ("☑", "□"), ("☒", "☐"), ("■", "□"), ("√", "□"), ("✓", "☐"))
        )
        gap = rng.choice(("", " "))
        items = [rng.choice((ticked, empty)) + gap + self.label()[:6] for _ in range(rng.randint(1, 4))]
        return rng.choice((" ", "  ")).join(items)

    def bullet(self) -> str:
        """Draw a bullet before an item, or between two items."""
        rng, mark = self.rng, self._one(_BULLETS)
        return rng.choice(
            (f"{mark}{self.label()}", f"{mark} {self.label()}", f"{self.label()}{mark}{self.label()}")
        )

    def listed(self) -> str:
        """Draw circled numbers before items."""
        rng, first = self.rng, self.rng.randint(0, 9)
        numbers = rng.choice((_CIRCLED, _CIRCLED, _CIRCLED, _FILLED))
        items = [n + self.label()[:8] for n in numbers[first : first + rng.randint(1, 4)]]
        return rng.choice(("", " ", "；")).join(items)

    def roman(self) -> str:
        """Draw a text with a Roman numeral: 附录Ⅱ, Ⅲ类, (ⅳ)."""
        rng = self.rng
        number = self._one(rng.choice((_ROMAN, _ROMAN, _SMALL_ROMAN)))
        forms = (
            f"{rng.choice(_REFERENCES)}{number}",
            f"{number}{rng.choice('类期级型度区')}{self.label()}",
            f"{number}.{self.label()}",
            f"({number}){self.label()}",
            f"{number}、{self.label()}",
            f"{rng.choice(_REFERENCES)} {number}-{self._digits(1, 2)}",
        )
        return rng.choice(forms)

    def power(self) -> str:
        """Draw a text with exponents, indices or a formula."""
        rng = self.rng
        raised = rng.choice(("", "", "⁻")) + "".join(self._one(_RAISED) for _ in range(rng.choice((1, 1, 2))))
        forms = (
            f"{self._digits(1, 2)}×10{raised}",
            f"{self.label()} {self._digits(1, 1)}.{self._digits(1, 2)}×10{raised} {self.label()[:2]}",
            f"{rng.choice('xyabnmrt')}{raised}+{rng.choice('xyabnmrt')}{self._one(_RAISED)}",
            f"{rng.choice('xyabnVRPT')}{self._one(_LOWERED)}={self._digits()}",
            rng.choice(_FORMULAS),
            f"{self.label()[:6]}{rng.choice(_FORMULAS)}",
            f"{self._digits()}m{rng.choice('²³')}",
        )
        return rng.choice(forms)

    def unit(self) -> str:
        """Draw a figure with a unit: 3‰, 77°F, ±0.5℃."""
        rng = self.rng
        number = rng.choice(
            (self._digits(), f"{self._digits(1, 3)}.{self._digits(1, 2)}", f"±{self._digits(1, 2)}")
        )
        unit = rng.choice(_UNITS)
        forms = (
            f"{number}{unit}",
            f"{number} {unit}",
            f"{self.label()} {number}{unit}",
            f"{self.label()}：{number}{unit}",
        )
        return rng.choice(forms)

    def year(self) -> str:
        """Draw a year, month or date in Chinese numerals: 二〇二四年六月."""
        rng = self.rng
        year = rng.choice(("一九", "二〇", "二〇")) + "".join(rng.choices(_YEAR, k=2))
        month = rng.choice(("一", "二", "三", "四", "五", "六", "七", "八", "九", "十", "十一", "十二"))
        return year + rng.choice(
            ("年", f"年{month}月", f"年{month}月{rng.choice(('一', '十', '二十', '三十'))}日")
        )

    def arrows(self) -> str:
        """Draw a text with an arrow: A→B, ↑12%."""
        rng, arrow = self.rng, self._one(_ARROWS)
        forms = (
            f"{self.label()}{arrow}{self.label()}",
            f"{rng.choice('ABCXY')}{arrow}{rng.choice('ABCXY')}",
            f"{arrow}{self._digits(1, 2)}%",
            f"{self._digits()}.{self._digits(1, 2)}{self._one('↑↓')}",
            f"{arrow} {self.label()}",
        )
        return rng.choice(forms)

    def relation(self) -> str:
        """Draw a line of mathematics: x≥5, ∑, ∵ … ∴."""
        rng, sign, greek = self.rng, self._one(_RELATIONS), self._one(_GREEK)
        forms = (
            f"{rng.choice('xyzabn')}{sign}{self._digits()}",
            f"{self.label()}{sign}{self._digits(1, 3)}",
            f"{greek}{sign}{self._digits(1, 1)}.{self._digits(1, 2)}",
            f"{self._one('∑∏∫√∮∂')}{rng.choice('xyfgn')}={rng.choice('xyzabn')}",
            f"∵{rng.choice('ABab')}{sign}{rng.choice('CDcd')}∴{rng.choice('EFef')}{sign}{rng.choice('GHgh')}",
            f"∠{rng.choice('ABC')}={self._digits(2, 3)}°",
            f"{greek}{rng.choice(('射线', '值', '-淀粉酶', '系数', ''))}",
        )
        return rng.choice(forms)

    def row(self) -> str:
        """Draw signs alone, one or several in a row: ①②③, ★★★☆☆, Ⅳ."""
        rng = self.rng
        run = rng.choice((_CIRCLED, _ROMAN, _FILLED, _SMALL_ROMAN))
        first, count = rng.randrange(8), rng.randint(1, 10)
        stars = rng.randint(0, 5)
        forms = (
            run[first : first + count],
            "★" * stars + "☆" * (5 - stars),
            "".join(rng.choices(self.every, k=rng.randint(1, 5))),
            " ".join(run[first : first + count]),
        )
        return rng.choice(forms)

    def state(self) -> str:
        """Draw a status with its sign: ▲上涨 2.5%, ×不合格."""
        rng = self.rng
        mark = self._one("●○▲▼△▽◆◎√×✓✘☆★♀♂↑↓")
        word = rng.choice(
            (
                "已完成",
                "未开始",
                "上涨",
                "下跌",
                "合格",
                "不合格",
                "重点项目",
                "正常",
                "异常",
                "进行中",
                "男",
                "女",
            )
        )
        return rng.choice(
            (
                f"{mark}{word}",
                f"{mark} {word}",
                f"{mark}{word} {self._digits(1, 2)}.{self._digits(1, 1)}%",
                f"{word}{mark}",
            )
        )
