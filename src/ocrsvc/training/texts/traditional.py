"""Random texts in Traditional Chinese: texts of the corpus converted by OpenCC, and forms of Taiwan and Hong Kong."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence, Set

import opencc
from faker import Faker

from ocrsvc.training.texts.charset import CANTONESE
from ocrsvc.training.texts.regions import Regions

# Taiwan by character (软件 -> 軟件) and by phrase (軟體); Hong Kong; OpenCC's own standard.
_SPELLINGS = ("s2tw", "s2tw", "s2twp", "s2hk", "s2hk", "s2t")
_FIELDS = (
    "姓名 地址 電話 統一編號 發票號碼 日期 金額 總計 備註 單價 數量 營業人 買受人 開戶銀行 帳號 身分證字號 "
    "出生年月日 公司名稱 負責人 聯絡電話 電子郵件 營業時間 停車場 圖書館 國際機場 醫療器材 檢驗報告 合約書"
).split()


class Traditional:
    """Generator of Traditional texts; ``simplified`` draw texts to convert, ``allowed`` are the characters to use.

    ``label`` draws short Simplified texts, for words inside of forms.
    """

    def __init__(
        self,
        rng: random.Random,
        seed: int,
        simplified: Sequence[Callable[[], str]],
        label: Callable[[], str],
        allowed: Set[str],
    ) -> None:
        self.rng = rng
        self.simplified = simplified
        self.spellings = {name: opencc.OpenCC(name) for name in dict.fromkeys(_SPELLINGS)}
        self.faker = Faker("zh_TW")
        self.faker.seed_instance(seed)
        self.cantonese = [c for c in CANTONESE if c in allowed]
        self.regions = Regions(rng, lambda: self.spelt(label()), lambda: str(self.faker.name()), allowed)

    def spelt(self, text: str) -> str:
        """Return a Simplified text in one of the Traditional spellings."""
        converted: str = self.spellings[self.rng.choice(_SPELLINGS)].convert(text)
        return converted

    def line(self) -> str:
        """Draw a converted text, a form or news of Taiwan and Hong Kong, or a field with or without its name."""
        rng, draw = self.rng, self.rng.random()
        if draw < 0.5:
            text = self.spelt(rng.choice(self.simplified)())
            if self.cantonese and rng.random() < 0.04:
                at = rng.randint(0, len(text))
                text = text[:at] + rng.choice(self.cantonese) + text[at:]
            return text
        if draw < 0.86:
            return self.regions.line()
        source = rng.choice((self.faker.name, self.faker.address, self.faker.company, self.faker.job))
        value = str(source())
        if draw < 0.93:
            return value
        key = rng.choice(_FIELDS)
        return rng.choice((key, f"{key}：{value}", f"{key}:{value}", f"{key} {value}"))
