from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.templates import LARGEST_BODY, LARGEST_FILE, Templates
from domain.errors import InvalidTemplate, InvalidVariable, MissingVariable
from tests.template_files import refusal_of, rendered, write_template

MOMENT = 1_800_000_000_000_000_000
LATE = 2 * MOMENT
REMINDER = {"customer_name": "Acme Corporation", "renewal_date": "2023-12-31"}


def reason(templates: Templates, name: Any = "note", variables: dict[str, Any] | None = None) -> str:
    """Why the template is refused."""
    with pytest.raises(InvalidTemplate) as caught:
        templates.render(name, variables or {})
    assert [(detail.field, detail.code) for detail in caught.value.details] == [
        ("parameters.template", "invalid_template")
    ]
    return caught.value.message


def test_a_template_renders_its_three_parts(tmp_path: Path) -> None:
    note = rendered(
        tmp_path, {"name": "Ada & Co"}, subject="For {{ name }}\n", text="Hi {{ name }}\n", html="<p>{{ name }}"
    )
    assert (note.subject, note.text, note.html) == ("For Ada & Co", "Hi Ada & Co\n", "<p>Ada &amp; Co")


def test_a_template_without_html_has_none(tmp_path: Path) -> None:
    assert rendered(tmp_path).html is None


def test_line_ends_of_other_systems_and_a_byte_order_mark_do_not_show(tmp_path: Path) -> None:
    folder = write_template(tmp_path)
    (folder / "body.txt").write_bytes(b"\xef\xbb\xbfone\r\ntwo\r\n")
    (folder / "subject.txt").write_bytes(b"A note\r\n")
    note = Templates(tmp_path).render("note", {})
    assert (note.subject, note.text) == ("A note", "one\ntwo\n")


# Where templates are found


def test_directories_are_searched_in_order(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    write_template(second, "both", text="second")
    write_template(second, "one", text="second")
    write_template(first, "both", text="first")
    templates = Templates(tmp_path / "missing", str(first), second)
    assert templates.render("both", {}).text == "first"
    assert templates.render("one", {}).text == "second"


def test_the_reminder_ships_and_gives_way_to_one_of_the_same_name(tmp_path: Path) -> None:
    assert "31 December 2023" in Templates(tmp_path / "missing").render("renewal_reminder", REMINDER).subject
    write_template(tmp_path, "renewal_reminder", subject="Ours")
    assert Templates(tmp_path).render("renewal_reminder", REMINDER).subject == "Ours"


def test_a_faulty_template_is_not_passed_over_for_a_later_one(tmp_path: Path) -> None:
    (tmp_path / "renewal_reminder").mkdir()
    assert "template.json" in reason(Templates(tmp_path), "renewal_reminder", REMINDER)


def test_a_directory_that_is_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "note").write_text("x")
    assert "no template is called note" in reason(Templates(tmp_path / "file", tmp_path))


def test_an_unknown_name_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    write_template(tmp_path, "welcome")
    (tmp_path / "Not A Name").mkdir()
    message = reason(Templates(tmp_path), "renewal_remainder")
    assert message == "no template is called renewal_remainder; there are: renewal_reminder, welcome"


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../note", "a/../note", "note/", "/etc", "a\\b", "Note", "nöte", "a..b", "-a", "_a", ".a", "note\n",
     "note\x00", "n" * 65, " note", "note ", "no te", None, 5, ["note"], b"note", "a%2fb"],
)  # fmt: skip
def test_what_is_no_name_is_refused(tmp_path: Path, name: Any) -> None:
    write_template(tmp_path)
    assert "name" in reason(Templates(tmp_path / "note", tmp_path), name)


@pytest.mark.parametrize("name", ["a", "0", "a.b", "a-b_c.d", "n" * 64])
def test_every_name_of_the_contract_is_found(tmp_path: Path, name: str) -> None:
    write_template(tmp_path, name, text="found")
    assert Templates(tmp_path).render(name, {}).text == "found"


# What may lie in a folder


@pytest.mark.parametrize("file", ["template.json", "subject.txt", "body.txt"])
def test_a_template_without_a_required_file_is_refused(tmp_path: Path, file: str) -> None:
    (write_template(tmp_path) / file).unlink()
    assert reason(Templates(tmp_path)) == f"template note has no {file}"


