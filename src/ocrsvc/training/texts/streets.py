"""Random texts seen outdoors and on goods: shop signs, street signs, price labels, book spines, brands, terminals."""

from __future__ import annotations

import random
from collections.abc import Callable

from ocrsvc.training.texts.words import Weighted

_TRADES = (
    "超市 便利店 水果店 药房 大药房 五金建材 烟酒 茶叶 美容美发 理发店 足浴 网吧 宾馆 酒店 快餐 面馆 "
    "饺子馆 火锅 烧烤 川菜馆 早餐 包子铺 "
    "奶茶 咖啡 蛋糕 母婴 童装 鞋店 眼镜 手机维修 打印复印 房产中介 汽修 洗车 轮胎 加油站 停车场 干洗 "
    "花店 文具 书店 诊所 牙科 宠物医院 银行 "
    "茶餐廳 冰室 燒臘 雲吞麵 牛肉麵 鹽酥雞 豆漿 藥局 藥房 髮廊 當舖 眼鏡 機車行 便當 滷肉飯 麵包 鐘錶 "
    "珠寶金行 海味 雜貨"
).split()
_NOTICES = (
    "禁止吸烟 禁止停车 小心地滑 请勿触摸 请勿靠近 安全出口 紧急出口 消防通道 严禁烟火 注意安全 出口 "
    "入口 洗手间 收银台 问讯处 候车室 电梯 "
    "前方施工 减速慢行 车辆绕行 限速 单行道 公交专用 招租 转让 出租 清仓 打折 全场五折 营业中 休息中 "
    "暂停服务 请排队 推 拉 "
    "小心梯級 請勿吸煙 不准停車 禁止標貼 出口 入口 洗手間 緊急出口 小心月台空隙 服務中心 行人專用"
).split()
_ROADS = "路 街 大道 巷 弄 胡同 大街 高速 桥 隧道 立交 广场 道 里 段".split()
_WAYS = "东 西 南 北 中 East West North South E W N S".split()
_NOTICES_ENGLISH = (
    "EXIT|ENTRANCE|NO SMOKING|NO PARKING|STOP|SALE|OPEN|CLOSED|PUSH|PULL|TOILET|RESTROOM|INFORMATION|"
    "CASHIER|TAXI|BUS|METRO|"
    "WAY OUT|CAUTION|DANGER|KEEP LEFT|SPEED LIMIT|ONE WAY|DO NOT ENTER|FIRE EXIT|PUBLIC LIBRARY|COFFEE|"
    "FREE WIFI|50% OFF|"
    "BUY 1 GET 1|NEW ARRIVAL|PARKING|HOTEL|RESTAURANT|PHARMACY|BAKERY|BOUTIQUE|BANK|POLICE|POST OFFICE|"
    "CAFE & BAR|MALL"
).split("|")
_SYLLABLES = (
    "ta ri mo ne ka lo ve xi zo pha lu mi so ra no vi ko del ar en or ix um ia tec ney gra bel fon sta "
    "cor dia pre quo vel"
).split()
_SUFFIXES = (
    "& Co.|INC.|Ltd|LTD.|GmbH|Pro|PLUS|Max|Lite|®|™|'s|Studio|Lab|Group|Design|Foods|Coffee|Bar|Express|24h|+"
).split("|")
_GOODS = (
    "牛奶 酸奶 面包 方便面 大米 食用油 酱油 矿泉水 可乐 啤酒 饼干 薯片 巧克力 纸巾 洗衣液 牙膏 洗发水 "
    "苹果 香蕉 五花肉 鸡蛋 豆腐 口香糖"
).split()
_SIZES = (
    "500g 1kg 250ml 330mL 1.5L 2.5L 5L 12片 24罐 6瓶 100抽×3 10包 180g×2 /斤 /kg /盒 /袋 /件 净含量:85克"
).split()
_PRICES = "会员价 促销价 特价 原价 现价 单价 零售价 疯抢价 第二件半价 優惠價 特惠 NT$ HK$".split()
_IMPRINTS = (
    "人民出版社 商务印书馆 中华书局 三联书店 机械工业出版社 高等教育出版社 人民邮电出版社 聯經出版 "
    "三民書局 上海译文出版社 PRESS"
).split()
_CODES = "ABCDEFGHJKLMNPQRSTUVWXYZ"
_TERMINALS = (
    "GND VCC L1 L2 L3 N PE COM NO NC A+ B- TX RX +24V 0V DI DO AI AO U V W SA SB KM KA FU QF X Y"
).split()


