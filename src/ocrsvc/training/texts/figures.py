"""Random texts of figures: numbers, dates, sums of money, receipts, part numbers, number plates, cards."""

from __future__ import annotations

import random

from ocrsvc.training.texts.words import Weighted

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_CAPITALS = "零壹贰叁肆伍陆柒捌玖"
_PROVINCES = "京津冀晋蒙辽吉黑沪苏浙皖闽赣鲁豫鄂湘粤桂琼渝川贵云藏陕甘青宁新"
_PLATE = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"  # plates use neither I nor O
_TILL = ("TOTAL", "Total", "CASH", "Change", "Sub Total", "GST 6%", "Rounding", "Qty")


_LAYOUTS = ((4, 4, 4, 4), (4, 4, 4, 4), (4, 4, 4, 4), (4, 6, 5), (4, 4, 4, 4, 3), (6, 13), (19,), (16,))
_ISSUERS = ("62", "62", "6222", "6217", "4", "4", "5", "5", "34", "37", "35", "9")


def check_digit(body: str) -> str:
    """Return the check digit of a card number by the Luhn algorithm (ISO/IEC 7812-1)."""
    total = 0
    for place, digit in enumerate(map(int, reversed(body))):
        doubled = 2 * digit if place % 2 == 0 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return str(-total % 10)


