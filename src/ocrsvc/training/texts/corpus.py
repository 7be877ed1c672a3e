"""Random texts for drawn lines: prose, fields, receipts, plates, signs, screens, streets, rare characters.

Sources are jieba's dictionary with counts, wordfreq, Faker (zh_CN, en_US), Python's own manual, and prose in folders
that the caller names. Each call of ``Corpus.line`` draws one kind by its share.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from faker import Faker

from ocrsvc.training.texts import words
from ocrsvc.training.texts.charset import canonical
from ocrsvc.training.texts.documents import Documents
from ocrsvc.training.texts.english import English
from ocrsvc.training.texts.european import European
from ocrsvc.training.texts.figures import Figures
from ocrsvc.training.texts.kana import Kana
from ocrsvc.training.texts.leaders import Leaders
from ocrsvc.training.texts.prose import running_text
from ocrsvc.training.texts.rare import Rare
from ocrsvc.training.texts.screens import Screens
from ocrsvc.training.texts.signs import Signs
from ocrsvc.training.texts.streets import Streets
from ocrsvc.training.texts.traditional import Traditional

_HAN = re.compile(r"[\u3400-\u9fff]")
_CONFUSABLE = (
    "未末 己已巳 土士 日曰 大太犬 人入八 千干于 戊戌戍成 天夭 未来 莱菜 鸣呜 全金 贝见 侯候 折拆 晴睛 辨辩辫 园圆 "
    "账帐 筒简 做作 的得地 在再 治冶 免兔 拔拨 酒洒 崇祟 幻幼 卷券 斤斥 刀力 厂广 今令 壶壸 萧肃 祗祇 "
    "0O 1lI 6b 8B 5S 2Z 9g O0Q vV cC sS xX zZ uU wW kK pP rn m nn vv w cl d "
    "， , 。 . ： : ； ; （ ( ） ) "
).split()
_UNITS = (
    "元 万元 亿元 吨 公斤 kg g mg mL L 个 台 件 箱 盒 ℃ % ‰ m² ㎡ km mm cm V A W kW Hz MHz MPa rpm Ω kΩ μF "
).split()
_FIELDS = (
    "姓名 地址 电话 单位 名称 日期 编号 金额 税号 开户行 账号 备注 "
    "数量 单价 合计 规格型号 纳税人识别号 发票号码 收款人 复核"
).split()


class Corpus:
    """Generator of texts in the characters of ``charset``; deterministic for a seed.

    ``shares``: factors on how often a kind is drawn, by its name in ``kinds``. ValueError names a kind that is unknown
    or that the charset cannot write.
    """

    def __init__(
        self,
        charset: str,
        seed: int,
        folders: Sequence[Path] = (),
        shares: Mapping[str, float] | None = None,
    ) -> None:
        self.rng = random.Random(seed)
        self.allowed = frozenset(charset)
        self.han = [c for c in charset if _HAN.match(c)]
        self.words = words.chinese(self.allowed)
        self.english = words.english()
        self.figures = Figures(self.rng, self.english)
        self.prose = running_text(folders)
        self.faker_zh, self.faker_en = Faker("zh_CN"), Faker("en_US")
        self.faker_zh.seed_instance(seed)
        self.faker_en.seed_instance(seed)
        self.latin = English(self.rng, self.english, self.figures, self.faker_en)
        self.documents = Documents(self.rng, self.english, self.words, self.figures, self.faker_en)
        self.traditional = Traditional(
            self.rng,
            seed,
            (
                self.chinese_prose,
                self.chinese_words,
                self.chinese_label,
                self.chinese_label,
                self.mixed,
                self.chinese_field,
                self.documents.chinese_quoted,
            ),
            self.chinese_label,
            self.allowed,
        )
        self.kana = Kana(self.rng, seed, self.allowed)
        self.signs = Signs(self.rng, self.chinese_label, self.allowed)
        self.european = European(self.rng, seed, self.allowed)
        self.leaders = Leaders(
            self.rng, self.chinese_label, lambda: self.english.draw(self.rng), self.allowed
        )
        self.screens = Screens(self.rng, self.chinese_label, self.chinese_words, self.english)
        self.streets = Streets(self.rng, self.chinese_label, lambda: str(self.faker_zh.name()), self.english)
        # Without these scripts in the charset, only fragments of their lines would remain.
        has_kana, has_signs = self.allowed.issuperset("ひらカナ"), self.allowed.issuperset("①☑℃")
        self.rarities = Rare(
            self.rng,
            self.allowed,
            self.words,
            self.figures,
            self.kana if has_kana else None,
            self.signs if has_signs else None,
        )
        kinds: dict[str, tuple[Callable[[], str], float]] = {
            "chinese_prose": (self.chinese_prose, 16),
            "chinese_words": (self.chinese_words, 12),
            "chinese_label": (self.chinese_label, 10),
            "mixed": (self.mixed, 10),
            "english_prose": (self.latin.prose, 13),
            "english_title": (self.latin.title, 6),
            "legal": (self.documents.legal, 7),
            "form": (self.documents.form, 5),
            "table": (self.documents.table, 4),
            "quoted": (self.documents.quoted, 10),
            "chinese_quoted": (self.documents.chinese_quoted, 6),
            "english_word": (self.latin.word, 8),
            "receipt": (self.figures.receipt, 7),
            "numbers": (self.figures.numbers, 6),
            "chinese_field": (self.chinese_field, 8),
            "part_number": (self.figures.part_number, 5),
            "plate": (self.figures.plate, 7),
            "card": (self.figures.card, 14),
            "rare": (self.rarities.line, 112),
            "confusable": (self.confusable, 6),
            "leader": (self.leaders.line, 6),
            "repeated": (self.leaders.repeated, 5),
            "single": (self.leaders.single, 5),
            "apart": (self.leaders.apart, 5),
            "interface": (self.screens.interface, 10),
            "log": (self.screens.log, 3),
            "game": (self.screens.game, 7),
            "subtitle": (self.screens.subtitle, 6),
            "chat": (self.screens.chat, 4),
            "shop": (self.streets.shop, 7),
            "road": (self.streets.road, 5),
            "price": (self.streets.price, 5),
            "title": (self.streets.title, 4),
            "street_word": (self.streets.street_word, 12),
            "terminal": (self.streets.terminal, 7),
        }
        if self.allowed.issuperset("圖書館"):
            kinds["traditional"] = (self.traditional.line, 55)
        if self.allowed.issuperset("éüñł"):
            kinds["european"] = (self.european.line, 18)
        if has_kana:
            kinds["kana"] = (self.kana.line, 14)
        if has_signs:
            kinds["signs"] = (self.signs.line, 28)
        times = shares or {}
        if unknown := sorted(set(times) - set(kinds)):
            raise ValueError(f"no kind of line {', '.join(unknown)}; there are {', '.join(kinds)}")
        self.kinds = {name: kind for name, (kind, _) in kinds.items()}
        self._cumulative = list(
            itertools.accumulate(share * times.get(name, 1) for name, (_, share) in kinds.items())
        )

    def line(self) -> str:
        """Draw one line of 1 to 95 characters, canonical, all of them in the charset."""
        while True:
            (kind,) = self.rng.choices(list(self.kinds.values()), cum_weights=self._cumulative)
            if text := self.written(kind()):
                return text

    def written(self, text: str) -> str:
        """Return ``text`` as a label: canonical, without characters outside the charset, at most 95 characters."""
        return canonical("".join(c for c in canonical(text) if c in self.allowed)[:95])

    def lines(self, count: int) -> Iterator[str]:
        """Yield ``count`` lines."""
        return (self.line() for _ in range(count))

    def _length(self, mean: float = 11.0, most: int = 32) -> int:
        return max(1, min(most, round(self.rng.lognormvariate(0, 0.65) * mean)))

    def chinese_prose(self) -> str:
        """Draw a stretch of real running text, or of Faker's if there is no prose."""
        if not self.prose:
            return str(self.faker_zh.text(60))[: self._length(14)]
        text = self.rng.choice(self.prose)
        start = self.rng.randrange(max(1, len(text) - 8))
        return text[start : start + self._length(13)]

    def chinese_words(self) -> str:
        """Draw words by frequency, with the punctuation of running text."""
        length, text = self._length(10), ""
        while len(text) < length:
            text += self.words.draw(self.rng)
            if self.rng.random() < 0.18:
                text += self.rng.choice("，，，。、；：？！（）《》…")
        return text

    def chinese_label(self) -> str:
        """Draw one to three words, as on signs, in headings and in table cells."""
        return "".join(self.words.draw(self.rng) for _ in range(self.rng.choice((1, 1, 2, 2, 3))))

    def mixed(self) -> str:
        """Draw Chinese with English words, numbers or units, with or without spaces between them."""
        parts = []
        for _ in range(self.rng.randint(2, 5)):
            draw = self.rng.random()
            if draw < 0.5:
                parts.append("".join(self.words.draw(self.rng) for _ in range(self.rng.randint(1, 3))))
            elif draw < 0.75:
                parts.append(self.latin.case(self.english.draw(self.rng)))
            elif draw < 0.9:
                parts.append(self.figures.number() + self.rng.choice(("", self.rng.choice(_UNITS))))
            else:
                parts.append(self.figures.part_number())
        return self.rng.choice(("", "", " ")).join(parts)

    def chinese_field(self) -> str:
        """Draw a field of a Chinese form or invoice: name, address, company, id, date, sum."""
        rng, zh = self.rng, self.faker_zh
        key = rng.choice(_FIELDS)
        value = rng.choice(
            (
                lambda: str(zh.name()),
                lambda: str(zh.address()),
                lambda: str(zh.company()),
                lambda: str(zh.job()),
                self.figures.capital_amount,
                lambda: f"{rng.randint(2000, 2030)}年{rng.randint(1, 12)}月{rng.randint(1, 28)}日",
                lambda: "".join(rng.choices("0123456789ABCDEFGHJKLMNPQRTUWXY", k=18)),
                lambda: str(zh.ssn()),
                lambda: str(rng.randint(10**7, 10**20)),
                lambda: f"{self.figures.number()}{rng.choice(_UNITS)}",
                lambda: f"{self.words.draw(rng)}{rng.choice(_UNITS)}",
            )
        )()
        return rng.choice(
            (value, value, f"{key}：{value}", f"{key}:{value}", f"{key}: {value}", f"{key} {value}")
        )

    def confusable(self) -> str:
        """Draw look-alikes beside each other and beside words."""
        parts = [self.rng.choice(self.rng.choice(_CONFUSABLE)) for _ in range(self.rng.randint(2, 8))]
        if self.rng.random() < 0.5:
            parts.insert(self.rng.randrange(len(parts)), self.words.draw(self.rng))
        return "".join(parts)
