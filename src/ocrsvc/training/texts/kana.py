"""Random Japanese texts: words by frequency (wordfreq), phrases, signs, names, addresses and companies (Faker)."""

from __future__ import annotations

import random
import re
from collections.abc import Set

import wordfreq
from faker import Faker

from ocrsvc.training.texts.words import Weighted

_MOST = 20_000  # most frequent words
_KANA = re.compile(r"[\u3041-\u30ff]")
_PARTICLES = "の は が を に で と も から まで へ や より".split()
_ENDINGS = (
    "です。 ます。 でした ました ません ください。 ですか？ だ。 ている ない たい しよう 中 用 "
    "について として による"
).split()
_SHOWN = (
    "営業中 準備中 本日定休日 いらっしゃいませ ご注意ください 立入禁止 お手洗い トイレ 出口 入口 "
    "駐車場 禁煙席 お会計 ラーメン 焼き鳥 居酒屋 "
    "カフェ パン屋 コンビニ クリーニング お届け お問い合わせ 送料無料 キャンセル ログイン メニュー "
    "スタート つづきから セーブ はじめる もどる "
    "レベルアップ ゲームオーバー おすすめ ランキング セール 税込 円 割引 ポイント チケット きっぷ "
    "のりば まもなく 電車がまいります 新発売 期間限定 "
    "お買い得 レジ袋 領収書 合計 お預り お釣り ありがとうございました またお越しくださいませ"
).split()


class Kana:
    """Generator of Japanese texts from words in ``allowed`` characters; some words have no kana."""

    def __init__(self, rng: random.Random, seed: int, allowed: Set[str]) -> None:
        self.rng = rng
        listed = [
            word for word in wordfreq.top_n_list("ja", _MOST) if set(word) <= allowed and not word.isascii()
        ]
        self.words = Weighted(listed, [(rank + 20) ** -0.6 for rank in range(len(listed))])
        with_kana = [word for word in listed if _KANA.search(word)]
        self.with_kana = Weighted(with_kana, [(rank + 200) ** -0.4 for rank in range(len(with_kana))])
        self.shown = [text for text in _SHOWN if set(text) <= allowed]
        self.faker = Faker("ja_JP")
        self.faker.seed_instance(seed)

    def line(self) -> str:
        """Draw a few words in a row, a phrase with particles, a sign or a price, or a field of a form."""
        rng, draw = self.rng, self.rng.random()
        if draw < 0.4:
            words = [self.words.draw(rng) for _ in range(rng.randint(1, 6))]
            return "".join(words) + rng.choice(("", "", "。", "、"))
        if draw < 0.65:
            return self.phrase()
        if draw < 0.73 and self.shown:
            return rng.choice(self.shown) + rng.choice(
                ("", "", self.words.draw(rng), f" {rng.randint(1, 9999)}")
            )
        if draw < 0.83:
            word = self.with_kana.draw(rng)
            return rng.choice(
                (
                    f"{word} {rng.randint(1, 9999):,}円",
                    f"{word}￥{rng.randint(1, 9999):,}",
                    f"{word}（税込）",
                    f"「{word}」",
                    f"{word}・{self.with_kana.draw(rng)}",
                    f"{rng.randint(1, 12)}月{rng.randint(1, 28)}日({rng.choice('月火水木金土日')})",
                    f"{rng.randint(1, 30)}分{word}",
                    f"{word}！",
                    f"★{word}★",
                )
            )
        source = rng.choice((self.faker.kana_name, self.faker.name, self.faker.address, self.faker.company))
        return str(source())

    def phrase(self) -> str:
        """Draw words joined by particles, with the ending of a sentence: 東京の天気はいいです。"""
        rng = self.rng
        text = ""
        for _ in range(rng.randint(1, 3)):
            words = rng.choice((self.words, self.with_kana))
            text += words.draw(rng) + rng.choice(_PARTICLES)
        return text + self.words.draw(rng) + rng.choice(_ENDINGS)
