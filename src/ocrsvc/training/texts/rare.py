"""Random texts with characters drawn evenly from the whole charset, most of them inside words and names.

A text that contains only unrelated characters never occurs outside of dictionaries. So a rare character stands in a
word of the dictionary that has it, in the name of a person, a place, a shop or a substance, beside Latin and digits,
or (so that the picture decides, not the context) in place of a character of a frequent word.
"""

from __future__ import annotations

import random
import re
from array import array
from collections.abc import Mapping, Set

import opencc

from ocrsvc.training.texts.deck import Deck
from ocrsvc.training.texts.figures import Figures
from ocrsvc.training.texts.kana import Kana
from ocrsvc.training.texts.signs import Signs
from ocrsvc.training.texts.words import Weighted

_HAN = re.compile(r"[\u3400-\u9fff]")
_KANA = re.compile(r"[\u3041-\u30ff]")
_SURNAMES = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田"
    "任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文欧阳司马上官诸葛張劉陳楊趙黃吳孫"
)
_GIVEN = (
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华文建国志玉春海宇子梓雨欣怡轩浩然思佳一诺家豪淑婷美惠"
)
# Code points are ordered by Kangxi radical, so that a range is a radical and what its characters go with.
_RADICALS: tuple[tuple[str, str, str], ...] = (
    ("水", "火", "江 河 湖 溪 水 镇 港 县 滩 源 泽 洲 阳 州"),
    ("山", "巛", "山 岭 峰 岗 岛 县 村 谷 关"),
    ("土", "士", "镇 村 乡 县 城 坝 寨 屯 圩"),
    ("阜", "隶", "县 城 阳 山 州 西 县志"),
    ("邑", "酉", "县 城 国 州 氏 镇"),
    ("石", "示", "石 矿 山 土 灰石 英岩"),
    ("玉", "瓜", "玉 石 琳 瑜 珠宝"),
    ("金", "長", "合金 酸钠 化物 盐 矿 丝 箔 片 离子 粉"),
    ("气", "水", "气 化物 酸 离子 原子"),
    ("酉", "釆", "酯 酸 酮 类 基苯 溶液"),
    ("疒", "癶", "病 症 疮 痛 肿 疹"),
    ("肉", "臣", "炎 部 骨 肌 痛 瘤 动脉 神经"),
    ("艸", "虍", "草 花 科 属 茶 油 药 根 叶 酸 素"),
    ("木", "欠", "树 木 林 村 园 科 油 果"),
    ("竹", "米", "竹 筒 席 舟"),
    ("虫", "血", "虫 科 目 类 属"),
    ("魚", "鳥", "鱼 科 属 汤 片"),
    ("鳥", "鹵", "鸟 科 目 属"),
    ("馬", "骨", "马 骑 驮 马场"),
    ("女", "子", "妃 氏 嫔 姓"),
    ("食", "首", "饼 食 饭 馆"),
    ("犬", "玄", "犬 兽 科 猴"),
)  # fmt: skip
_PLACES = (
    "山 江 河 县 镇 村 乡 路 街 巷 寺 庙 桥 湖 洲 岛 岭 塘 坊 庄 店 州 市 里 區 縣 鄉 鎮 村民委员会 社区 书院"
).split()
_SHOPS = (
    "记 记面馆 记小吃 香阁 源堂 丰号 园饭店 轩 大药房 酒家 书店 茶庄 斋 宾馆 美发 火锅 烧烤 冰室 餐厅 "
    "記茶餐廳 珠寶 鐵板燒"
).split()
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"