def capitals(amount: int) -> str:
    """Return a whole number below 10^12 in the capital numerals of Chinese invoices: 100 500 is 壹拾万零伍佰."""
    digits, text = str(amount), ""
    for i, digit in enumerate(digits):
        place = len(digits) - 1 - i
        if digit != "0":
            text += _CAPITALS[int(digit)] + ("", "拾", "佰", "仟")[place % 4]
        elif not text.endswith("零"):
            text += "零"
        if place % 4 == 0 and text != "零":
            group = int(digits[max(0, i - 3) : i + 1])
            text = text.rstrip("零") + (("", "万", "亿")[place // 4] if group else "")
    return text


class Figures:
    """Generator of texts with figures; ``english`` are the words beside them."""

    def __init__(self, rng: random.Random, english: Weighted) -> None:
        self.rng = rng
        self.english = english

    def number(self) -> str:
        """Draw one number: a count, a sum with thousands separators, a percentage, a range."""
        rng = self.rng
        return rng.choice(
            (
                str(rng.randint(0, 9999)),
                f"{rng.randint(0, 9999999):,}",
                f"{rng.uniform(0, 1000):.{rng.randint(1, 3)}f}",
                f"{rng.randint(1, 100)}%",
                f"-{rng.randint(1, 999)}",
                f"{rng.randint(1, 99)}-{rng.randint(1, 99)}",
            )
        )

    def numbers(self) -> str:
        """Draw a number, date, time, phone number or range."""
        rng = self.rng
        return rng.choice(
            (
                self.number(),
                f"{rng.randint(1990, 2030)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}",
                f"{rng.randint(1990, 2030)}/{rng.randint(1, 12)}/{rng.randint(1, 28)}",
                f"{rng.randint(1990, 2030)}.{rng.randint(1, 12):02d}.{rng.randint(1, 28):02d}",
                f"{rng.randint(0, 23):02d}:{rng.randint(0, 59):02d}",
                f"1{rng.randint(3, 9)}{rng.randint(10**8, 10**9 - 1)}",
                f"0{rng.randint(10, 999)}-{rng.randint(10**6, 10**8 - 1)}",
                f"￥{rng.uniform(0, 99999):,.2f}",
                f"({rng.randint(1, 30)})",
                f"#{rng.randint(1, 99):02d}-{rng.randint(1, 99):02d}",
                f"±{rng.random():.{rng.randint(1, 3)}f}",
                f"{rng.randint(1, 90)}×{rng.randint(1, 90)}",
                f"{rng.randint(1, 12)}.{rng.randint(1, 20)} {self.english.draw(rng)}",
                "".join(rng.choices("0123456789", k=rng.randint(4, 20))),
            )
        )

    def receipt(self) -> str:
        """Draw a line of a till receipt."""
        rng = self.rng
        amount = f"{rng.randint(0, 999)}.{rng.randint(0, 99):02d}"
        name = " ".join(self.english.draw(rng).upper() for _ in range(rng.randint(1, 3)))
        return rng.choice(
            (
                amount,
                f"RM{amount}",
                f"RM {amount}",
                f"${amount}",
                f"{rng.choice(_TILL)}: {amount}",
                f"{rng.randint(1, 12)} X {amount}",
                f"{name} {amount}",
                f"TEL: {rng.randint(10, 99)}-{rng.randint(1000000, 9999999)}",
                f"{rng.randint(1, 31):02d}/{rng.randint(1, 12):02d}/{rng.randint(2009, 2027)} "
                f"{rng.randint(0, 23):02d}:{rng.randint(0, 59):02d}:{rng.randint(0, 59):02d} "
                f"{rng.choice(('', 'AM', 'PM'))}",
                f"INVOICE NO : {rng.choice('ABCINV')}{rng.randint(1000, 9999999)}",
                f"(GST ID NO: {rng.randint(10**11, 10**12 - 1)})",
                f"NO. {rng.randint(1, 99)}, JALAN {self.english.draw(rng).upper()} "
                f"{rng.randint(1, 20)}/{rng.randint(1, 9)},",
                f"{name} SDN BHD",
                f"THANK YOU FOR {name}!",
            )
        )

    def capital_amount(self) -> str:
        """Draw a sum of money in the capital numerals of Chinese invoices (大写金额)."""
        text = capitals(self.rng.randint(1, 10 ** self.rng.randint(1, 8)))
        tenth, hundredth = self.rng.choice(_CAPITALS[1:]), self.rng.choice(_CAPITALS[1:])
        return text + self.rng.choice(("元整", "圆整", f"元{tenth}角{hundredth}分"))

    def part_number(self) -> str:
        """Draw a part number, cable label, version, or an address of a site, a mailbox or a host."""
        rng = self.rng
        return rng.choice(
            (
                "-".join(self._block() for _ in range(rng.randint(1, 4))),
                "_".join(self._block() for _ in range(2)),
                f"{rng.choice(_LETTERS)}{rng.randint(1, 9999)}{rng.choice(_LETTERS)}{rng.randint(0, 99)}",
                f"{rng.randint(1, 99)}{rng.choice(_LETTERS)}{rng.randint(0, 99):02d}",
                f"{rng.choice(_LETTERS)}{rng.randint(0, 99)}.{rng.randint(0, 9)}",
                f"{rng.randint(1, 48)}V_{rng.choice(('DI', 'DO', 'AI', 'L', 'M'))}{rng.randint(0, 99):02d}",
                f"M{rng.randint(2, 24)}×{rng.randint(4, 120)}",
                f"φ{rng.randint(1, 200)}",
                f"www.{self.english.draw(rng)}.{rng.choice(('com', 'cn', 'org', 'com.cn'))}",
                f"{self.english.draw(rng)}@{self.english.draw(rng)}.com",
                f"v{rng.randint(0, 9)}.{rng.randint(0, 30)}.{rng.randint(0, 9)}",
                f"{rng.randint(1, 255)}.{rng.randint(0, 255)}.{rng.randint(0, 255)}.{rng.randint(1, 254)}",
            )
        )

    def _block(self) -> str:
        return "".join(self.rng.choices(_LETTERS + "0123456789" * 2, k=self.rng.randint(1, 6)))

    def plate(self) -> str:
        """Draw a Chinese registration number, without the dot that the plate shows."""
        tail = "".join(self.rng.choices(_PLATE, k=self.rng.choice((5, 5, 5, 6))))
        return self.rng.choice(_PROVINCES) + self.rng.choice(_PLATE[:24]) + tail

    def card(self) -> str:
        """Draw a bank card number with its check digit, or some of its groups; look-alike digits are more frequent."""
        rng = self.rng
        layout = rng.choice(_LAYOUTS)
        start = rng.choice(_ISSUERS)
        digits = "0123456789" if rng.random() < 0.5 else "00668835571"
        body = start + "".join(rng.choices(digits, k=sum(layout) - 1 - len(start)))
        number, groups = body + check_digit(body), []
        for length in layout:
            groups.append(number[:length])
            number = number[length:]
        if rng.random() < 0.6:  # a detector often finds only some of the groups
            first = rng.randrange(len(groups))
            groups = groups[first : first + rng.choice((1, 1, 1, 2, 3))]
            if rng.random() < 0.25:
                groups = [groups[0][: rng.randint(3, len(groups[0]))]]
        return " ".join(groups)
