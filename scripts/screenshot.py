"""Takes docs/page.png: a drawn bilingual receipt, read by a running service, on its page.

    ocrsvc serve &
    python scripts/screenshot.py http://127.0.0.1:8000 docs/page.png

Needs the extra ``dev``, a Chromium and Noto Sans CJK.
"""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import FilePayload, sync_playwright

FONT = "/usr/share/fonts/opentype/noto/NotoSansCJK-{}.ttc"
SIMPLIFIED_CHINESE = 2  # the face of that collection
WIDTH, HEIGHT, MARGIN = 760, 1100, 60
DESK, PAPER, INK = (86, 74, 64), (247, 246, 242), (38, 38, 42)

# y, size, weight, text on the left (or in the middle), text on the right
ROWS: tuple[tuple[int, int, str, str, str | None], ...] = (
    (56, 46, "Bold", "和平路便利店", None),
    (122, 26, "Regular", "HEPING ROAD CONVENIENCE", None),
    (196, 28, "Regular", "日期 Date", "2026-11-21 14:03"),
    (248, 28, "Regular", "单号 No.", "HP-20261121-0387"),
    (300, 28, "Regular", "收银员 Cashier", "王晓燕 03"),
    (390, 30, "Regular", "苹果汁 Apple juice 1L", "12.50"),
    (446, 30, "Regular", "全麦面包 Wholemeal bread", "8.80"),
    (502, 30, "Regular", "鲜牛奶 Fresh milk 950ml", "15.90"),
    (558, 30, "Regular", "乌龙茶 Oolong tea × 2", "24.00"),
    (614, 30, "Regular", "酱油 Soy sauce 500ml", "9.90"),
    (670, 30, "Regular", "电池 Battery AA×4", "18.00"),
    (766, 34, "Bold", "合计 TOTAL", "89.10"),
    (828, 34, "Bold", "微信支付 WeChat Pay", "89.10"),
    (926, 30, "Regular", "谢谢惠顾，欢迎下次光临！", None),
    (982, 26, "Regular", "Thank you and see you soon", None),
)


def receipt() -> bytes:
    """Return a JPEG of the receipt, lying a little askew on a desk."""
    paper = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    pen = ImageDraw.Draw(paper)
    for y, size, weight, left, right in ROWS:
        font = ImageFont.truetype(FONT.format(weight), size, index=SIMPLIFIED_CHINESE)
        if right is None:
            pen.text((WIDTH / 2, y), left, INK, font, anchor="ma")
        else:
            pen.text((MARGIN, y), left, INK, font)
            pen.text((WIDTH - MARGIN, y), right, INK, font, anchor="ra")
    for y in (364, 738):
        pen.line((MARGIN, y, WIDTH - MARGIN, y), fill=(130, 130, 130), width=2)
    for y in range(672, 712, 7):  # a worn print head, so that there is something to check
        pen.line((MARGIN - 4, y, MARGIN + 300, y + 3), fill=PAPER, width=3)
    turned = paper.convert("RGBA").rotate(2.5, Image.Resampling.BICUBIC, expand=True)
    desk = Image.new("RGB", (turned.width + 130, turned.height + 70), DESK)
    desk.paste(turned, (65, 35), turned)
    photo = io.BytesIO()
    desk.save(photo, "JPEG", quality=88)
    return photo.getvalue()


def main(url: str, target: Path) -> None:
    """Read the receipt on the page at ``url`` and write the picture of the page to ``target``."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("no Chromium: install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1360, "height": 820}, locale="en-GB")
        page.goto(url)
        photo = FilePayload(name="receipt.jpg", mimeType="image/jpeg", buffer=receipt())
        page.set_input_files("#files", photo)
        page.wait_for_selector(".entry[data-state=done]", timeout=60_000)
        page.locator(".row", has_text="Fresh milk").click()
        page.keyboard.press("d")  # the next line to check, if there is one
        page.locator(".row", has_text="TOTAL").hover()
        page.wait_for_timeout(500)  # the picture scrolls to the chosen line
        shot = Image.open(io.BytesIO(page.screenshot()))
        browser.close()
    shot.convert("RGB").save(target, optimize=True)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], Path(sys.argv[2]))
