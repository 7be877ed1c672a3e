"""Random texts in Traditional Chinese as written in Taiwan and Hong Kong: forms, addresses, news, shops, Cantonese."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence, Set

_CITIES = (
    "臺北市 台北市 新北市 桃園市 臺中市 台中市 臺南市 高雄市 基隆市 新竹縣 苗栗縣 彰化縣 南投縣 雲林縣 "
    "嘉義縣 屏東縣 宜蘭縣 花蓮縣 臺東縣 澎湖縣 金門縣"
).split()
_TOWNS = (
    "中正區 大安區 信義區 萬華區 士林區 板橋區 三重區 淡水區 鶯歌區 中壢區 龍潭區 北屯區 鹽埕區 鼓山區 "
    "頭份市 竹東鎮 鹿港鎮 埔里鎮 斗六市 民雄鄉 "
    "恆春鎮 羅東鎮 壽豐鄉 卑南鄉 馬公市 金城鎮 烏來區 臺西鄉 麟洛鄉 莿桐鄉"
).split()
_VILLAGES = "里 村".split()
_STREETS = (
    "中山路 忠孝東路 仁愛路 信義路 和平西路 羅斯福路 民權路 復興南路 中華路 成功路 博愛街 文化路 "
    "環河南路 縣府路 鐵路街 學府路 廣東路 體育場路"
).split()
_HONG_KONG = (
    "中環 銅鑼灣 灣仔 北角 鰂魚涌 筲箕灣 柴灣 尖沙咀 油麻地 旺角 深水埗 長沙灣 荔枝角 觀塘 牛頭角 "
    "九龍灣 黃大仙 鑽石山 荃灣 葵涌 青衣 屯門 元朗 "
    "天水圍 粉嶺 上水 大埔墟 沙田 馬鞍山 將軍澳 東涌 赤鱲角 香港仔 鴨脷洲 大嶼山 長洲"
).split()
_HONG_KONG_STREETS = (
    "彌敦道 皇后大道中 德輔道西 軒尼詩道 莊士敦道 駱克道 告士打道 廣東道 亞皆老街 太子道東 窩打老道 "
    "荔枝角道 青山公路 英皇道"
).split()
_BUILDINGS = "大廈 中心 工業大廈 花園 邨 苑 廣場 商場 閣 樓 村".split()
_FORM = (
    "統一編號 發票號碼 營業人 買受人 品名 數量 單價 金額 銷售額合計 營業稅 應稅 零稅率 免稅 總計 "
    "總計新臺幣 備註 扣繳單位 身分證字號 護照號碼 出生年月日 "
    "戶籍地址 通訊地址 聯絡電話 行動電話 傳真 電子郵件 職稱 單位 負責人 承辦人 監護人 緊急聯絡人 血型 "
    "婚姻狀況 學歷 經歷 證書字號 有效期限 發照日期 "
    "健保卡號 病歷號碼 就診科別 診斷 處方 過敏 車牌號碼 引擎號碼 保險證號 要保人 被保險人 受益人 "
    "繳費期限 應繳總金額 代收 收據 印鑑 簽章 申請人簽名"
).split()
_HONG_KONG_FORM = (
    "香港身份證號碼 商業登記證號碼 公司註冊編號 地址 電話 傳真 日期 發票編號 數量 單價 總額 港幣 "
    "付款方式 銀行賬戶 收款人 簽署 職位 學校 班別 家長姓名 "
    "保單號碼 強積金 差餉 租金 管理費 水費 電費 上期結欠 應繳款額 到期日 醫生 診症時間 覆診日期 藥物 "
    "劑量 八達通 車費 目的地"
).split()
_NEWS = (
    "記者 報導 指出 表示 預計 強調 宣布 調查 顯示 影響 總統府 行政院 立法院 衛福部 經濟部 教育部 "
    "氣象署 警方 消防局 檢方 法院 縣府 市府 議員 選舉 "
    "民眾 業者 專家 學者 醫師 颱風 地震 豪雨 土石流 停電 物價 通膨 升息 股市 台積電 半導體 捷運 高鐵 "
    "機場 觀光 夜市 演唱會 棒球 立法會 特首 港鐵 "
    "運輸署 天文台 黑色暴雨警告 樓價 恒指 金管局 警務處 入境事務處 醫管局 長者 基層 劏房 公屋 輪候 "
    "開幕 閉幕 國際 發展 經濟 關係 獲獎 創辦"
).split()
_CONNECTIVES = "，。、；的是在與及對於從將已並但因為所以以及以來之後目前近日昨天今日"
_CANTONESE = (
    "你食咗飯未呀|我哋而家去邊度|佢唔喺度|唔該晒|唔好意思|今日好凍啊|點解會咁㗎|有冇搞錯|我唔知點算好|"
    "你哋幾時嚟|邊個話畀你知|呢個幾多錢|"
    "嗰間舖頭執咗笠|佢哋喺度傾緊偈|我想買嘢|返工好攰|快啲啦|慢慢嚟|搵唔到|係咪真係|咪搞我|乜嘢嚟㗎|"
    "冇問題|聽日見|琴日落大雨|一齊去睇戲|啱啱好|"
    "執嘢走人|靚仔靚女|平啲得唔得|俾我望下|唔使擔心|一陣間見|梗係啦|好犀利|成日都係咁|仲有冇位|"
    "邊度有得食|飲啖茶先|搭的士定搭巴士|落雨收衫|咁樣唔得"
).split("|")
_SHOPS = (
    "茶餐廳 冰室 燒臘飯店 雲吞麵家 粥麵專家 海鮮酒家 大押 金行 藥房 涼茶舖 餅店 士多 麻雀館 眼鏡 時裝 "
    "電器 牛肉麵 小籠包 豆花 鹹酥雞 蚵仔煎 臭豆腐 "
    "珍珠奶茶 早餐店 藥局 診所 牙醫 機車行 自助洗衣 檳榔 便當 鵝肉 羊肉爐 薑母鴨 當舖 彩券行 補習班 "
    "書局 文具 五金行"
).split()
_DIGITS = "0123456789"


class Regions:
    """Generator of such texts; ``label`` and ``name`` (of a person) draw Traditional Chinese.

    Of the lists, only what can be written in ``allowed`` characters is drawn.
    """

    def __init__(
        self, rng: random.Random, label: Callable[[], str], name: Callable[[], str], allowed: Set[str]
    ) -> None:
        self.rng = rng
        self.label = label
        self.name = name
        self.spoken = _writable(_CANTONESE, allowed) or ["好"]
        self.particles = ["", "", *_writable("啦 喎 呀 㗎 囉 咩 ！ ？ 。".split(), allowed)]
        self.districts = _writable(_HONG_KONG, allowed) or ["中環"]
        self.shops = _writable(_SHOPS, allowed) or ["茶餐廳"]

    def line(self) -> str:
        """Draw a text of one of these kinds."""
        draw = self.rng.random()
        if draw < 0.3:
            return self.taiwan()
        if draw < 0.5:
            return self.hong_kong()
        if draw < 0.72:
            return self.news()
        return self.cantonese() if draw < 0.86 else self.shop()

    def _digits(self, count: int) -> str:
        return "".join(self.rng.choices(_DIGITS, k=count))

    def _capitals(self) -> str:
        rng = self.rng
        digits = "壹貳參肆伍陸柒捌玖"
        first, second, third = rng.choices(digits, k=3)
        return f"{first}{rng.choice(('萬', '仟', '佰'))}{second}{rng.choice(('佰', '拾', '仟'))}{third}"

    def address_taiwan(self) -> str:
        """Draw an address of Taiwan: 縣市, 鄉鎮市區, 村里, 鄰, road, section, lane, number, floor."""
        rng = self.rng
        text = rng.choice(_CITIES) + rng.choice(_TOWNS)
        if rng.random() < 0.4:
            text += f"{self.label()[:2]}{rng.choice(_VILLAGES)}{rng.randint(1, 40)}鄰"
        text += rng.choice(_STREETS)
        if rng.random() < 0.4:
            text += f"{rng.choice('一二三四五')}段"
        if rng.random() < 0.4:
            text += f"{rng.randint(1, 500)}巷"
        text += rng.choice(
            (
                f"{rng.randint(1, 500)}號",
                f"{rng.randint(1, 500)}號{rng.randint(2, 20)}樓",
                f"{rng.randint(1, 99)}號之{rng.randint(1, 9)}",
            )
        )
        return self._digits(rng.choice((3, 5))) + text if rng.random() < 0.25 else text

    def taiwan(self) -> str:
        """Draw a field of a form, an invoice or a bill of Taiwan, with years of the Republic (民國)."""
        rng = self.rng
        year, month, day = rng.randint(60, 119), rng.randint(1, 12), rng.randint(1, 28)
        key = rng.choice(_FORM)
        value = rng.choice(
            (
                lambda: self._digits(8),
                lambda: f"{rng.choice('ABCDEFGHJKLMNPQRSTUVXYWZ')}{rng.choice('12')}{self._digits(8)}",
                lambda: (
                    f"{rng.choice('ABCDEFGHJKLMNPQRSTUVWXYZ')}{rng.choice('ABCDEFGHJKLMNPQRSTUVWXYZ')}-{self._digits(8)}"
                ),
                lambda: f"民國{year}年{month}月{day}日",
                lambda: f"中華民國{year}年{month}月{day}日",
                lambda: f"{year}.{month:02d}.{day:02d}",
                lambda: f"{year}年{month:02d}-{month + 1:02d}月",
                lambda: f"新臺幣{self._capitals()}元整",
                lambda: f"新台幣 {rng.randint(1, 999999):,} 元",
                lambda: f"NT${rng.randint(1, 999999):,}",
                lambda: f"(0{rng.randint(2, 8)}){self._digits(4)}-{self._digits(4)}",
                lambda: f"(02) {self._digits(4)}-{self._digits(4)}",
                lambda: f"0{rng.randint(2, 8)}-{self._digits(3)}-{self._digits(4)}",
                lambda: f"09{self._digits(2)}-{self._digits(3)}-{self._digits(3)}",
                self.address_taiwan,
                self.name,
                self.label,
                lambda: f"{self.label()}股份有限公司",
                lambda: f"{rng.randint(1, 9999):,}元",
                lambda: f"{self._digits(3)}-{self._digits(4)}號",
            )
        )()
        return rng.choice(
            (value, value, key, f"{key}：{value}", f"{key}:{value}", f"{key} {value}", f"{key} {value}")
        )

    def hong_kong(self) -> str:
        """Draw a field of a form, a bill or an address of Hong Kong."""
        rng = self.rng
        key = rng.choice(_HONG_KONG_FORM)
        place = rng.choice(self.districts)
        value = rng.choice(
            (
                lambda: f"{rng.choice('ABCDEGHKMPRVYZ')}{self._digits(6)}({rng.choice('0123456789A')})",
                lambda: f"HK${rng.randint(1, 99999):,}.{self._digits(2)}",
                lambda: f"港幣 {rng.randint(1, 99999):,} 元正",
                lambda: f"港幣{self._capitals()}元正",
                lambda: f"{rng.choice('2356789')}{self._digits(3)} {self._digits(4)}",
                lambda: f"(852) {rng.choice('23')}{self._digits(3)} {self._digits(4)}",
                lambda: f"+852 {rng.choice('569')}{self._digits(3)}-{self._digits(4)}",
                lambda: (
                    f"{place}{rng.choice(_HONG_KONG_STREETS)}{rng.randint(1, 800)}號{self.label()[:2]}"
                    f"{rng.choice(_BUILDINGS)}{rng.randint(1, 40)}樓{rng.choice('ABCDEFGH')}室"
                ),
                lambda: (
                    f"{rng.choice(('香港', '九龍', '新界'))}{place}"
                    f"{rng.choice(_HONG_KONG_STREETS)}{rng.randint(1, 800)}號地下"
                ),
                lambda: (
                    f"{place}{self.label()[:2]}{rng.choice(_BUILDINGS)}{rng.randint(1, 20)}座{rng.randint(1, 40)}字樓"
                ),
                lambda: f"{place}站{rng.choice('ABCDEF')}{rng.randint(1, 4)}出口",
                lambda: f"往{place}方向",
                lambda: f"{rng.randint(1, 31)}/{rng.randint(1, 12)}/{rng.randint(1990, 2030)}",
                lambda: f"{rng.randint(1990, 2030)}年{rng.randint(1, 12)}月{rng.randint(1, 28)}日",
                self.name,
                lambda: f"{self.label()}有限公司",
                lambda: f"星期一至五 上午{rng.randint(7, 11)}時至下午{rng.randint(1, 9)}時",
            )
        )()
        return rng.choice((value, value, key, f"{key}：{value}", f"{key}:{value}", f"{key} {value}"))

    def news(self) -> str:
        """Draw a stretch that looks like news: words of the news, connectives, names, figures."""
        rng = self.rng
        parts: list[str] = []
        for _ in range(rng.randint(2, 6)):
            draw = rng.random()
            if draw < 0.4:
                parts.append(rng.choice(_NEWS))
            elif draw < 0.75:
                parts.append(self.label())
            elif draw < 0.83:
                parts.append(self.name())
            elif draw < 0.92:
                parts.append(
                    rng.choice(
                        (
                            f"{rng.randint(1, 100)}%",
                            f"{rng.randint(2, 999)}人",
                            f"{rng.randint(1, 999)}億元",
                            f"{rng.randint(1990, 2030)}年",
                            f"第{rng.randint(1, 60)}屆",
                        )
                    )
                )
            else:
                parts.append(f"「{self.label()}」")
            if rng.random() < 0.5:
                parts.append(rng.choice(_CONNECTIVES))
        return "".join(parts)[: rng.randint(6, 34)]

    def cantonese(self) -> str:
        """Draw written Cantonese, at times with a word or a particle more."""
        rng = self.rng
        text = rng.choice(self.spoken)
        draw = rng.random()
        if draw < 0.3:
            text += rng.choice(("，", "！", "？", "")) + rng.choice(self.spoken)
        elif draw < 0.6:
            at = rng.randint(0, len(text))
            text = text[:at] + self.label() + text[at:]
        elif draw < 0.75:
            text = self.label() + rng.choice("嘅咗啲喺係同畀") + self.label()
        return text + rng.choice(self.particles)

    def shop(self) -> str:
        """Draw the sign of a shop."""
        rng = self.rng
        text = self.label()[: rng.randint(2, 4)] + rng.choice(self.shops)
        return rng.choice(
            (
                text,
                text,
                f"{rng.choice(self.districts)}{text}",
                f"{text} {rng.choice(self.shops)}",
                f"{self.name()[:1]}記{rng.choice(self.shops)}",
                f"正宗{rng.choice(self.shops)}",
            )
        )


def _writable(texts: Sequence[str], allowed: Set[str]) -> list[str]:
    return [text for text in texts if set(text) <= allowed]