class Rare:
    """Generator of texts with the characters of a deck; ``words`` are those of the dictionary, ``allowed`` the charset.

    ``kana`` and ``signs`` make the contexts of characters that are not Chinese; None where the charset has none.
    """

    def __init__(
        self,
        rng: random.Random,
        allowed: Set[str],
        words: Weighted,
        figures: Figures,
        kana: Kana | None,
        signs: Signs | None,
    ) -> None:
        self.rng = rng
        self.allowed = allowed
        self.words = words
        self.figures = figures
        self.kana = kana
        self.signs = signs
        every = sorted(allowed - {" "})
        self.deck = Deck(rng, every)
        self.han = [c for c in every if _HAN.match(c)]
        self._containing: dict[str, array[int]] = {}
        for number, word in enumerate(words.items):
            for character in set(word):
                self._containing.setdefault(character, array("I")).append(number)
        self._simplify = opencc.OpenCC("t2s")
        self._spell = [opencc.OpenCC(name) for name in ("s2t", "s2tw", "s2hk")]
        self._kana_words: Mapping[str, list[str]] = _by_character(kana) if kana else {}

    def line(self) -> str:
        """Draw a text with the next character of the deck, at times with further ones."""
        first = self.deck.draw()
        if _HAN.match(first):
            return self._chinese(first)
        if _KANA.match(first):
            return self._japanese(first)
        if self.signs is not None and first in self.signs.every:
            return self.signs.about(first)
        return self._beside(first)

    def _more(self, most: int) -> list[str]:
        """Take up to ``most`` further Chinese characters from the deck."""
        found = (self.deck.find(lambda c: bool(_HAN.match(c))) for _ in range(most))
        return [c for c in found if c]

    def _chinese(self, first: str) -> str:
        rng = self.rng
        draw = rng.random()
        if draw < 0.34 and (word := self.word(first)):
            return self._phrase(word)
        if draw < 0.50:
            return self._inside(first)
        if draw < 0.64:
            return self._people(first)
        if draw < 0.78:
            return self._compound(first)
        if draw < 0.84:
            return self._shop(first)
        if draw < 0.91:
            return self._coded(first)
        separator = rng.choice(("", "", "", "", " ", "、", "，", "/"))
        return separator.join([first, *self._more(rng.randint(1, 6))])

    def word(self, character: str) -> str | None:
        """Draw a word of the dictionary with the character, in Traditional spelling if need be; None without one."""
        rng = self.rng
        if numbers := self._containing.get(character):
            return self.words.items[rng.choice(numbers)]
        simplified: str = self._simplify.convert(character)
        numbers = self._containing.get(simplified) if simplified != character else None
        for _ in range(4 if numbers else 0):
            spelt: str = rng.choice(self._spell).convert(self.words.items[rng.choice(numbers or ())])
            if character in spelt and set(spelt) <= self.allowed:
                return spelt
        return None

    def _phrase(self, word: str) -> str:
        """Put the word between frequent ones, or two such words beside each other."""
        rng = self.rng
        parts = [word]
        if rng.random() < 0.45:
            for character in self._more(rng.randint(1, 2)):
                parts.append(self.word(character) or character)
        if rng.random() < 0.5:
            parts.insert(rng.randrange(len(parts) + 1), self.words.draw(rng))
        if rng.random() < 0.25:
            parts.insert(rng.randrange(len(parts) + 1), rng.choice(("，", "、", "的", "《", "“", "：", "。")))
        return "".join(parts)

    def _inside(self, first: str) -> str:
        """Put characters in the place of others in frequent words."""
        rng = self.rng
        text = list("".join(self.words.draw(rng) for _ in range(rng.randint(1, 4))))
        others = [first, *self._more(1 if len(text) < 5 else 2)]
        text += [""] * (len(others) - len(text))
        for place, character in zip(rng.sample(range(len(text)), len(others)), others, strict=True):
            text[place] = character
        return "".join(text)

    def _people(self, first: str) -> str:
        rng = self.rng
        given = [first, *self._more(rng.choice((0, 1, 1, 2, 3)))]
        names = []
        for character in given:
            surname = rng.choice(_SURNAMES)
            draw = rng.random()
            middle = rng.choice(_GIVEN) if draw < 0.55 else ""
            names.append(surname + (character + middle if draw < 0.2 else middle + character))
        text = rng.choice(("、", " ", " ", "，", "/", "")).join(names)
        draw = rng.random()
        if draw < 0.2:
            return (
                rng.choice(("姓名：", "联系人 ", "经办人:", "主任医师 ", "作者：", "承办：", "聯絡人："))
                + text
            )
        return (
            text + rng.choice(("先生", "女士", "主任", "教授", "著", "签收", "小姐")) if draw < 0.3 else text
        )

    def _compound(self, first: str) -> str:
        """Make the name of a place, a substance, an illness or a species, by the radical."""
        rng = self.rng
        endings = next((each for low, high, each in _RADICALS if low <= first < high), "").split() or _PLACES
        text = first + rng.choice(endings)
        draw = rng.random()
        if draw < 0.25:
            text = rng.choice("大小东西南北上下新老白黑红黄青三五双长高") + text
        elif draw < 0.45:
            text = "".join(self._more(1)) + text
        elif draw < 0.55:
            text = self.words.draw(rng) + text
        if rng.random() < 0.25:
            text += rng.choice(
                (
                    f"{rng.randint(1, 300)}号",
                    f"第{rng.randint(1, 20)}组",
                    f"（{self.words.draw(rng)}）",
                    "省",
                    "站",
                )
            )
        return text

    def _shop(self, first: str) -> str:
        rng = self.rng
        text = (
            rng.choice(("", "", rng.choice("老大小新福金宝")))
            + first
            + "".join(self._more(rng.choice((0, 1))))
        )
        return (
            text
            + rng.choice(_SHOPS)
            + rng.choice(("", "", "（总店）", f"No.{rng.randint(1, 9)}", "·始于1998"))
        )

    def _coded(self, first: str) -> str:
        """Put the character beside Latin letters and digits."""
        rng = self.rng
        code = rng.choice(
            (
                "".join(rng.choices(_LETTERS, k=rng.randint(1, 3))),
                str(rng.randint(0, 10 ** rng.randint(1, 6))),
                f"{rng.choice(_LETTERS)}{rng.randint(1, 99)}",
                self.figures.number(),
                self.figures.part_number(),
            )
        )
        gap = rng.choice(("", "", " ", "-"))
        more = "".join(self._more(rng.choice((0, 0, 1))))
        word = self.word(first) if rng.random() < 0.4 else None
        return rng.choice((f"{code}{gap}{word or first}{more}", f"{word or first}{more}{gap}{code}"))

    def _japanese(self, first: str) -> str:
        rng = self.rng
        words = self._kana_words.get(first)
        if words and rng.random() < 0.75:
            text = rng.choice(words)
        else:
            around = [c for c in (self.deck.find(lambda c: bool(_KANA.match(c)), 400) for _ in range(2)) if c]
            at = rng.randint(0, len(around))
            text = "".join([*around[:at], first, *around[at:]])
        if self.kana is not None and rng.random() < 0.5:
            other = self.kana.words.draw(rng)
            text = text + other if rng.random() < 0.5 else other + text
        return text

    def _beside(self, first: str) -> str:
        """Put a letter, a digit or a punctuation mark inside or beside frequent words."""
        rng = self.rng
        left, right = self.words.draw(rng), self.words.draw(rng)
        if first.isalnum():
            return rng.choice(
                (f"{left}{first}{right}", f"{first}{rng.randint(0, 99)}", f"{left}{first}", first * 3)
            )
        english = self.figures.english
        return rng.choice(
            (
                f"{left}{first}{right}",
                f"{left}{first}",
                f"{first}{right}",
                f"{english.draw(rng)}{first}{english.draw(rng)}",
                f"{rng.randint(0, 99)}{first}{rng.randint(0, 99)}",
            )
        )


def _by_character(kana: Kana) -> dict[str, list[str]]:
    """Return the Japanese words that contain each kana."""
    found: dict[str, list[str]] = {}
    for word in kana.words.items:
        for character in set(word):
            if _KANA.match(character):
                found.setdefault(character, []).append(word)
    return found