class Streets:
    """Generator of such texts; ``label`` and ``name`` (of a person) draw Chinese, ``english`` are words."""

    def __init__(
        self,
        rng: random.Random,
        label: Callable[[], str],
        name: Callable[[], str],
        english: Weighted,
    ) -> None:
        self.rng = rng
        self.label = label
        self.name = name
        self.english = english

    def _word(self) -> str:
        return self.english.draw(self.rng)

    def shop(self) -> str:
        """Draw the sign of a shop, a notice, or the telephone number below it."""
        rng = self.rng
        trade = rng.choice(_TRADES)
        forms = (
            self.label()[:4] + trade,
            self.label()[:4] + trade,
            self.name()[:1] + rng.choice(("记", "氏", "家", "姐", "師傅")) + trade,
            f"{rng.choice(('老', '新', '小', '大', '正宗', '重庆', '兰州', '沙县', '港式'))}{self.label()[:3]}{trade}",
            f"{trade} {trade}" if rng.random() < 0.3 else trade,
            "·".join(rng.sample(_TRADES, rng.randint(2, 4))),
            f"{self.label()[:4]}{trade}（{self.label()[:3]}店）",
            rng.choice(_NOTICES),
            rng.choice(_NOTICES),
            f"{rng.choice(('电话', '订餐热线', 'TEL', '加盟热线', '電話'))}：{rng.randint(10**10, 2 * 10**10)}",
            f"营业时间 {rng.randint(6, 11)}:00-{rng.randint(18, 24)}:00",
            f"{trade} {self._word().upper()}",
        )
        return rng.choice(forms)

    def road(self) -> str:
        """Draw a street sign, a house number, a station, a distance."""
        rng = self.rng
        place, road = self.label()[:3], rng.choice(_ROADS)
        forms = (
            f"{place}{rng.choice(_WAYS[:5])}{road}",
            f"{place}{road}",
            f"{place}{road}{rng.randint(1, 2999)}号",
            f"{rng.randint(1, 60)}栋{rng.randint(1, 9)}单元{rng.randint(1, 33)}{rng.randint(0, 9):02d}室",
            f"{place}站",
            f"{place}站 {self._word().title()} Station",
            f"G{rng.randint(1, 99)} {place}高速",
            f"S{rng.randint(1, 99)} {place}出口 {rng.randint(1, 99)}km",
            f"{place} {rng.randint(1, 300)}km",
            f"{rng.randint(1, 999)}路",
            f"{self._word().title()} {rng.choice(('Rd', 'St', 'Ave', 'Road', 'Street', 'Lane', 'Blvd'))}",
            f"{self._word().upper()} {rng.choice(('RD', 'ST', 'AVE', 'ROAD', 'STREET'))} {rng.choice(_WAYS[5:])}",
            f"{rng.choice(('往', '开往', '至', '往 '))}{place}",
            f"{place}{rng.choice(('小区', '花园', '大厦', '广场', '小学', '医院', '村', '大樓', '廣場', '邨'))}",
        )
        return rng.choice(forms)

    def price(self) -> str:
        """Draw a price label or a line of it."""
        rng = self.rng
        value = (
            f"{rng.randint(0, 199)}.{rng.choice(('90', '99', '80', '50', '00', f'{rng.randint(0, 99):02d}'))}"
        )
        goods = self.label()[:3] + rng.choice(_GOODS)
        forms = (
            f"￥{value}",
            f"￥ {value}",
            value,
            f"{value}元",
            f"{value}{rng.choice(_SIZES)}",
            f"{goods} {rng.choice(_SIZES)}",
            f"{goods} ￥{value}",
            f"{rng.choice(_PRICES)}:{value}",
            f"{rng.choice(_PRICES)} ￥{value}",
            f"{rng.choice(('NT$', 'HK$', '$', '€', 'US$', 'RM'))}{value}",
            f"{rng.randint(1, 9)}折",
            f"买{rng.randint(1, 5)}送{rng.randint(1, 3)}",
            f"满{rng.randint(1, 9)}00减{rng.randint(1, 9)}0",
            f"69{rng.randint(10**10, 10**11 - 1)}",
            f"产地：{self.label()[:3]} 等级：一级",
        )
        return rng.choice(forms)

    def title(self) -> str:
        """Draw the spine of a book, the title of a film, or the name of a product."""
        rng = self.rng
        name = self.label() + rng.choice(
            ("", "", rng.choice(("史", "论", "概论", "传", "集", "的艺术", "导论", "手册", "全书", "入门")))
        )
        brand = self.brand()
        forms = (
            name,
            f"《{name}》",
            f"{name} {self.name()} 著",
            f"{self.name()} {name}",
            f"{name} {rng.choice(_IMPRINTS)}",
            rng.choice(_IMPRINTS),
            f"{name}（第{rng.choice('一二三四五六')}版）",
            f"{name} {rng.choice('上中下ⅠⅡ')}",
            f"{brand} {self.label()}",
            f"{brand} {rng.choice(_CODES)}{rng.randint(1, 999)} {self.label()[:4]}",
            f"{brand} {self._word().title()}",
            f"THE {self._word().upper()} OF {self._word().upper()}",
        )
        return rng.choice(forms)

    def brand(self) -> str:
        """Draw a made-up name that looks like a brand: no dictionary helps to read it."""
        rng = self.rng
        word = "".join(rng.choices(_SYLLABLES, k=rng.randint(2, 4)))
        word = rng.choice((word.capitalize(), word.upper(), word, word.capitalize() + word[:2].capitalize()))
        return word + (rng.choice(("", " ")) + rng.choice(_SUFFIXES) if rng.random() < 0.2 else "")

    def street_word(self) -> str:
        """Draw one to three English words as on signs: capitals, mixed case, punctuation, made-up names."""
        rng, draw = self.rng, self.rng.random()
        if draw < 0.22:
            return self.brand()
        if draw < 0.32:
            return rng.choice(_NOTICES_ENGLISH)
        words = [self._word() for _ in range(rng.choice((1, 1, 1, 1, 2, 2, 3)))]
        text = " ".join(words)
        text = rng.choice((text.upper(), text.upper(), text.title(), text.title(), text, text.swapcase()))
        if rng.random() < 0.25:
            forms = (
                *(text + mark for mark in ("!", "?", ",", ".", "'s", ":", "™", "...", "+")),
                f"“{text}”",
                f'"{text}"',
                f"({text})",
                f"#{text}",
                f"{text}-{self._word()}",
                f"{text}/{self._word()}",
                f"{text} & {self._word().title()}",
                f"{text} {rng.randint(1, 99)}",
                f"{rng.randint(1, 99)} {text}",
                f"${rng.randint(1, 99)}.{rng.randint(0, 99):02d}",
                f"{rng.randint(1, 99)}%",
            )
            text = rng.choice(forms)
        return text

    def terminal(self) -> str:
        """Draw a code as on wires, terminals, parts and pipes."""
        rng = self.rng
        letters = "".join(rng.choices(_CODES, k=rng.choice((1, 1, 2, 2, 3))))
        digits = str(rng.randint(0, 10 ** rng.randint(1, 5) - 1))
        forms = (
            digits,
            letters,
            letters + digits,
            digits + letters,
            f"{rng.randint(1, 9)}{letters}{rng.randint(1, 99)}",
            f"{letters}{rng.randint(0, 20)}.{rng.randint(0, 9)}",
            f"{letters}{digits}-{rng.randint(1, 9)}",
            f"{rng.choice((12, 24, 48, 220))}V_{letters}{rng.randint(0, 20):02d}",
            f"-{letters}{digits}",
            f"{letters}-{digits}",
            f"{letters}:{rng.randint(1, 20)}",
            f"+{rng.choice((5, 12, 24))}V",
            rng.choice(_TERMINALS),
            f"{rng.choice(_TERMINALS)}{rng.randint(1, 20)}",
            f"{rng.choice(_TERMINALS)}-{rng.choice(_TERMINALS)}{rng.randint(1, 9)}",
            f"={letters}{rng.randint(1, 9)}+{letters}{rng.randint(1, 9)}",
            f"{rng.randint(1, 40)}/{rng.randint(1, 40)}",
            f"SN:{letters}{rng.randint(10**5, 10**9)}",
            f"M{rng.randint(2, 20)}x{rng.randint(5, 80)}",
        )
        return rng.choice(forms)
