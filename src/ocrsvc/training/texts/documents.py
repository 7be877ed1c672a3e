"""Random texts of scanned documents: legal clauses, forms, financial tables, and quotations in both scripts.

Quotation marks are curly as in typeset text (“ ” ‘ ’) or straight as in typed text (" '). Label and drawing agree,
so models learn width and shape of punctuation from these lines.
"""

from __future__ import annotations

import random

from faker import Faker

from ocrsvc.training.texts.figures import Figures
from ocrsvc.training.texts.words import Weighted

_HEADINGS = (
    "GENERAL PROVISIONS|GOVERNING LAW|INTENT|DEFINITIONS|LIMITATION OF LIABILITY|TERMS AND CONDITIONS|NOTICE|"
    "CONFIDENTIALITY|STATEMENT OF FACTS|CONCLUSION|ARGUMENT|DISCUSSION|TABLE OF CONTENTS|MEMORANDUM|EXHIBIT A|"
    "BALANCE SHEET|BOARD OF DIRECTORS|AFFIDAVIT|SUMMARY|PAYMENT|WARRANTY|TERMINATION|ANNEX B|APPENDIX C"
).split("|")
_PHRASES = (
    "the defendant|the plaintiff's claim|pursuant to Section|at the time of|in accordance with|shall not be liable|"
    "the parties hereto|subject to the terms|the Court reasoned that|on behalf of|for the purposes of|hereinafter|"
    "as set forth in|notwithstanding|the undersigned|whether or not|provided that|any such|within the meaning of|"
    "under the Act|it is ordered that|the jury's verdict|beyond a reasonable doubt|the Company's obligations"
).split("|")
_KEYS = (
    "First Name|Last Name|Date of Birth|Nationality|Address|City|State|Zip Code|Phone|Fax|Sex|Title|Passport No.|"
    "Net Weight|Remarks|Signature|Date|Order No.|Reference|Account No.|Policy|Carrier|Amount Due|Total|"
    "Invoice Date|Ship To|Bill To|P.O. Number|Description|Quantity|Unit Price|Employer|Occupation|License No.|"
    "Registration|Received|Approved By|Page|Ref.|Name of Applicant|Marital Status|E-mail|Department|Title"
).split("|")
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_SPEECH = "说 问 道 称 叫 即 所谓 简称 表示 认为 指出 选择 单击 输入 名为".split()
_PAIRS = (("“", "”"),) * 6 + (("‘", "’"),) * 2 + (('"', '"'),) * 2 + (("《", "》"),) * 2
_RARE_PAIRS = (("「", "」"), ("『", "』"), ("【", "】"), ("〔", "〕"), ("〈", "〉"), ("（", "）"), ("'", "'"))