@pytest.mark.parametrize("file", ["template.json", "subject.txt", "body.txt", "body.html"])
def test_a_link_may_not_lead_out_of_the_directory(tmp_path: Path, file: str) -> None:
    secret = tmp_path / "secret"
    secret.write_text("{}")
    link = write_template(tmp_path / "templates") / file
    link.unlink(missing_ok=True)
    link.symlink_to(secret)
    assert "leads out" in reason(Templates(tmp_path / "templates"))


def test_a_folder_that_is_a_link_may_not_lead_out_of_the_directory(tmp_path: Path) -> None:
    folder = write_template(tmp_path / "elsewhere")
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "note").symlink_to(folder)
    assert "leads out" in reason(Templates(tmp_path / "templates"))


def test_links_within_the_directory_are_followed(tmp_path: Path) -> None:
    """So a Kubernetes ConfigMap is mounted: NAME/body.txt -> ..data/body.txt."""
    write_template(tmp_path, "..data/real", text="real")
    (tmp_path / "note").mkdir()
    for file in ("template.json", "subject.txt", "body.txt"):
        (tmp_path / "note" / file).symlink_to(Path("..", "..data", "real", file))
    (tmp_path / "link").symlink_to(tmp_path)
    assert Templates(tmp_path / "link").render("note", {}).text == "real"


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    folder = write_template(tmp_path)
    (folder / "body.html").symlink_to("body.html")
    assert "body.html" in reason(Templates(tmp_path))
    (folder / "body.html").unlink()
    (folder / "body.html").mkdir()
    assert "not a file" in reason(Templates(tmp_path))
    (folder / "body.html").rmdir()
    os.mkfifo(folder / "body.html")
    assert "not a file" in reason(Templates(tmp_path))


UNCLEAN = [
    (b"\xff\xfe", "UTF-8"),
    (b"\xed\xa0\x80", "UTF-8"),
    (b"a\x00b", "control"),
    (b"\x1b", "control"),
    (b"a\rb", "control"),
]


@pytest.mark.parametrize(("content", "expected"), UNCLEAN)
def test_a_file_is_clean_text(tmp_path: Path, content: bytes, expected: str) -> None:
    (write_template(tmp_path) / "body.txt").write_bytes(content)
    assert expected in reason(Templates(tmp_path))


def test_a_file_is_bounded(tmp_path: Path) -> None:
    assert rendered(tmp_path, text="x" * LARGEST_FILE).text == "x" * LARGEST_FILE
    write_template(tmp_path, text="x" * (LARGEST_FILE + 1))
    assert "larger than" in reason(Templates(tmp_path))


def test_a_template_outside_of_the_language_is_refused_with_file_and_line(tmp_path: Path) -> None:
    write_template(tmp_path, html="<p>\n{{ name.upper() }}")
    assert reason(Templates(tmp_path)) == "body.html, line 2: a call is not in the template language"


# What comes out


@pytest.mark.parametrize("subject", ["{{ name }}", "{{ name }} "])
@pytest.mark.parametrize("name", ["", " ", "x" * 999])
def test_a_subject_says_something_and_has_an_end(tmp_path: Path, subject: str, name: str) -> None:
    refused = refusal_of(lambda: rendered(tmp_path, {"name": name}, subject=subject))
    assert isinstance(refused, InvalidVariable)


def test_the_longest_subject_passes(tmp_path: Path) -> None:
    assert len(rendered(tmp_path, {"name": "x" * 998}, subject="{{ name }}").subject) == 998


def test_a_rendered_body_is_bounded(tmp_path: Path) -> None:
    refused = refusal_of(lambda: rendered(tmp_path, {"name": "語" * 200_000}, text="{{ name }}{{ name }}"))
    assert isinstance(refused, InvalidVariable)
    assert len("語" * 400_000) < LARGEST_BODY < len(("語" * 400_000).encode())


def test_every_missing_variable_is_told_before_anything_renders() -> None:
    with pytest.raises(MissingVariable) as caught:
        Templates().render("renewal_reminder", {"amount": "ten"})
    assert [(detail.field, detail.code) for detail in caught.value.details] == [
        ("parameters.variables.customer_name", "missing_variable"),
        ("parameters.variables.renewal_date", "missing_variable"),
        ("parameters.variables.amount", "invalid_variable"),
    ]
    assert "YYYY-MM-DD" in caught.value.message


# The proof of which template it was


