"""Random names of persons, places, substances, species and shops around given characters."""

from __future__ import annotations

import random
from collections.abc import Sequence

from ocrsvc.training.texts.words import Weighted

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


class Names:
    """Generator of names; ``words`` are those of the dictionary."""

    def __init__(self, rng: random.Random, words: Weighted) -> None:
        self.rng = rng
        self.words = words

    def people(self, given: Sequence[str]) -> str:
        """Draw a person's name for each of the ``given`` characters."""
        rng = self.rng
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

    def compound(self, first: str, before: str = "") -> str:
        """Draw the name of a place, a substance, an illness or a species, by the radical of ``first``."""
        rng = self.rng
        endings = next((each for low, high, each in _RADICALS if low <= first < high), "").split() or _PLACES
        text = before + first + rng.choice(endings)
        draw = rng.random()
        if draw < 0.25:
            text = rng.choice("大小东西南北上下新老白黑红黄青三五双长高") + text
        elif draw < 0.35:
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

    def shop(self, own: str) -> str:
        """Draw the name of a shop with ``own`` in it."""
        rng = self.rng
        text = rng.choice(("", "", rng.choice("老大小新福金宝"))) + own + rng.choice(_SHOPS)
        return text + rng.choice(("", "", "（总店）", f"No.{rng.randint(1, 9)}", "·始于1998"))
