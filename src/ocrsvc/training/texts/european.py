"""Random texts in European languages with diacritics: words by frequency (wordfreq), names and addresses (Faker)."""

from __future__ import annotations

import random
from collections.abc import Mapping, Set
from types import MappingProxyType

import wordfreq
from faker import Faker

from ocrsvc.training.texts.words import Weighted

# Language and its locale of Faker, with its weight.
_LANGUAGES: Mapping[tuple[str, str], float] = MappingProxyType(
    {
        ("de", "de_DE"): 5,
        ("fr", "fr_FR"): 5,
        ("es", "es_ES"): 4,
        ("pt", "pt_BR"): 3,
        ("it", "it_IT"): 3,
        ("pl", "pl_PL"): 2,
        ("cs", "cs_CZ"): 1.5,
        ("tr", "tr_TR"): 1.5,
        ("nl", "nl_NL"): 1,
        ("sv", "sv_SE"): 1,
        ("hu", "hu_HU"): 1,
        ("ro", "ro_RO"): 1,
        ("da", "da_DK"): 0.7,
        ("nb", "no_NO"): 0.7,
        ("fi", "fi_FI"): 0.7,
        ("sk", "sk_SK"): 0.7,
        ("sl", "sl_SI"): 0.4,
        ("sh", "hr_HR"): 0.4,
    }
)
_MOST = 8_000  # most frequent words of each language
_MARKS = (",", ",", ".", ":", ";", "?", "!")


class European:
    """Generator of texts in European languages, in ``allowed`` characters; half of the words have diacritics."""

    def __init__(self, rng: random.Random, seed: int, allowed: Set[str]) -> None:
        self.rng, self.seed, self.allowed = rng, seed, allowed
        self.sources: dict[tuple[str, str], _Language] = {}

    def line(self) -> str:
        """Draw a few words, a heading, a name, an address, a company or a quotation."""
        rng = self.rng
        (language,) = rng.choices(list(_LANGUAGES), list(_LANGUAGES.values()))
        source = self.sources.get(language)
        if source is None:
            source = self.sources[language] = _Language(*language, self.seed, self.allowed)
        draw = rng.random()
        if draw < 0.3:
            faker = source.faker
            return str(rng.choice((faker.name, faker.city, faker.street_address, faker.company))())
        words = [source.draw(rng) for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 4, 6, 9)))]
        if draw < 0.5:
            return " ".join(words).upper() if rng.random() < 0.4 else " ".join(words).title()
        if draw < 0.56:
            return f"« {' '.join(words)} »" if language[0] == "fr" else f"«{' '.join(words)}»"
        if draw < 0.6 and language[0] == "es":
            return f"¿{' '.join(words).capitalize()}?"
        words = [word + rng.choice(_MARKS) if rng.random() < 0.15 else word for word in words]
        text = " ".join(words)
        return text[:1].upper() + text[1:] if rng.random() < 0.5 else text


class _Language:
    """Words and names of one language."""

    def __init__(self, language: str, locale: str, seed: int, allowed: Set[str]) -> None:
        listed = [word for word in wordfreq.top_n_list(language, _MOST) if set(word) <= allowed]
        marked = [word for word in listed if not word.isascii()]
        self.words = Weighted(listed, [(rank + 20) ** -0.8 for rank in range(len(listed))])
        self.marked = Weighted(marked, [(rank + 200) ** -0.4 for rank in range(len(marked))])
        self.faker = Faker(locale)
        self.faker.seed_instance(seed)

    def draw(self, rng: random.Random) -> str:
        source = self.marked if self.marked.items and rng.random() < 0.5 else self.words
        return source.draw(rng)
