"""Families of typefaces by use: packages that have them, and how often each is drawn.

A family is named by a part of its files' names. Common print faces dominate, as in real documents.
"""

from __future__ import annotations

from collections.abc import Mapping

DEBIAN_PACKAGES = (
    "fonts-noto-cjk fonts-noto-cjk-extra fonts-wqy-microhei fonts-wqy-zenhei fonts-arphic-ukai "
    "fonts-arphic-uming fonts-arphic-gbsn00lp fonts-arphic-gkai00mp fonts-cwtex-fs fonts-cwtex-kai "
    "fonts-lxgw-wenkai fonts-smiley-sans fonts-dejavu fonts-liberation fonts-freefont-ttf "
    "fonts-open-sans fonts-roboto fonts-hack fonts-lato fonts-crosextra-carlito "
    "fonts-crosextra-caladea fonts-inconsolata fonts-courier-prime fonts-comfortaa fonts-cantarell "
    "fonts-firacode fonts-jetbrains-mono fonts-dseg fonts-unifont fonts-ocr-b "
    "fonts-arphic-bkai00mp fonts-arphic-bsmi00lp fonts-cwtex-ming fonts-cwtex-heib fonts-cwtex-yen "
    "fonts-ipafont-gothic fonts-ipafont-mincho fonts-vlgothic fonts-symbola "
    "fonts-cns11643-kai fonts-cns11643-sung fonts-seto fonts-kiloji fonts-kouzan-mouhitsu fonts-aoyagi-kouzan-t "
    "xfonts-wqy xfonts-terminus xfonts-base"
).split()
# Handwriting, display and interface faces; the last row has the faces that only dev sets draw (``HELD_OUT``).
NPM_PACKAGES = tuple(
    f"@fontsource/{name}"
    for name in (
        "ma-shan-zheng liu-jian-mao-cao long-cang zhi-mang-xing zcool-xiaowei zcool-kuaile zcool-qingke-huangyou "
        "klee-one yomogi yusei-magic hachi-maru-pop yuji-boku yuji-mai lxgw-wenkai-tc kaisei-decol "
        "chocolate-classical-sans dela-gothic-one potta-one reggae-one rocknroll-one stick dotgothic16 "
        "mochiy-pop-one kiwi-maru zen-maru-gothic m-plus-rounded-1c kosugi-maru biz-udgothic "
        "patrick-hand indie-flower shadows-into-light gochi-hand reenie-beanie architects-daughter kalam "
        "nothing-you-could-do covered-by-your-grace cedarville-cursive gloria-hallelujah handlee bad-script "
        "mansalva bebas-neue anton oswald lobster pacifico righteous bangers black-ops-one russo-one "
        "press-start-2p vt323 silkscreen orbitron abril-fatface playfair-display alfa-slab-one staatliches "
        "fjalla-one barlow-condensed archivo-narrow titan-one bungee great-vibes kaushan-script cinzel "
        "josefin-sans poppins montserrat rubik special-elite roboto-slab teko ubuntu ubuntu-mono "
        "source-sans-3 ibm-plex-sans fira-sans pt-sans cascadia-code "
        "cactus-classical-serif huninn iansui wdxl-lubrifont-tc lxgw-marker-gothic zen-kurenaido "
        "chiron-goround-tc rampart-one inter caveat"
    ).split()
)
# Faces that training never draws, so that dev sets show how a model reads unseen ones; with their uses in dev sets.
HELD_OUT: Mapping[str, tuple[str, ...]] = {
    "cactus-classical-serif": ("cjk", "hant"),
    "huninn": ("hant", "interface"),
    "wdxl-lubrifont-tc": ("cjk", "hant"),
    "chiron-goround-tc": ("cjk", "hant", "interface"),
    "iansui": ("handwriting",),
    "lxgw-marker-gothic": ("handwriting",),
    "zen-kurenaido": ("handwriting",),
    "rampart-one": ("display",),
    "inter-latin": ("latin", "interface_latin"),
    "caveat": ("handwriting_latin",),
}

