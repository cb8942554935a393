from __future__ import annotations

import pytest

from domain.mail import FILE_TYPES, content_type_of
from domain.validators.attachment import FileReference, file_name, file_reference

HASH = "0a" * 32


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("terms.pdf", FileReference("terms.pdf")),
        ("Terms-2026_v1.2.PDF", FileReference("Terms-2026_v1.2.PDF")),
        ("invoices:acme-1/2026-11.pdf", FileReference("acme-1/2026-11.pdf", "invoices")),
        ("invoices:year=2026/7.csv", FileReference("year=2026/7.csv", "invoices")),
        (f"invoices:7.pdf#sha256={HASH}", FileReference("7.pdf", "invoices", HASH)),
        (f"terms.pdf#sha256={HASH}", FileReference("terms.pdf", None, HASH)),
    ],
)
def test_a_reference_names_a_file_of_the_template_or_of_a_store(text: str, reference: FileReference) -> None:
    assert file_reference(text) == reference


@pytest.mark.parametrize(
    "text",
    ["", ".pdf", "terms", "terms.exe", "terms.pdf.exe", "terms.html", "terms.svg", "terms.docm", "terms.zip",
     "terms.js",
     "../terms.pdf", "a/../terms.pdf", "invoices:../terms.pdf", "invoices:a/../../etc/passwd.txt", "invoices:a//b.pdf",
     "invoices:/etc/passwd.txt", "/etc/passwd.txt", "C:\\terms.pdf", "file:///etc/passwd.txt", "folder/terms.pdf",
     "https://example.com/terms.pdf", "s3://bucket/terms.pdf", "invoices:.hidden/a.pdf", "invoices:.a.pdf",
     "Invoices:a.pdf", "terms.pdf\r\nBcc: eve@example.net", "terms\n.pdf", "ter ms.pdf", 'te"rms.pdf', "té.pdf",
     "=?utf-8?q?terms?=.pdf", "terms.pdf\x00", "terms.pdf ", " terms.pdf", "terms.pdf#sha256=", "terms.pdf#sha256=AB",
     f"terms.pdf#sha256={HASH}0", f"terms.pdf#md5={HASH}", "a" * 500 + ".pdf", "a" * 200 + ".pdf", "a..pdf",
     "terms.pdf?x=y", "invoices:a.pdf:stream.pdf", "invoices:{{ name }}.pdf", "%2e%2e/terms.pdf", "tеrms.pdf",
     "\u017fterms.pdf", "invoices:\u212aay.pdf", "term\u0131.pdf", "terms.t\u017ft"],
)  # fmt: skip
def test_a_reference_says_nothing_else(text: str) -> None:
    with pytest.raises(ValueError, match=r"must|has"):
        file_reference(text)


def test_a_file_of_a_template_has_only_a_name() -> None:
    assert file_name("terms.pdf") == "terms.pdf"
    for text in ("invoices:terms.pdf", f"terms.pdf#sha256={HASH}", "a/terms.pdf"):
        with pytest.raises(ValueError, match="template's own folder"):
            file_name(text)


SOUND = {
    "csv": b"a,b\r\n1,2\r\n",
    "docx": b"PK\x03\x04...",
    "gif": b"GIF89a...",
    "ics": b"BEGIN:VCALENDAR\r\n",
    "jpeg": b"\xff\xd8\xff\xe0...",
    "jpg": b"\xff\xd8\xff\xe1...",
    "pdf": b"%PDF-1.7\n...",
    "png": b"\x89PNG\r\n\x1a\n...",
    "pptx": b"PK\x03\x04...",
    "txt": "Grüße\tan alle\n".encode(),
    "xlsx": b"PK\x03\x04...",
}


def test_every_type_has_a_content_type_of_its_own_kind() -> None:
    assert set(SOUND) == set(FILE_TYPES)
    assert content_type_of("a.PDF", SOUND["pdf"]) == "application/pdf"
    assert all(content_type_of(f"a.{kind}", content) for kind, content in SOUND.items())


@pytest.mark.parametrize("kind", FILE_TYPES)
@pytest.mark.parametrize("content", [b"MZ\x90\x00\x03", b"\x7fELF\x02\x01", b"\xca\xfe\xba\xbe\x00", b"\xff\xfe\x00x"])
def test_what_runs_is_no_file_of_any_type(kind: str, content: bytes) -> None:
    assert content_type_of(f"a.{kind}", content) is None


@pytest.mark.parametrize("name", ["a", "a.exe", "a.html", "", "pdf."])
def test_a_name_that_is_not_on_the_list_has_no_type(name: str) -> None:
    assert content_type_of(name, SOUND["pdf"]) is None
