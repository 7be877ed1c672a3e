"""Documents as people write them, printed to PDF by Chromium: Chinese and English prose, tables, several faces."""

from __future__ import annotations

import html
import random
import shutil
import subprocess
import tempfile
from pathlib import Path

_CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "chrome")
_SECONDS = 300.0
_CHINESE = (
    "根据双方签订的采购合同,供应商应当在收到订单后十个工作日内完成交货。",
    "本季度的营业收入为三亿二千万元,比上年同期增长百分之十二点五。",
    "使用前请仔细阅读说明书,并将其妥善保管以备日后查阅。",
    "项目组在现场检查了所有设备的运行状况,未发现明显的安全隐患。",
    "各部门负责人应于每月五日前提交上一个月的工作总结和下个月的计划。",
    "该算法在公开数据集上的准确率达到了百分之九十七,优于以往的方法。",
    "如果指示灯持续闪烁,请关闭电源,等待三十秒之后重新启动机器。",
    "图书馆新馆位于校园东侧,总建筑面积约四万平方米,藏书超过两百万册。",
    "委员会认为,应当进一步完善数据保护制度,明确各方的权利和义务。",
    "患者每日服用两次,每次一片,饭后温水送服,连续服用不超过七天。",
)
_ENGLISH = (
    "The committee reviewed the annual report and approved the budget for the coming year.",
    "Before you replace the filter, switch off the pump and close both valves.",
    "Sales in the northern region rose by 7.4 % while shipping costs remained stable.",
    "Each sample was measured three times, and the median was used for all figures.",
    "This agreement may be terminated by either party with thirty days' written notice.",
    "Passengers are requested to keep their tickets until the end of the journey.",
    "The older buildings on the square were restored after the flood of 1954.",
    "An empty field is stored as zero; a missing one is not stored at all.",
)
_GOODS = (
    "螺栓 M8",
    "不锈钢板",
    "Bearing 6204",
    "打印纸 A4",
    "Cable USB-C",
    "显示器 27 寸",
    "Filter HX-20",
    "茶叶",
)
_FACES = (
    "'Noto Sans CJK SC'",
    "'Noto Serif CJK SC'",
    "'AR PL UKai CN', 'Noto Sans CJK SC'",
    "'DejaVu Serif', 'Noto Serif CJK SC'",
    "'Liberation Sans', 'DejaVu Sans', 'Noto Sans CJK SC'",
)
_STYLE = """
@page { size: A4; margin: 20mm }
section { break-after: page; font-size: 10.5pt; line-height: 1.45 }
h2 { font-size: 15pt } table { border-collapse: collapse; width: 100% }
td, th { border: 0.5pt solid #555; padding: 2pt 5pt; font-size: 9pt; text-align: left }
td:nth-child(n+3) { text-align: right }
"""


def document(pages: int, seed: int = 0) -> str:
    """Return a document of this many A4 pages as HTML; the same for the same seed."""
    rng = random.Random(seed)
    sections = (_section(number, rng) for number in range(1, pages + 1))
    return f"<!doctype html><meta charset=utf-8><style>{_STYLE}</style>{''.join(sections)}"


def _section(number: int, rng: random.Random) -> str:
    faces = [rng.choice(_FACES) for _ in range(3)]
    parts = [f'<h2 style="font-family:{faces[0]}">第 {number} 章 Chapter {number}</h2>']
    for face in faces[1:]:
        for sentences in (_CHINESE, _ENGLISH):
            text = html.escape("".join(f"{rng.choice(sentences)} " for _ in range(5)))
            parts.append(f'<p style="font-family:{face}">{text}</p>')
    parts.append(_table(faces[1], rng))
    parts.append(f'<p style="font-family:{faces[2]}">{html.escape(" ".join(rng.sample(_ENGLISH, 3)))}</p>')
    return f"<section>{''.join(parts)}</section>"


def _table(face: str, rng: random.Random) -> str:
    rows = ["<tr><th>No.</th><th>品名 Item</th><th>数量</th><th>单价</th><th>金额 Amount</th></tr>"]
    for number in range(1, rng.randint(6, 12)):
        count, price = rng.randint(1, 400), rng.randint(100, 99_999) / 100
        cells = (number, rng.choice(_GOODS), count, f"{price:.2f}", f"{count * price:,.2f}")
        rows.append(f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    return f'<table style="font-family:{face}">{"".join(rows)}</table>'


def chromium() -> str | None:
    """Return the path of a Chromium, or None."""
    return next((path for name in _CHROMIUM if (path := shutil.which(name))), None)


def pdf(text: str, program: str) -> bytes:
    """Return what this Chromium prints of a document in HTML."""
    with tempfile.TemporaryDirectory() as folder:
        page, out = Path(folder) / "page.html", Path(folder) / "out.pdf"
        page.write_text(text, encoding="utf-8")
        command = [
            program,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={folder}/profile",
        ]
        command += ["--no-pdf-header-footer", f"--print-to-pdf={out}", page.as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=_SECONDS)
        return out.read_bytes()