_CJK = {
    "NotoSansCJK-Regular": 5.0,
    "NotoSansCJK-Bold": 3.0,
    "NotoSansCJK-Medium": 2.0,
    "NotoSansCJK-Light": 1.0,
    "NotoSansCJK-Black": 1.0,
    "NotoSansCJK-Thin": 0.4,
    "NotoSerifCJK-Regular": 4.0,
    "NotoSerifCJK-Bold": 2.0,
    "NotoSerifCJK-Light": 1.0,
    "NotoSerifCJK-Black": 0.7,
    "wqy-microhei": 3.0,
    "wqy-zenhei": 3.0,
    "uming": 3.0,
    "ukai": 2.0,
    "gbsn00lp": 3.0,
    "gkai00mp": 2.0,
    "LXGWWenKai-Regular": 2.0,
    "LXGWWenKaiMono": 0.5,
    "LXGWWenKai-Bold": 1.0,
    "SmileySans": 1.5,
    "cwfs": 1.5,
    "cwkai": 0.4,
    "TW-Kai-98": 1.0,
    "TW-Sung-98": 1.0,
    "ma-shan-zheng": 0.8,
    "liu-jian-mao-cao": 0.4,
    "long-cang": 0.6,
    "zhi-mang-xing": 0.4,
    "zcool-xiaowei": 1.2,
    "zcool-kuaile": 0.8,
    "zcool-qingke-huangyou": 0.8,
    "setofont": 0.4,
    "unifont": 0.7,
}
_LATIN = {
    "LiberationSans": 4.0,
    "LiberationSerif": 4.0,
    "LiberationMono": 3.0,
    "DejaVuSans": 1.0,
    "DejaVuSerif": 1.0,
    "DejaVuSansMono": 1.5,
    "FreeSans": 1.5,
    "FreeSerif": 1.5,
    "FreeMono": 2.0,
    "OpenSans": 1.0,
    "Roboto": 1.5,
    "Hack": 0.7,
    "Lato": 1.0,
    "Carlito": 2.0,
    "Caladea": 1.5,
    "Inconsolata": 1.0,
    "Courier": 2.5,
    "Comfortaa": 0.6,
    "Cantarell": 0.7,
    "FiraCode": 0.7,
    "JetBrainsMono": 0.7,
    "playfair-display": 0.6,
    "roboto-slab": 0.6,
    "special-elite": 0.6,
    "barlow-condensed": 0.6,
    "archivo-narrow": 0.6,
    "unifont": 0.7,
    "OCRB": 0.3,
}
# Faces with the glyph shapes of Taiwan and Hong Kong, or with both kinds.
_HANT = {
    "NotoSansCJK-Regular": 5.0,
    "NotoSansCJK-Bold": 3.0,
    "NotoSansCJK-Medium": 2.0,
    "NotoSansCJK-Light": 1.0,
    "NotoSansCJK-Black": 0.7,
    "NotoSerifCJK-Regular": 4.0,
    "NotoSerifCJK-Bold": 2.0,
    "NotoSerifCJK-Light": 0.7,
    "uming": 3.0,
    "ukai": 2.0,
    "bsmi00lp": 3.0,
    "bkai00mp": 3.0,
    "cwming": 2.0,
    "cwheib": 2.0,
    "cwkai": 2.0,
    "cwfs": 1.0,
    "cwyen": 1.0,
    "TW-Kai-98": 3.0,
    "TW-Sung-98": 3.0,
    "chocolate-classical-sans": 1.5,
    "lxgw-wenkai-tc": 1.0,
    "setofont": 0.5,
    "LXGWWenKai-Regular": 2.0,
    "wqy-microhei": 2.0,
    "wqy-zenhei": 2.0,
    "unifont": 0.5,
}
_KANA = {
    "NotoSansCJK-Regular": 5.0,
    "NotoSansCJK-Bold": 2.0,
    "NotoSerifCJK-Regular": 4.0,
    "NotoSerifCJK-Bold": 1.0,
    "ipag": 2.0,
    "ipam": 2.0,
    "VL-Gothic": 2.0,
    "LXGWWenKai-Regular": 1.0,
    "wqy-zenhei": 1.0,
    "uming": 1.0,
    "biz-udgothic": 1.5,
    "zen-maru-gothic": 1.0,
    "kosugi-maru": 1.0,
    "m-plus-rounded-1c": 1.0,
    "kiwi-maru": 0.5,
    "kaisei-decol": 0.5,
    "klee-one": 0.5,
}
# Faces with signs that most others lack.
_SIGNS = {"DejaVuSans": 3.0, "FreeSans": 1.0, "FreeSerif": 1.5, "Symbola": 2.0, "unifont": 0.5}
_HANDWRITING = {
    "ma-shan-zheng": 1.0,
    "liu-jian-mao-cao": 1.0,
    "long-cang": 1.5,
    "zhi-mang-xing": 1.5,
    "setofont": 3.0,
    "LXGWWenKai-Light": 1.5,
    "LXGWWenKai-Regular": 0.7,
    "lxgw-wenkai-tc": 0.7,
    "klee-one": 1.0,
    "yomogi": 1.5,
    "yusei-magic": 1.0,
    "hachi-maru-pop": 0.7,
    "yuji-boku": 0.7,
    "yuji-mai": 0.5,
    "kiloji": 1.0,
    "kouzan-mouhitsu": 1.2,
    "AoyagiKouzanT": 0.3,
    "zcool-kuaile": 0.7,
    "gkai00mp": 0.5,
    "TW-Kai-98": 0.5,
}
_HANDWRITING_LATIN = dict.fromkeys(
    (
        "patrick-hand indie-flower shadows-into-light gochi-hand reenie-beanie architects-daughter "
        "kalam nothing-you-could-do covered-by-your-grace cedarville-cursive gloria-hallelujah "
        "handlee bad-script mansalva"
    ).split(),
    1.0,
)
_DISPLAY = {
    "NotoSansCJK-Black": 3.0,
    "NotoSansCJK-Bold": 3.0,
    "NotoSansCJK-Medium": 1.0,
    "NotoSerifCJK-Black": 1.0,
    "wqy-zenhei": 1.0,
    "SmileySans": 2.0,
    "zcool-kuaile": 1.0,
    "zcool-qingke-huangyou": 2.0,
    "zcool-xiaowei": 1.0,
    "cwyen": 1.0,
    "cwheib": 1.0,
    "dela-gothic-one": 0.7,
    "potta-one": 0.5,
    "reggae-one": 0.5,
    "rocknroll-one": 0.7,
    "stick": 0.4,
    "dotgothic16": 0.7,
    "mochiy-pop-one": 0.7,
    "ma-shan-zheng": 0.7,
    "kouzan-mouhitsu": 0.4,
    "LXGWWenKai-Bold": 0.7,
    "gbsn00lp": 0.5,
}
_DISPLAY_LATIN = dict.fromkeys(
    (
        "bebas-neue anton oswald lobster pacifico righteous bangers black-ops-one russo-one "
        "press-start-2p vt323 silkscreen orbitron abril-fatface playfair-display alfa-slab-one "
        "staatliches fjalla-one barlow-condensed titan-one bungee great-vibes kaushan-script cinzel "
        "josefin-sans poppins montserrat rubik special-elite roboto-slab teko archivo-narrow "
        "LiberationSans-Bold LiberationSansNarrow-Bold Roboto-Black RobotoCondensed-Bold "
        "OpenSans-ExtraBold Lato-Black DejaVuSans-Bold patrick-hand kalam"
    ).split(),
    1.0,
)
_INTERFACE = {
    "NotoSansCJK-Regular": 4.0,
    "NotoSansCJK-DemiLight": 1.0,
    "NotoSansCJK-Medium": 1.5,
    "NotoSansCJK-Bold": 1.0,
    "wqy-microhei": 2.5,
    "wqy-zenhei": 2.5,
    "uming": 1.0,
    "gbsn00lp": 1.0,
    "VL-Gothic": 0.5,
    "unifont": 0.7,
    "m-plus-rounded-1c": 0.3,
}
_INTERFACE_LATIN = {
    "LiberationSans-": 3.0,
    "DejaVuSans": 1.5,
    "DejaVuSansMono": 1.0,
    "Roboto-": 1.5,
    "OpenSans-": 1.0,
    "Cantarell": 0.7,
    "Carlito": 1.0,
    "ubuntu-latin": 1.0,
    "ubuntu-mono": 0.5,
    "source-sans-3": 0.7,
    "ibm-plex-sans": 0.7,
    "fira-sans": 0.5,
    "pt-sans": 0.5,
    "cascadia-code": 0.7,
    "Hack": 0.5,
    "LiberationMono": 0.7,
    "JetBrainsMono-Regular": 0.5,
}
_SEGMENT = {"DSEG7Classic-Regular": 1.0, "DSEG7Classic-Bold": 1.0, "DSEG7Modern-Regular": 1.0}
_CARD = {"OCRB": 1.0}

# By use; the names are the fields of ``fonts.Library``.
USES: Mapping[str, Mapping[str, float]] = {
    "cjk": _CJK,
    "latin": _LATIN,
    "segment": _SEGMENT,
    "card": _CARD,
    "hant": _HANT,
    "kana": _KANA,
    "signs": _SIGNS,
    "handwriting": _HANDWRITING,
    "handwriting_latin": _HANDWRITING_LATIN,
    "display": _DISPLAY,
    "display_latin": _DISPLAY_LATIN,
    "interface": _INTERFACE,
    "interface_latin": _INTERFACE_LATIN,
}
# Parts of the names of the members of a collection that a use draws.
MEMBERS: Mapping[str, tuple[str, ...]] = {
    "cjk": (" SC", "CN"),
    "hant": (" TC", " HK", "TW", "HK"),
    "kana": (" JP",),
    "handwriting": (" SC", "CN"),
    "display": (" SC", "CN"),
    "interface": (" SC", "CN"),
}
# Files that are never drawn: samples and boxed faces, planes beyond the first, and what nobody can read.
EXCLUDED = tuple("Emoji unifont_ OCRBE OCRBF OCRBS OCRBX -Ext-B- -Plus- Hairline Sousyo setofont-ex".split())
