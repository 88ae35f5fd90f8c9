"""Workbooks for tests, made here: .xlsx by xlsxwriter, the others by hand."""

from __future__ import annotations

import base64
import io
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import xlsxwriter  # type: ignore[import-untyped]

# Made once with xlwt 1.3.0: hidden "Old", and "Accounts" with its header in row 3.
XLS = zlib.decompress(
    base64.b64decode(
        "eNrtWE9IFGEU/30zs+5a/llNBQ1kEbIyFaNDXXS1TL1oVgdTinJ3hljUGVn1oIeybI9B0KnoItih"
        "i9WlP1RQ0KFDYNkhCAK3jp6Cgg7q9L63M7LaFi6kYMxv+N68733ve/P2e+973+y8mytamH5YkcQ6"
        "NEHFip2LnDSZoJbrdoKgcduWrHsPULM9bCvkBiiQOT48y3/rlzGU8U5CwQPtFVHgC7WzGEaXZRqh"
        "LcRR9qFfSB8ahUa5p+AOtQKUs1/FTKNMdzG9z7rPmTaz5DrTRtJdEH2YC3fVHCE78jqjVPFYAVGB"
        "xzznE0sOohRvZB5fviFSOe9DSzzWP7jNBiq1PMyAQtpumEZc9gtxFzuAXkJdZ2dda+sCSijcM/hh"
        "h4Dv7r5+GfLkWysXIPnPtXL/H+QBCuJ6+U1FAyZhXxAymRPYiV5NZoKKE4N6ggr1e1+qOrdEo9aY"
        "OTqyhHMyE7iWU4Ycs4aG+81x2vkdMV03TBL1GJGR2KhBXBvN0A2dDJ6OTRhU4fusxVD7UKSD1Ccs"
        "o143VKCh4TDZi1imXh+16scG2DgXluCawpLP2y2PqI5C5ot40wXJuaV73+Y7I93h8yyZ5MMkdeTs"
        "kb8PNq7IGTS5gEeU1fEa5g8wvcpWdzNfwbSEdgTdq7tLHaZtinWu8Wg1PecQ40N4bxq/j/jE4skn"
        "lYmv4f3Ez7YnJ0pmP4anUUXLpjtlZAq1olbcviXxNOzehVOcPjMt/61QBZSg47vtnKuFWOaAgNYD"
        "jobIoCFYQ9ImpRiPeKg57YDe7HWXGpxL0Lbpuivs+9pVVVbXPdVzVyfVU6inrvZU6mmOLTWDLZVt"
        "+Rx9lW3JCLwg31SaX4ya19JiGclUtqJlsKKxFb9jRWMrMi6XFNmTPlx0c0DJlAMePHjw4MGDBw9/"
        "gXBepVXnpc7nvDL6ne86y9RWvM8k/y1OwaJrlP5SHodJ9zjGs8qfMviEa0tscI77vVCih54exwAi"
        "7MdA1vlLr/wi/fdseGLw322hbJ+/ko2fm/z8X8FkGKU="
    )
)


def xlsx(sheets: Mapping[str, Sequence[Sequence[Any]]], *hidden: str) -> bytes:
    """Writes sheets of rows from A1; None leaves a cell out."""
    file = io.BytesIO()
    formats = {"default_date_format": "yyyy-mm-dd", "in_memory": True}
    with xlsxwriter.Workbook(file, formats) as book:
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            if name in hidden:
                sheet.hide()
            else:
                sheet.activate()
            for number, cells in enumerate(rows):
                for place, cell in enumerate(cells):
                    if cell is not None:
                        sheet.write(number, place, cell)
    return file.getvalue()


def packed(parts: Mapping[str, bytes | str]) -> bytes:
    """Packs the parts of a workbook; the first one is stored as it is."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for place, (name, part) in enumerate(parts.items()):
            archive.writestr(name, part, None if place else zipfile.ZIP_STORED)
    return file.getvalue()


def ods(rows: str) -> bytes:
    """Writes an OpenDocument sheet "Accounts" with these rows of XML."""
    of = "urn:oasis:names:tc:opendocument:xmlns:"
    return packed(
        {
            "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
            "content.xml": f'<?xml version="1.0" encoding="UTF-8"?>'
            f'<office:document-content xmlns:office="{of}office:1.0" '
            f'xmlns:table="{of}table:1.0" xmlns:text="{of}text:1.0"><office:body>'
            f'<office:spreadsheet><table:table table:name="Accounts">{rows}'
            "</table:table></office:spreadsheet></office:body>"
            "</office:document-content>",
            "META-INF/manifest.xml": '<?xml version="1.0"?><manifest:manifest '
            f'xmlns:manifest="{of}manifest:1.0"><manifest:file-entry '
            'manifest:full-path="/" manifest:media-type='
            '"application/vnd.oasis.opendocument.spreadsheet"/></manifest:manifest>',
        }
    )


def ods_row(*cells: str, repeated: int = 1) -> str:
    texts = "".join(
        f'<table:table-cell office:value-type="string"><text:p>{cell}</text:p>'
        "</table:table-cell>"
        for cell in cells
    )
    blank = '<table:table-cell table:number-columns-repeated="16000"/>'
    return (
        f'<table:table-row table:number-rows-repeated="{repeated}">{texts}{blank}'
        "</table:table-row>"
    )


def xlsb(cells: Mapping[tuple[int, int], str | float]) -> bytes:
    """Writes a binary sheet "Accounts" ([MS-XLSB]) with cells by row and column."""
    types = "http://schemas.openxmlformats.org/package/2006"
    office = "http://schemas.openxmlformats.org/officeDocument/2006"
    sheet = _record(129) + _record(148, bytes(16)) + _record(145)
    for row in sorted({row for row, _ in cells}):
        sheet += _record(0, struct.pack("<I", row) + bytes(13))
        for (at, column), value in sorted(cells.items()):
            if at != row:
                continue
            place = struct.pack("<II", column, 0)
            sheet += (
                _record(6, place + _wide(value))
                if isinstance(value, str)
                else _record(5, place + struct.pack("<d", value))
            )
    bundle = struct.pack("<II", 0, 1) + _wide("rId1") + _wide("Accounts")
    book = (131, b""), (143, b""), (156, bundle), (144, b""), (132, b"")
    return packed(
        {
            "[Content_Types].xml": f'<?xml version="1.0"?><Types xmlns="{types}/'
            'content-types"><Default Extension="bin" ContentType='
            '"application/vnd.ms-excel.sheet.binary.macroEnabled.main"/></Types>',
            "xl/workbook.bin": b"".join(_record(*each) for each in book),
            "xl/_rels/workbook.bin.rels": '<?xml version="1.0"?><Relationships '
            f'xmlns="{types}/relationships"><Relationship Id="rId1" '
            f'Type="{office}/relationships/worksheet" '
            'Target="worksheets/sheet1.bin"/></Relationships>',
            "xl/worksheets/sheet1.bin": sheet + _record(146) + _record(130),
        }
    )


def _record(kind: int, content: bytes = b"") -> bytes:
    marks = [kind] if kind < 128 else [kind & 0x7F | 0x80, kind >> 7]
    size = len(content)
    while size > 127:
        marks.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([*marks, size]) + content


def _wide(text: str) -> bytes:
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")