def test_the_hash_is_what_sha256sum_says_of_the_folder(tmp_path: Path) -> None:
    folder = write_template(tmp_path, html="<p>")
    files = sorted(path.name for path in folder.iterdir())
    listing = subprocess.run(["sha256sum", *files], cwd=folder, capture_output=True, check=True).stdout
    expected = subprocess.run(["sha256sum"], input=listing, capture_output=True, check=True).stdout.split()[0].decode()
    (folder / "notes-of-the-author.md").write_text("not a file of the template")
    assert Templates(tmp_path).render("note", {}).sha256 == expected


def test_the_hash_changes_with_every_file_and_with_none_of_the_variables(tmp_path: Path) -> None:
    versions: list[dict[str, Any]] = [
        {},
        {"subject": "x"},
        {"text": "x"},
        {"html": "x"},
        {"html": "y"},
        {"declaration": {"variables": {}}},
    ]
    hashes = {rendered(tmp_path / str(number), **files).sha256 for number, files in enumerate(versions)}
    assert len(hashes) == 6
    templates = Templates(tmp_path / "0")
    assert templates.render("note", {"a": 1}).sha256 == templates.render("note", {"b": 2}).sha256


# Templates change under a running process


def test_a_changed_template_is_read_again(tmp_path: Path) -> None:
    templates = Templates(tmp_path, now_ns=lambda: LATE)
    write_template(tmp_path, text="one")
    first = templates.render("note", {})
    write_template(tmp_path, text="three")
    second = templates.render("note", {})
    assert (first.text, second.text) == ("one", "three")
    assert first.sha256 != second.sha256


def test_a_template_changed_twice_within_one_tick_of_the_clock_is_read_again(tmp_path: Path) -> None:
    """The second version has the size and the time of the first."""
    folder = write_template(tmp_path, text="one")
    templates = Templates(tmp_path, now_ns=lambda: MOMENT + 1)
    texts = []
    for text in ("one", "two"):
        (folder / "body.txt").write_text(text)
        for file in folder.iterdir():
            os.utime(file, ns=(MOMENT, MOMENT))
        texts.append(templates.render("note", {}).text)
    assert texts == ["one", "two"]


def test_a_template_gone_bad_is_refused_and_works_again_when_it_is_repaired(tmp_path: Path) -> None:
    templates = Templates(tmp_path)
    write_template(tmp_path, text="good")
    assert templates.render("note", {}).text == "good"
    write_template(tmp_path, text="{{ bad() }}")
    reason(templates)
    write_template(tmp_path, text="good again")
    assert templates.render("note", {}).text == "good again"


def test_a_file_that_became_a_link_to_the_outside_is_refused(tmp_path: Path) -> None:
    folder = write_template(tmp_path / "templates", text="mine")
    (tmp_path / "outside").write_text("mine")
    templates = Templates(tmp_path / "templates", now_ns=lambda: LATE)
    templates.render("note", {})
    (folder / "body.txt").unlink()
    (folder / "body.txt").symlink_to(tmp_path / "outside")
    assert "leads out" in reason(templates)


def test_one_instance_serves_many_threads() -> None:
    templates = Templates()

    def reminder(number: int) -> str:
        return templates.render("renewal_reminder", {**REMINDER, "customer_name": f"Customer {number}"}).text

    with ThreadPoolExecutor(8) as pool:
        texts = list(pool.map(reminder, range(200)))
    assert all(f"Dear Customer {number},\n" in text for number, text in enumerate(texts))


