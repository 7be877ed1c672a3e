"""hOCR, ALTO and PAGE XML: what their readers rely on, on lines of all directions, with and without blocks."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from lxml import etree, html

from ocrsvc.errors import InvalidParameter
from ocrsvc.formats import alto_format, pagexml_format, render
from ocrsvc.results import Block, Cell, Character, Document, Line, ModelId, Page, Polygon, Table

ALTO = {"a": alto_format.NAMESPACE}
PAGE = {"p": pagexml_format.NAMESPACE}
SCHEMA = os.environ.get("ALTO_XSD")  # the schema of loc.gov, which is not ours to distribute
PAGE_SCHEMA = os.environ.get("PAGE_XSD")  # that of PRImA, pagecontent/2019-07-15

UPRIGHT: Polygon = ((10.0, 10.0), (110.0, 10.0), (110.0, 30.0), (10.0, 30.0))
SLANTED: Polygon = ((10.0, 50.0), (110.0, 60.0), (110.0, 80.0), (10.0, 70.0))
DOWNWARDS: Polygon = ((180.0, 20.0), (180.0, 120.0), (160.0, 120.0), (160.0, 20.0))
UPWARDS: Polygon = ((160.0, 120.0), (160.0, 20.0), (180.0, 20.0), (180.0, 120.0))
UPSIDE_DOWN: Polygon = UPRIGHT[2:] + UPRIGHT[:2]


def line(text: str, polygon: Polygon, page: int = 1) -> Line:
    step = 1 / len(text)
    spelt = tuple(Character(one, 0.75, i * step, (i + 1) * step) for i, one in enumerate(text))
    return Line(text, 0.9, polygon, page, spelt)


def document(*lines: Line, pages: int = 1) -> Document:
    numbered = tuple(Page(number, 200, 150) for number in range(1, pages + 1))
    return Document(lines, numbered, ModelId("crnn", "sha256:ab"))


def hocr(read: Document, **options: str) -> html.HtmlElement:
    """The root of valid XML."""
    content = render("hocr", read, **options)  # type: ignore[arg-type]
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    assert etree.fromstring(content, parser).tag == "{http://www.w3.org/1999/xhtml}html"
    return html.fromstring(content)


def alto(read: Document, **options: str) -> etree._Element:
    root = etree.fromstring(render("alto", read, **options))  # type: ignore[arg-type]
    if SCHEMA:
        etree.XMLSchema(etree.parse(SCHEMA)).assertValid(root)
    return root


def pagexml(read: Document, **options: str) -> etree._Element:
    root = etree.fromstring(render("pagexml", read, **options))  # type: ignore[arg-type]
    if PAGE_SCHEMA:
        etree.XMLSchema(etree.parse(PAGE_SCHEMA)).assertValid(root)
    return root


def one(root: etree._Element, path: str) -> etree._Element:
    found = root.find(path, ALTO)
    assert found is not None
    return found


def properties(element: html.HtmlElement) -> dict[str, str]:
    """The properties of a title."""
    pieces = (piece.strip().partition(" ") for piece in element.get("title", "").split(";"))
    return {name: value for name, _, value in pieces}


def test_hocr_nests_pages_areas_paragraphs_lines_and_words() -> None:
    root = hocr(document(line("发票 No 7", UPRIGHT), line("second", UPRIGHT, 2), pages=2), file="票.png")
    pages = root.find_class("ocr_page")
    assert [page.get("id") for page in pages] == ["page_1", "page_2"]
    assert properties(pages[1]) == {"image": '"票.png"', "bbox": "0 0 200 150", "ppageno": "1"}
    (area,) = pages[0].find_class("ocr_carea")
    (paragraph,) = area.find_class("ocr_par")
    (row,) = paragraph.find_class("ocr_line")
    words = row.find_class("ocrx_word")
    assert [word.text_content() for word in words] == ["发票", "No", "7"]
    assert properties(words[0]) == {"bbox": "10 10 39 30", "x_wconf": "75"}
    assert " ".join(row.text_content().split()) == "发票 No 7"
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))


def test_hocr_has_characters_only_if_they_are_wanted() -> None:
    read = document(line("发票 No", UPRIGHT))
    assert not hocr(read).find_class("ocrx_cinfo")
    first, *others = hocr(read, granularity="char").find_class("ocrx_cinfo")
    assert first.text + "".join(other.text for other in others) == "发票No"
    assert properties(first) == {"x_bboxes": "10 10 30 30", "x_conf": "75.00"}


@pytest.mark.parametrize(
    ("polygon", "expected"),
    [
        (UPRIGHT, {"baseline": "0 0"}),
        (
            SLANTED,
            {"baseline": "0.1 -10"},
        ),  # 10 pixels up from the bottom at the left, and a slope of a tenth
        (DOWNWARDS, {"textangle": "270"}),
        (UPWARDS, {"textangle": "90"}),
        (UPSIDE_DOWN, {"textangle": "180"}),
    ],
)
def test_hocr_says_how_a_line_runs(polygon: Polygon, expected: dict[str, str]) -> None:
    (row,) = hocr(document(line("ab", polygon))).find_class("ocr_line")
    found = properties(row)
    assert {name: found[name] for name in found if name in ("baseline", "textangle")} == expected


def test_texts_that_xml_cannot_hold_do_not_break_it() -> None:
    read = document(line('<&">\x01\x02', UPRIGHT))
    assert hocr(read, file='"<&.png').find_class("ocrx_word")[0].text_content() == '<&">\ufffd\ufffd'
    assert one(alto(read, file='"<&.png'), ".//a:String").get("CONTENT") == '<&">\ufffd\ufffd'


def test_alto_has_every_word_with_its_place() -> None:
    read = document(line("发票 No", UPRIGHT), line("b", SLANTED, 2), pages=2)
    root = alto(read, file="票.png")
    assert root.findtext(".//a:fileName", namespaces=ALTO) == "票.png"
    assert [page.get("PHYSICAL_IMG_NR") for page in root.iterfind(".//a:Page", ALTO)] == ["1", "2"]
    first, second, third = root.iterfind(".//a:String", ALTO)
    assert (first.get("CONTENT"), first.get("HPOS"), first.get("WIDTH")) == ("发票", "10", "40")
    assert (second.get("CONTENT"), second.get("WC")) == ("No", "0.7500")
    assert [each.tag.rpartition("}")[2] for each in one(root, ".//a:TextLine")] == ["String", "SP", "String"]
    assert first.find("a:Shape", ALTO) is None
    assert one(third, "a:Shape/a:Polygon").get("POINTS") == "10,50 110,60 110,80 10,70"
    assert [row.get("BASELINE") for row in root.iterfind(".//a:TextLine", ALTO)] == [
        "10,30 110,30",
        "10,70 110,80",
    ]
    assert root.find(".//a:Glyph", ALTO) is None


def test_alto_has_characters_if_they_are_wanted() -> None:
    root = alto(document(line("发票 No", UPRIGHT)), granularity="char")
    assert [glyph.get("CONTENT") for glyph in root.iterfind(".//a:Glyph", ALTO)] == list("发票No")


def test_alto_tells_lines_that_run_down_or_up_the_page() -> None:
    root = alto(document(line("a", UPRIGHT), line("b", DOWNWARDS), line("c", UPWARDS)))
    assert [row.get("BASEDIRECTION") for row in root.iterfind(".//a:TextLine", ALTO)] == [None, "ttb", "btt"]


def test_blocks_become_areas_and_kinds() -> None:
    head, body = line("Head", UPRIGHT), line("Body", SLANTED)
    blocks = (Block("heading", 1, UPRIGHT, ((head,),)), Block("table", 1, SLANTED, ((body,),)))
    read = replace(document(head, body), blocks=blocks)
    assert [area.get("id") for area in hocr(read).find_class("ocr_carea")] == ["block_1_1", "block_1_2"]
    root = alto(read)
    assert [tag.get("LABEL") for tag in root.iterfind(".//a:StructureTag", ALTO)] == ["heading", "table"]
    assert [each.get("TAGREFS") for each in root.iterfind(".//a:TextBlock", ALTO)] == [
        "kind_heading",
        "kind_table",
    ]
    rows = [row.split("\t") for row in render("tsv", read).decode().splitlines()[1:]]
    assert [(row[0], *map(int, row[2:6])) for row in rows] == [
        ("1", 0, 0, 0, 0),
        ("2", 1, 0, 0, 0),
        ("3", 1, 1, 0, 0),
        ("4", 1, 1, 1, 0),
        ("5", 1, 1, 1, 1),
        ("2", 2, 0, 0, 0),
        ("3", 2, 1, 0, 0),
        ("4", 2, 1, 1, 0),
        ("5", 2, 1, 1, 1),
    ]


@pytest.mark.parametrize("lines", [(), (replace(line("x", UPRIGHT), text="", characters=()),)])
def test_pages_without_text_are_pages(lines: tuple[Line, ...]) -> None:
    assert not hocr(document(*lines)).find_class("ocrx_word")
    assert len(alto(document(*lines)).findall(".//a:Page", ALTO)) == 1
    assert alto(document(*lines)).find(".//a:TextBlock", ALTO) is None


def test_page_xml_has_regions_in_reading_order_with_lines_and_words() -> None:
    head, body = line("Head", UPRIGHT), line("发票 No", SLANTED)
    blocks = (Block("heading", 1, UPRIGHT, ((head,),)), Block("paragraph", 1, SLANTED, ((body,),)))
    root = pagexml(replace(document(head, body, line("c", DOWNWARDS)), blocks=blocks), file='"票.png')
    assert one_of_page(root, "p:Page").get("imageFilename") == '"票.png'
    references = [each.get("regionRef") for each in root.iterfind(".//p:RegionRefIndexed", PAGE)]
    regions = root.findall(".//p:TextRegion", PAGE)
    assert references == [each.get("id") for each in regions] == ["region_1", "region_2"]
    assert [each.get("type") for each in regions] == ["heading", "paragraph"]
    words = [
        each.findtext("p:TextEquiv/p:Unicode", namespaces=PAGE) for each in root.iterfind(".//p:Word", PAGE)
    ]
    assert words == ["Head", "发票", "No"]
    assert one_of_page(regions[1], "p:TextLine/p:Coords").get("points") == "10,50 110,60 110,80 10,70"
    assert one_of_page(regions[1], "p:TextLine/p:Baseline").get("points") == "10,70 110,80"
    assert root.find(".//p:Glyph", PAGE) is None


def test_page_xml_has_the_places_of_cells_and_characters() -> None:
    lines = line("a", UPRIGHT), line("b", SLANTED)
    cells = Cell(0, 0, 1, 2, ((lines[0],),)), Cell(1, 1, 1, 1, ((lines[1],),)), Cell(1, 0)
    block = Block("table", 1, UPRIGHT, ((lines[0],), (lines[1],)), Table(2, 2, cells))
    root = pagexml(replace(document(*lines), blocks=(block,)), granularity="char")
    region = one_of_page(root, ".//p:TableRegion")
    assert [region.get(name) for name in ("id", "rows", "columns")] == ["region_1", "2", "2"]
    roles = [each.attrib for each in root.iterfind(".//p:TableCellRole", PAGE)]
    assert [(each["rowIndex"], each["columnIndex"], each["colSpan"]) for each in roles] == [
        ("0", "0", "2"),
        ("1", "1", "1"),
    ]
    assert len(root.findall(".//p:Glyph", PAGE)) == 2


def test_page_xml_tells_direction_and_turn_and_holds_one_page() -> None:
    read = document(line("b", DOWNWARDS), line("c", UPWARDS))
    root = pagexml(replace(read, pages=(Page(1, 200, 150, orientation=270),)))
    assert one_of_page(root, "p:Page").get("orientation") == "-90"
    assert [each.get("readingDirection") for each in root.iterfind(".//p:TextLine", PAGE)] == [
        "top-to-bottom",
        "bottom-to-top",
    ]
    assert pagexml(document()).find(".//p:TextRegion", PAGE) is None
    with pytest.raises(InvalidParameter, match="one page"):
        pagexml(document(pages=2))


def one_of_page(root: etree._Element, path: str) -> etree._Element:
    found = root.find(path, PAGE)
    assert found is not None
    return found