class Documents:
    """Generator of texts of documents; ``chinese`` and ``english`` are words by frequency."""

    def __init__(
        self, rng: random.Random, english: Weighted, chinese: Weighted, figures: Figures, faker: Faker
    ) -> None:
        self.rng = rng
        self.english = english
        self.chinese = chinese
        self.figures = figures
        self.faker = faker

    def _some(self, least: int, most: int) -> list[str]:
        return [self.english.draw(self.rng) for _ in range(self.rng.randint(least, most))]

    def _section(self) -> str:
        """Draw a section number, a list mark or a citation."""
        rng = self.rng
        return rng.choice(
            (
                f"{rng.randint(1, 30)}.",
                f"{rng.randint(1, 20)}.{rng.randint(1, 20)}",
                f"{rng.randint(1, 9)}.{rng.randint(1, 9)}.{rng.randint(1, 9)}",
                f"({rng.choice('abcdefghi')})",
                f"({rng.randint(1, 12)})",
                f"({rng.choice(('i', 'ii', 'iii', 'iv', 'v', 'vi'))})",
                f"Section {rng.randint(1, 99)}({rng.choice('abcde')})",
                f"SECTION {rng.randint(1, 99)}.",
                f"ARTICLE {rng.choice(('I', 'II', 'III', 'IV', 'V', 'VI', 'VII', 'IX'))}",
                f"§ {rng.randint(1, 2000)}",
                f"Id., at {rng.randint(1, 900)}.",
                f"{rng.randint(1, 600)} U.S. {rng.randint(1, 999)},",
                f"{rng.randint(1, 999)} F.{rng.choice(('2d', '3d'))} {rng.randint(1, 999)}",
                f"No. {rng.randint(1, 99):02d}-{rng.randint(1, 9999)}",
            )
        )

    def legal(self) -> str:
        """Draw a line of a law, a contract or a judgment: a heading in capitals, a numbered clause, running text."""
        rng = self.rng
        draw = rng.random()
        if draw < 0.25:
            heading = rng.choice(_HEADINGS) if rng.random() < 0.5 else " ".join(self._some(1, 4)).upper()
            return rng.choice((heading, f"{self._section()} {heading}"))
        if draw < 0.4:
            return f"{self.faker.last_name()} v. {self.faker.last_name()}, {self._section()}"
        if draw < 0.5:
            return self._section()
        words = [*self._some(1, 4), rng.choice(_PHRASES), *self._some(0, 4)]
        if rng.random() < 0.3:
            words.insert(rng.randrange(len(words)), self._section())
        if rng.random() < 0.3:
            words[0] = words[0].capitalize()
        if rng.random() < 0.25:
            words[-1] += rng.choice(".,;:")
        text = " ".join(words)
        if rng.random() < 0.35:  # hyphenated at the end of the line
            text += " " + self.english.draw(rng)[: rng.randint(2, 5)] + "-"
        if rng.random() < 0.12:
            text = text.upper()
        return text.replace("'", "’") if rng.random() < 0.7 else text

    def form(self) -> str:
        """Draw a field of an English form: its name, its value, both, or several names in a row."""
        rng, faker = self.rng, self.faker
        key = rng.choice(_KEYS)
        value = rng.choice(
            (
                lambda: str(faker.name()),
                lambda: str(faker.city()),
                lambda: f"{rng.randint(1, 12):02d}/{rng.randint(1, 28):02d}/{rng.randint(1950, 2026)}",
                lambda: f"({rng.randint(201, 989)}) {rng.randint(200, 999)}-{rng.randint(0, 9999):04d}",
                lambda: f"{rng.randint(100, 899)}-{rng.randint(10, 99)}-{rng.randint(0, 9999):04d}",
                lambda: f"{faker.city()}, {faker.state_abbr()} {faker.zipcode()}",
                lambda: str(faker.street_address()),
                lambda: str(faker.company()),
                lambda: str(faker.email()),
                lambda: rng.choice(("YES", "NO", "N/A", "M", "F", "None", "PAID", "Unknown", "OK?")),
            )
        )()
        if rng.random() < 0.4:
            value = value.upper()
        return rng.choice(
            (
                key,
                value,
                value,
                f"{key}: {value}",
                f"{key} {value}",
                f"{key.upper()}: {value}",
                " ".join(rng.choices(_KEYS, k=rng.randint(2, 4))),
            )
        )

    def table(self) -> str:
        """Draw a cell or a row of a financial table."""
        rng = self.rng

        def cell() -> str:
            amount = f"{rng.uniform(0, 10 ** rng.randint(1, 5)):,.{rng.choice((0, 1, 1, 2))}f}"
            return rng.choice(
                (amount, amount, f"${amount}", f"({amount})", f"-{amount}", f"{rng.uniform(-30, 100):.1f}%")
            )

        draw = rng.random()
        if draw < 0.55:
            return cell()
        if draw < 0.7:
            return f"{rng.choice(_MONTHS)}{rng.choice('- ')}{rng.randint(0, 99):02d}"
        label = " ".join(self._some(1, 3)).title()
        return label if draw < 0.85 else " ".join([label, *(cell() for _ in range(rng.randint(1, 4)))])

    def quoted(self) -> str:
        """Draw English with quotations, apostrophes and dashes; the marks are all curly or all straight."""
        rng = self.rng
        words = self._some(2, 7)
        start = rng.randrange(len(words))
        end = min(len(words) - 1, start + rng.randint(0, 3))
        mark = rng.choice(("“”", "“”", "‘’"))
        words[start] = mark[0] + words[start]
        words[end] += rng.choice(("", "", ",", ".", "?")) + mark[1] + rng.choice(("", "", ",", ".", ";"))
        if rng.random() < 0.3:  # the quotation continues on the next line, or began on the previous one
            at = rng.choice((start, end))
            words[at] = words[at].strip("“”‘’")
        for i in range(len(words)):
            if rng.random() < 0.12 and words[i].isalpha():
                words[i] += rng.choice(("’s", "’s", "s’", "’t", "’re", "’ll", "’ve"))
        text = " ".join(words)
        if rng.random() < 0.25 and " " in text:
            before, _, after = text.partition(" ")
            text = before + rng.choice(("—", " — ", " - ", "-", "...", "…")) + after
        if rng.random() < 0.45:
            text = text.translate(str.maketrans("“”‘’", "\"\"''"))
        return text

    def chinese_quoted(self) -> str:
        """Draw Chinese with quotations, titles and dashes; signs are full-width as in print or half-width as typed."""
        rng = self.rng

        def words(least: int, most: int) -> str:
            return "".join(self.chinese.draw(rng) for _ in range(rng.randint(least, most)))

        opening, closing = rng.choice(_PAIRS if rng.random() < 0.85 else _RARE_PAIRS)
        inner = self.english.draw(rng) if rng.random() < 0.15 else words(1, 3)
        text = f"{opening}{inner}{rng.choice(('', '', '', '。', '，', '！', '？'))}{closing}"
        if rng.random() < 0.25:
            text += rng.choice(("、", "和", "")) + f"{opening}{words(1, 2)}{closing}"
        before = words(0, 3) + (rng.choice(_SPEECH) + rng.choice(("", "：")) if rng.random() < 0.4 else "")
        after = rng.choice(("", "，", "。", "的", "、", "；")) + words(0, 3)
        text = before + text + after
        if rng.random() < 0.15:
            text += rng.choice(("——", "……", "…", "—", "·", "～")) + words(1, 2)
        if rng.random() < 0.12:  # typed with half-width signs, at times followed by a space
            wide, narrow = "，：；？！（）。", ",:;?!()."
            text = text.translate(str.maketrans(wide, narrow))
            if rng.random() < 0.4:
                text = text.replace(",", ", ").replace(": ", ":").replace(":", ": ")
        return text
