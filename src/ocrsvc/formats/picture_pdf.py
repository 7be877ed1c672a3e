"""A PDF of the pages of a picture file, as PDF/A-2b unless its colours have no profile (CMYK)."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from ocrsvc import __version__
from ocrsvc.formats.embedded_picture import EmbeddedPicture, embedded

if TYPE_CHECKING:
    import pikepdf

_POINTS_PER_INCH = 72.0
_LEAST_SIDE, _MOST_SIDE = 3.0, 14_400.0  # points; bounds of the sides of a page in PDF/A
# From the unit square to a page of one by one, for each EXIF orientation.
_TURNS = {
    1: (1, 0, 0, 1, 0, 0),
    2: (-1, 0, 0, 1, 1, 0),
    3: (-1, 0, 0, -1, 1, 1),
    4: (1, 0, 0, -1, 0, 1),
    5: (0, -1, -1, 0, 1, 1),
    6: (0, -1, 1, 0, 0, 1),
    7: (0, 1, 1, 0, 0, 0),
    8: (0, 1, -1, 0, 1, 0),
}
_XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:pdf="http://ns.adobe.com/pdf/1.3/"
 xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/"><pdf:Producer>{producer}</pdf:Producer>{claim}</rdf:Description>
</rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""
_CLAIM = "<pdfaid:part>2</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance>"


def pdf_of(data: bytes, numbers: tuple[int, ...]) -> pikepdf.Pdf:
    """Return a PDF of these pages (from 1) of a picture file, in its size and resolution; raises UndecodableImage."""
    import pikepdf

    pdf = pikepdf.Pdf.new()
    archival = True
    for number in numbers:
        picture = embedded(data, number)
        archival &= picture.members["ColorSpace"] != "DeviceCMYK" or bool(picture.icc)
        _add_page(pdf, picture)
    producer = f"ocrsvc {__version__}"
    xmp = _XMP.format(producer=escape(producer), claim=_CLAIM if archival else "")
    pdf.Root.Metadata = pdf.make_stream(
        xmp.encode(), Type=pikepdf.Name.Metadata, Subtype=pikepdf.Name("/XML")
    )
    pdf.docinfo["/Producer"] = producer
    if archival:
        pdf.Root.OutputIntents = pikepdf.Array([_output_intent(pdf)])
    return pdf


def _add_page(pdf: pikepdf.Pdf, picture: EmbeddedPicture) -> None:
    import pikepdf

    width, height = (
        pixels * _POINTS_PER_INCH / dpi for pixels, dpi in zip(picture.size, picture.dpi, strict=True)
    )
    if picture.orientation > 4:
        width, height = height, width
    scale = min(1.0, _MOST_SIDE / max(width, height))
    width, height = max(_LEAST_SIDE, width * scale), max(_LEAST_SIDE, height * scale)
    page = pdf.add_blank_page()
    page.obj.MediaBox = pikepdf.Array([0, 0, _real(width), _real(height)])
    page.obj.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(Picture=_object(pdf, picture)))
    a, b, c, d, e, f = _TURNS[picture.orientation]
    matrix = (a * width, b * height, c * width, d * height, e * width, f * height)
    numbers = " ".join(str(_real(value)) for value in matrix)
    page.obj.Contents = pdf.make_stream(f"q {numbers} cm /Picture Do Q\n".encode())


def _object(pdf: pikepdf.Pdf, picture: EmbeddedPicture) -> pikepdf.Object:
    """Return a picture as an image object of ``pdf``."""
    from pikepdf import Array, Name, String

    made = pdf.make_stream(picture.data, Type=Name.XObject, Subtype=Name.Image)
    made.Width, made.Height = picture.size
    for name, value in picture.members.items():
        made["/" + name] = _value(value)
    if picture.icc:
        channels = {"DeviceGray": 1, "DeviceRGB": 3, "DeviceCMYK": 4}[picture.members["ColorSpace"]]
        made.ColorSpace = Array([Name.ICCBased, pdf.make_stream(picture.icc, N=channels)])
    elif picture.palette:
        colours = len(picture.palette) // 3
        made.ColorSpace = Array([Name.Indexed, Name.DeviceRGB, colours - 1, String(picture.palette)])
    if picture.mask is not None:
        made.SMask = _object(pdf, picture.mask)
    return made


def _value(value: Any) -> Any:
    import pikepdf

    if isinstance(value, str):
        return pikepdf.Name("/" + value)
    if isinstance(value, dict):
        return pikepdf.Dictionary({"/" + name: _value(each) for name, each in value.items()})
    return pikepdf.Array(value) if isinstance(value, list) else value


def _output_intent(pdf: pikepdf.Pdf) -> pikepdf.Object:
    """Return the colours that device colours mean: sRGB."""
    from pikepdf import Dictionary, Name, String
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return Dictionary(
        Type=Name.OutputIntent,
        S=Name.GTS_PDFA1,
        OutputConditionIdentifier=String("sRGB"),
        Info=String("sRGB"),
        DestOutputProfile=pdf.make_stream(profile, N=3),
    )


def _real(value: float) -> Any:
    return Decimal(f"{value:.4f}")