def test_jinja_is_loaded_with_the_first_template_and_not_before() -> None:
    script = (
        "import sys; from adapters.templates import Templates; templates = Templates('/opt/templates');"
        "assert 'jinja2' not in sys.modules; templates.render('renewal_reminder', "
        "{'customer_name': 'A', 'renewal_date': '2023-12-31'}); assert 'jinja2' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[3])


# The reminder that ships


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data.split()


FULL = REMINDER | {"plan": "Business", "amount": 1200, "currency": "EUR", "account_manager": "Jo Díaz"}


@pytest.mark.parametrize("variables", [REMINDER, FULL, REMINDER | {"amount": 9.5}, REMINDER | {"plan": ""}])
def test_the_reminder_says_the_same_in_text_and_html(variables: dict[str, Any]) -> None:
    reminder = Templates().render("renewal_reminder", variables)
    assert reminder.html is not None
    page = Page(reminder.html)
    html, text = " ".join(page.words), " ".join(reminder.text.split())
    for said in (
        "Acme Corporation",
        "31 December 2023",
        *map(str, [variables.get("plan", ""), variables.get("account_manager", "")]),
    ):
        assert said in html
        assert said in text
    assert ("EUR 1,200.00" in html) == ("EUR 1,200.00" in text) == (variables is FULL)
    assert ("USD 9.50" in html) == ("USD 9.50" in text) == ("amount" in variables and variables is not FULL)
    assert not page.open


def test_the_reminder_reads_well_without_any_option() -> None:
    assert Templates().render("renewal_reminder", REMINDER).text == (
        "Dear Acme Corporation,\n"
        "\n"
        "Your subscription renews on 31 December 2023.\n"
        "\n"
        "  Customer: Acme Corporation\n"
        "  Renewal:  31 December 2023\n"
        "\n"
        "If everything is right, there is nothing to do. If you would like to change\n"
        "something, please reply to this message before 31 December 2023.\n"
        "\n"
        "Kind regards,\n"
        "Your customer team\n"
    )


def test_the_reminder_is_accessible_and_fetches_nothing() -> None:
    html = Templates().render("renewal_reminder", FULL).html
    assert html is not None
    page = Page(html)
    assert not {"src", "href", "background", "action", "onload"} & {
        name for _, attributes in page.tags for name in attributes
    }
    assert not {"script", "link", "img", "iframe", "form", "style"} & {tag for tag, _ in page.tags}
    assert "url(" not in html
    attributes = dict(reversed(page.tags))
    assert attributes["html"]["lang"] == "en"
    assert "width=device-width" in str([found for tag, found in page.tags if tag == "meta"])
    layout = [found for tag, found in page.tags if tag == "table" and "role" in found]
    assert all(found["role"] == "presentation" for found in layout)
    assert all(found["scope"] == "row" for tag, found in page.tags if tag == "th")


@settings(max_examples=60, deadline=None)
@given(
    st.fixed_dictionaries(
        {"customer_name": st.text(max_size=40), "renewal_date": st.dates().map(str)},
        optional={
            "plan": st.text(max_size=20),
            "amount": st.floats() | st.integers(),
            "currency": st.text(max_size=4) | st.just("USD"),
            "account_manager": st.text(max_size=20),
        },
    )
)
def test_nobody_writes_html_into_the_reminder(variables: dict[str, Any]) -> None:
    """A render or a refusal; and the page has the same tags, whatever the values are."""
    messages: list[Any] = []
    refusal_of(lambda: messages.append(Templates().render("renewal_reminder", variables)))
    for message in messages:
        harmless = {name: "x" if isinstance(value, str) and value else value for name, value in variables.items()}
        harmless |= {"renewal_date": "2023-12-31", "currency": "USD"}
        plain = Templates().render("renewal_reminder", harmless).html
        assert plain is not None
        assert [tag for tag, _ in Page(message.html).tags] == [tag for tag, _ in Page(plain).tags]
        assert "\n" not in message.subject


# Files beside the template's own


def test_a_file_beside_the_template_is_read_as_it_is_now(tmp_path: Path) -> None:
    folder = write_template(tmp_path)
    templates = Templates(tmp_path)
    for content in (b"one", b"two"):
        (folder / "terms.pdf").write_bytes(content)
        assert templates.file("note", "terms.pdf", at_most=3) == content


@pytest.mark.parametrize(
    "file", ["gone.pdf", "large.pdf", "../note2/body.txt", "/etc/passwd", "out.pdf", "over.pdf", "."]
)
def test_no_other_file_is(tmp_path: Path, file: str) -> None:
    folder = write_template(tmp_path)
    other = write_template(tmp_path, "note2")
    (tmp_path / "outside.pdf").write_bytes(b"x")
    (folder / "large.pdf").write_bytes(b"x" * 11)
    (folder / "out.pdf").symlink_to(tmp_path / "outside.pdf")
    (folder / "over.pdf").symlink_to(other / "body.txt")
    with pytest.raises(InvalidTemplate):
        Templates(tmp_path).file("note", file, at_most=10)


def test_a_link_within_the_folder_is_followed(tmp_path: Path) -> None:
    """As where a volume is mounted whose files are links."""
    folder = write_template(tmp_path)
    (folder / "..data").mkdir()
    (folder / "..data" / "terms.pdf").write_bytes(b"x")
    (folder / "terms.pdf").symlink_to("..data/terms.pdf")
    assert Templates(tmp_path).file("note", "terms.pdf", at_most=10) == b"x"
