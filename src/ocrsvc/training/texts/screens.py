"""Random texts of screens: buttons, menus, files, addresses, logs, games, subtitles, chat."""

from __future__ import annotations

import random
from collections.abc import Callable

from ocrsvc.training.texts.words import Weighted

_BUTTONS = (
    "确定 取消 保存 删除 编辑 返回 下一步 上一步 提交 登录 注册 退出 搜索 设置 帮助 更多 分享 收藏 "
    "关注 下载 上传 打开 关闭 刷新 重试 "
    "复制 粘贴 剪切 全选 撤销 新建 重命名 属性 打印 导出 导入 开始 暂停 继续 停止 发送 立即购买 "
    "加入购物车 去结算 查看详情 我的 首页 消息 "
    "购物车 个人中心 忘记密码 记住密码 验证码 获取验证码 同意 拒绝 允许 不再提示 已完成 待付款 待发货 "
    "全部 推荐 热门 最新 直播 筛选 排序 "
    "确認 儲存 刪除 編輯 設定 登入 註冊 搜尋 下載 檔案 檢視 說明 關閉 開啟 取消訂閱"
).split()
_MENUS = (
    "文件 编辑 查看 视图 收藏夹 插入 格式 工具 数据 窗口 帮助 选项 历史 书签 项目 调试 打开 关闭 浏览 保存 另存为 "
    "打印 属性 退出 确定 取消 应用 是 否 下一步 上一步 完成 安装 复制 粘贴 剪切 删除 全选 查找 替换 撤消 刷新 转到 "
    "重命名 新建 停止 重试 忽略 浏览器 全部替换 不再显示 "
    "檔案 編輯 檢視 歷史 書籤 說明 視窗 格式 資料 我的最愛 開啟 關閉 瀏覽 儲存 另存新檔 列印 內容 結束 確定 套用 "
    "復原 貼上 剪下 尋找 取代 全選 重新整理 下載 選項 新增 移除 上移 下移 啟動 安裝 記錄 密碼 快取"
).split()
_BUTTONS_ENGLISH = (
    "OK|Cancel|Save|Save as...|Delete|Edit|Back|Next|Submit|Log in|Sign up|Log out|Search|Settings|"
    "Help|More|Share|Download|"
    "Upload|Open|Close|Refresh|Retry|Copy|Paste|Cut|Select all|Undo|New|Rename|Properties|Print|Export|"
    "Import|Start|Stop|"
    "Send|Add to cart|Checkout|Home|Messages|Forgot password?|Remember me|Accept all|Decline|"
    "Don't show again|Apply|"
    "File|View|Tools|Window|Format|Insert|Run|Debug|Terminal|Preferences|Sign in with email|Learn more|"
    "Read more|Skip"
).split("|")
_KEYS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ" * 3 + "FEVTHSBDOPNAC" * 2 + "123456789"
_EXTENSIONS = (
    "txt pdf docx xlsx pptx png jpg gif mp4 mp3 zip tar.gz py js ts json yaml md html css csv log exe "
    "dll iso apk sh c cpp java go rs"
).split()
_LEVELS = "INFO WARN ERROR DEBUG TRACE FATAL [info] [error] warning: note:".split()
_SITES = "com cn org net io com.cn edu.cn gov.cn com.tw com.hk co.uk dev app me".split()
_ITEMS = (
    "剑 刀 弓 法杖 战甲 护符 药水 卷轴 宝箱 戒指 项链 头盔 战靴 披风 羽毛 水晶 精华 碎片 勋章 礼包 "
    "坐骑 灵石 丹 秘籍 魔核 符文"
).split()
_QUALITIES = (
    "普通 精良 稀有 史诗 传说 神话 破碎的 燃烧的 寒冰 暗影 圣光 龙鳞 千年 上古 玄铁 炽焰 雷霆 幽冥 苍穹 天罡"
).split()
_STATS = (
    "攻击 防御 生命 魔法 暴击率 命中 闪避 速度 力量 敏捷 智力 体质 经验 金币 战力 护甲 穿透 吸血 冷却 怒气"
).split()
_STATS_ENGLISH = (
    "HP MP ATK DEF SPD EXP STR DEX INT CRIT Lv. LV Gold Score COMBO KILLS Wave Stage Round Lives TIME BONUS"
).split()
_EVENTS = (
    "胜利|失败|暴击|闪避|连击|首杀|双杀|升级|获得|完成任务|击杀|准备战斗|游戏结束|点击继续|通关|排位赛|"
    "匹配中|GAME OVER|VICTORY|DEFEAT|MISS|"
    "CRITICAL|LEVEL UP|PRESS START|NEW RECORD|READY|PERFECT|GREAT|COMBO|PAUSE|WINNER|K.O.|任務完成|"
    "戰鬥開始|獲得經驗"
).split("|")
_CHAT = (
    "在吗 好的 收到 谢谢 哈哈哈 没事 晚安 早上好 辛苦了 明天见 等一下 马上到 你到哪了 什么时候 可以的 "
    "不客气 对不起 嗯嗯 哦哦 真的吗 太好了 加油 "
    "吃饭了吗 我在路上 稍等 发我一下 拍一下 转账 红包 语音通话 对方已取消 撤回了一条消息 以上是打招呼的内容"
).split()
_PARTICLES = "啊 呀 吧 呢 吗 哦 嘛 啦 哈 了 的 ～ ！ ？ ... 。".split()


