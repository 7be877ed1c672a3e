"""Random texts with signs as in reports, forms and manuals: measurements, ticked answers, ratings, steps."""

from __future__ import annotations

import random
from collections.abc import Callable, Set

_NUMBERS = "①②③④⑤⑥⑦⑧⑨⑩", "❶❷❸❹❺❻❼❽❾❿", "ⅠⅡⅢⅣⅤⅥⅦⅧⅨⅩ"
_LOWERED = "₀₁₂₃₄₅₆₇₈₉"
_MEASURED = (
    "℃ ‰ % °C °F ㎡ m² m³ cm³ km² μm μg/L mg/L ×10⁹/L ×10¹²/L ×10⁶ kg/m³ m/s² Ω kΩ °  N·m W/m² ml/min "
    "mol·L⁻¹ cm⁻¹ s⁻¹"
).split()
_QUANTITIES = (
    "白细胞 红细胞 血小板 细菌总数 菌落总数 体温 温度 湿度 面积 建筑面积 体积 降水量 盐度 坡度 费率 "
    "利率 误差 电阻 密度 浓度 压力 角度 "
    "流量 含量 透光率 加速度 WBC PLT Temp"
).split()


class Reports:
    """Generator of such texts; ``label`` draws a short text, ``allowed`` are the characters to use."""

    def __init__(self, rng: random.Random, label: Callable[[], str], allowed: Set[str]) -> None:
        self.rng = rng
        self.label = label
        self.allowed = allowed
        self.kinds = (self.measured, self.agreed, self.rated, self.steps)

    def _one(self, characters: str) -> str:
        usable = [c for c in characters if c in self.allowed]
        return self.rng.choice(usable) if usable else ""

    def _digits(self, least: int = 1, most: int = 4) -> str:
        return "".join(self.rng.choices("0123456789", k=self.rng.randint(least, most)))

    def measured(self) -> str:
        """Draw a measurement as in reports: 白细胞 6.2×10⁹/L ↑, 降水量 3‰, 面积 120m²."""
        rng = self.rng
        value = f"{rng.uniform(0, 10 ** rng.randint(0, 3)):.{rng.choice((0, 1, 2))}f}"
        unit = rng.choice(_MEASURED)
        name = rng.choice((self.label()[:5], rng.choice(_QUANTITIES)))
        forms = (
            f"{name} {value}{unit}",
            f"{name}：{value}{unit}",
            f"{name} {value}{unit} {self._one('↑↓')}",
            f"{name}≤{value}{unit}",
            f"≥{value}{unit}",
            f"{value}{unit}～{self._digits(2, 3)}{unit}",
            f"({value}±0.{self._digits(1, 2)}){unit}",
            f"{value}{unit}/{self._digits(1, 2)}{unit}",
        )
        return rng.choice(forms)

    def agreed(self) -> str:
        """Draw a question with answers to tick: 是否过敏 ☑是 □否."""
        rng = self.rng
        answers = rng.choice((("是", "否"), ("有", "无"), ("同意", "不同意"), ("男", "女"), ("合格", "不合格"),
                              ("正常", "异常"), ("Yes", "No"), ("已婚", "未婚"), ("同意", "拒絕")))  # fmt: skip
        mark, empty = rng.choice(
            (("☑", "☐"), ("☑", "□"), ("☒", "☐"), ("■", "□"), ("●", "○"), ("✓", "□"), ("√", "□"))
        )
        ticked, gap = rng.randrange(3), rng.choice(("", " "))
        boxes = (f"{mark if i == ticked else empty}{gap}{word}" for i, word in enumerate(answers))
        return rng.choice(("", self.label()[:6] + rng.choice((" ", "：", "")))) + " ".join(boxes)

    def rated(self) -> str:
        """Draw stars of a rating, a trend, a note or a currency: ★★★★☆ 4.5, ▲2.35%, ※注意, €12.50."""
        rng = self.rng
        stars = rng.randint(1, 5)
        value = f"{rng.randint(0, 5)}.{self._digits(1, 1)}"
        forms = (
            "★" * stars + "☆" * (5 - stars) + f" {value}",
            f"{value}★ ({self._digits(2, 4)})",
            f"{self._one('▲▼↑↓')}{value}{self._digits(1, 1)}%",
            f"※{self.label()}",
            f"※ {self.label()}",
            f"{self._one('€£￥$₩₽¢¤')}{self._digits(1, 4)}.{self._digits(2, 2)}",
            f"{self._one('©®™')} {rng.randint(1990, 2030)} {self.label()}",
            f"{self.label()}{self._one('©®™')}",
            f"☎ {self._digits(3, 4)}-{self._digits(7, 8)}",
            f"♪ {self.label()} ♪",
        )
        return rng.choice(forms)

    def steps(self) -> str:
        """Draw steps, a path of menus, a legend or a heading with its number: 设置→网络→高级, Ⅳ. 结论."""
        rng = self.rng
        steps = [self.label()[:4] for _ in range(rng.randint(2, 4))]
        number = self._one(rng.choice(_NUMBERS))
        forms = (
            self._one("→▶⇒").join(steps),
            " → ".join(steps),
            f"{number} {self.label()}",
            f"{number}{self.label()}{self._digits(1, 2)}",
            f"{self._one('■□●○▲△◆◇')}{steps[0]} {self._one('■□●○▲△◆◇')}{steps[1]}",
            f"第{number}{rng.choice('章节条部类')}",
            f"{rng.choice('ABCDE')}{self._one(_LOWERED)}-{rng.choice('ABCDE')}{self._one(_LOWERED)}",
            f"{self._digits(1, 2)}°{self._digits(1, 2)}'{self._digits(1, 2)}\"",
        )
        return rng.choice(forms)