class Screens:
    """Generator of texts of screens; ``label`` and ``chinese`` draw words, ``sentence`` running text."""

    def __init__(
        self, rng: random.Random, label: Callable[[], str], sentence: Callable[[], str], english: Weighted
    ) -> None:
        self.rng = rng
        self.label = label
        self.sentence = sentence
        self.english = english

    def _word(self) -> str:
        return self.english.draw(self.rng)

    def _name(self) -> str:
        """Draw the name of a file or of a variable, in one of the ways to join words."""
        rng = self.rng
        words = [self._word() for _ in range(rng.randint(1, 3))]
        return rng.choice(
            (
                "_".join(words),
                "-".join(words),
                "".join(word.capitalize() for word in words),
                words[0] + "".join(word.capitalize() for word in words[1:]),
                "".join(words).upper(),
                self.label(),
                f"{self.label()}({rng.randint(1, 9)})",
                f"IMG_{rng.randint(0, 9999):04d}",
            )
        )

    def interface(self) -> str:
        """Draw a button, a menu entry, a file name, a path, an address, a version, a size or a date of an interface."""
        rng = self.rng
        forms: tuple[Callable[[], str], ...] = (
            lambda: rng.choice(_BUTTONS),
            lambda: rng.choice(_BUTTONS),
            lambda: rng.choice(_BUTTONS_ENGLISH),
            lambda: rng.choice(_BUTTONS_ENGLISH),
            lambda: " ".join(rng.choices(_BUTTONS, k=rng.randint(2, 4))),
            self._mnemonic,
            self._mnemonic,
            self._menu,
            lambda: f"{rng.choice(_BUTTONS)}{self.label()}",
            lambda: f"{rng.choice(_BUTTONS_ENGLISH)} Ctrl+{rng.choice('ACFNOPSVXZ')}",
            lambda: f"{self.label()}（{rng.randint(1, 999)}）",
            lambda: f"{self.label()} ({rng.randint(1, 999)})",
            lambda: f"{self._name()}.{rng.choice(_EXTENSIONS)}",
            lambda: f"{self._name()}.{rng.choice(_EXTENSIONS)}",
            self._path,
            self._address,
            lambda: (
                f"{self._word()}{rng.choice(('', '.', '_'))}{rng.randint(1, 99)}@{self._word()}.{rng.choice(_SITES)}"
            ),
            lambda: (
                f"v{rng.randint(0, 20)}.{rng.randint(0, 30)}.{rng.randint(0, 9)}"
                f"{rng.choice(('', '-beta', '-rc.1', ' (64-bit)'))}"
            ),
            lambda: (
                f"{rng.uniform(0, 1024):.{rng.randint(0, 2)}f} "
                f"{rng.choice(('KB', 'MB', 'GB', 'B', 'kB/s', 'fps', 'ms'))}"
            ),
            lambda: f"{rng.randint(0, 23):02d}:{rng.randint(0, 59):02d}",
            lambda: (
                f"{rng.choice(('今天', '昨天', '星期一', '周三', '上午', '下午', '刚刚'))} "
                f"{rng.randint(0, 23):02d}:{rng.randint(0, 59):02d}"
            ),
            lambda: (
                f"{rng.randint(1, 59)}"
                f"{rng.choice(('分钟前', '小时前', '天前', '秒', '条评论', '人看过', '次播放', '万粉丝'))}"
            ),
            lambda: f"{self.label()}：{rng.randint(0, 100)}%",
            lambda: f"{rng.randint(1, 99)}/{rng.randint(1, 99)}",
            lambda: f"请输入{self.label()}",
            lambda: f"共{rng.randint(1, 999)}条 {rng.randint(1, 99)}页",
        )
        return rng.choice(forms)()

    def _mnemonic(self) -> str:
        """Draw an entry of a menu or a button with the letter of its key: 檔案(F), 儲存到 (V)..."""
        rng = self.rng
        name = rng.choice(_MENUS) if rng.random() < 0.7 else self.label()
        space = " " if rng.random() < 0.3 else ""
        return f"{name}{space}({rng.choice(_KEYS)}){rng.choice(('', '', '', '...', ':'))}"

    def _menu(self) -> str:
        """Draw some entries of a menu side by side."""
        rng = self.rng
        space = " " if rng.random() < 0.3 else ""
        names = rng.choices(_MENUS, k=rng.randint(2, 5))
        return " ".join(f"{name}{space}({rng.choice(_KEYS)})" for name in names)

    def _path(self) -> str:
        rng = self.rng
        parts = [self._name().replace(" ", "") for _ in range(rng.randint(1, 3))]
        start = rng.choice(("/usr/", "/home/", "~/", "./", "../", "C:\\", "D:\\", "\\\\"))
        return start + ("\\" if "\\" in start else "/").join(parts)

    def _address(self) -> str:
        rng = self.rng
        name = self._word() + rng.choice(("", f"-{self._word()}"))
        host = f"{rng.choice(('www.', '', 'm.', 'api.'))}{name}.{rng.choice(_SITES)}"
        path = "/".join(self._word() for _ in range(rng.randint(0, 3)))
        query = rng.choice(("", "", f"?id={rng.randint(1, 99999)}", f"#{self._word()}", ".html"))
        return rng.choice(("https://", "http://", "")) + host + (f"/{path}{query}" if path else "")

    def log(self) -> str:
        """Draw a line of a log, of a terminal or of source code."""
        rng = self.rng
        time = f"{rng.randint(0, 23):02d}:{rng.randint(0, 59):02d}:{rng.randint(0, 59):02d}"
        message = " ".join(self._word() for _ in range(rng.randint(2, 5)))
        forms = (
            f"{time} {rng.choice(_LEVELS)} {message}",
            f"20{rng.randint(10, 30)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d} {time} {message}",
            f"{rng.choice(_LEVELS)} {self._name()}: {message}",
            f"$ {self._word()} -{rng.choice('abcdefhlnrvx')} {self._name()}.{rng.choice(_EXTENSIONS)}",
            f'File "{self._name()}.py", line {rng.randint(1, 999)}',
            f"{self._word()}({self._word()}, {rng.randint(0, 99)});",
            f"if ({self._word()} {rng.choice(('==', '!=', '<=', '>='))} {rng.randint(0, 255)}) {{",
            f"0x{rng.randint(0, 2**32):08X}",
            f"{self._word()}_{self._word()} = {rng.choice(('true', 'null', str(rng.randint(0, 999))))}",
            f"HTTP/1.1 {rng.choice((200, 301, 403, 404, 500, 503))} {message}"[:40],
            f"[{rng.randint(1, 99)}/{rng.randint(100, 999)}] {message}",
            f"Exit code {rng.randint(0, 255)}",
        )
        return rng.choice(forms)

    def game(self) -> str:
        """Draw a text of a game: a level, damage, an item, a bonus, a count, an event."""
        rng = self.rng
        item = rng.choice(_QUALITIES) + rng.choice((self.label()[:2], "")) + rng.choice(_ITEMS)
        count = rng.choice((rng.randint(1, 99), rng.randint(100, 99999)))
        forms = (
            f"Lv.{rng.randint(1, 120)}",
            f"LV{rng.randint(1, 99)} {self.label()}",
            f"{rng.randint(1, 100)}级",
            f"-{count}",
            f"+{count}",
            f"{count}",
            f"暴击 {count}!",
            item,
            item,
            f"{item}×{rng.randint(1, 99)}",
            f"{item} x{rng.randint(1, 99)}",
            f"{item}+{rng.randint(1, 20)}",
            f"【{item}】",
            f"{rng.choice(_STATS)}+{rng.randint(1, 300)}{rng.choice(('', '%'))}",
            f"{rng.choice(_STATS)} +{rng.uniform(0, 50):.1f}%",
            f"{rng.choice(_STATS)}：{count}",
            f"{rng.choice(_STATS_ENGLISH)} {count}",
            f"{rng.choice(_STATS_ENGLISH)}: {count}/{count}",
            f"{rng.choice(_STATS_ENGLISH)} +{rng.randint(1, 99)}%",
            rng.choice(_EVENTS),
            f"获得{item}",
            f"{rng.choice(('主线', '支线', '日常', '活动'))}：{self.label()}({rng.randint(0, 9)}/{rng.randint(1, 10)})",
            f"{count}/{count}",
            f"{rng.randint(0, 59):02d}:{rng.randint(0, 59):02d}",
            f"第{rng.randint(1, 99)}{rng.choice('关层章波回')}",
            f"VIP{rng.randint(1, 15)}",
            f"战力 {count * 37}",
            f"[{self.label()}]",
            f"{rng.randint(1, 9)} KILLS",
            f"COMBO x{rng.randint(2, 99)}",
        )
        return rng.choice(forms)

    def subtitle(self) -> str:
        """Draw a subtitle of a film, in Chinese or in English."""
        rng = self.rng
        if rng.random() < 0.7:
            text = self.sentence().strip("，。、；：")[:22] or self.label()
            return text + rng.choice(("", "", "", rng.choice(_PARTICLES), "……", "——"))
        words = [self._word() for _ in range(rng.randint(2, 8))]
        words[0] = rng.choice(
            ("I", "You", "We", "He", "It's", "Don't", "Let's", "What", "Why", words[0].capitalize())
        )
        return rng.choice(("", "", "- ")) + " ".join(words) + rng.choice(".?!.,…")

    def chat(self) -> str:
        """Draw a message of a chat, a name with a time, or a call."""
        rng = self.rng
        text = rng.choice(_CHAT) if rng.random() < 0.4 else self.label() + rng.choice(_PARTICLES)
        forms = (
            text,
            text,
            text + rng.choice(_PARTICLES),
            f"{text}，{self.label()}{rng.choice(_PARTICLES)}",
            f"@{self.label()} {text}",
            f"{self.label()}：{text}",
            f"[{self.label()[:2]}]",
            f"{rng.choice(('上午', '下午', '晚上', '昨天'))}{rng.randint(1, 12)}:{rng.randint(0, 59):02d}",
            f"#{self.label()}#",
            f"￥{rng.randint(1, 999)}.{rng.randint(0, 99):02d} 已收款",
            " ".join(self._word() for _ in range(rng.randint(1, 5)))
            + rng.choice(("", "!", "?", " lol", " :)", "...")),
        )
        return rng.choice(forms)
