from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.template_styles import inlined
from domain.errors import InvalidTemplate
from tests.template_files import refusal_of, rendered


def page(css: str, body: str) -> str:
    return f"<style>{css}</style>\n{body}"


def body_of(css: str, body: str) -> str:
    """What stands behind the sheet, where nothing of the sheet is left."""
    return inlined(page(css, body)).removeprefix("\n")


@pytest.mark.parametrize(
    ("css", "body", "expected"),
    [
        ("p{color:red}", "<p>a</p><b>c</b>", '<p style="color: red">a</p><b>c</b>'),
        ("P , b{color:red;}", "<p>a</p><B>c</B>", '<p style="color: red">a</p><B style="color: red">c</B>'),
        (".a{x:1} .b{y:2}", '<i class="a b"></i>', '<i class="a b" style="x: 1; y: 2"></i>'),
        ("i.a.b{x:1}", "<i class='b c a'></i><i class=a></i>", "<i class='b c a' style=\"x: 1\"></i><i class=a></i>"),
        ("#top{x:1}", '<i id="top"></i><i id="topmost"></i>', '<i id="top" style="x: 1"></i><i id="topmost"></i>'),
        ("*{x:1}", "<i></i>", '<i style="x: 1"></i>'),
        ("td p{x:1}", "<td><b><p></p></b></td><p></p>", '<td><b><p style="x: 1"></p></b></td><p></p>'),
        ("td>p{x:1}", "<td><b><p></p></b><p></p></td>", '<td><b><p></p></b><p style="x: 1"></p></td>'),
        ("a b > i{x:1}", "<a><b><u><b><i></i></b></u></b></a>", '<a><b><u><b><i style="x: 1"></i></b></u></b></a>'),
        ("p{x:1}", "<p\n  title='a>b'\n>a</p>", "<p\n  title='a>b' style=\"x: 1\"\n>a</p>"),
        ("img{x:1}", "<img src=a><img />", '<img src=a style="x: 1"><img style="x: 1" />'),
        ("p{x:1}", '<p data-style="y" STYLE="z: 2">a</p>', '<p data-style="y" STYLE="x: 1; z: 2">a</p>'),
        ('p{font-family:"A B",\'C\'}', "<p></p>", "<p style=\"font-family: &quot;A B&quot;,'C'\"></p>"),
        ('p{font-family:"A B",\'C\'}', "<p style='x:1'></p>", "<p style='font-family: \"A B\",&#39;C&#39;; x:1'></p>"),
        ("p{background:url(data:image/png;base64,AA==);x:1}", "<p></p>",
         '<p style="background: url(data:image/png;base64,AA==); x: 1"></p>'),
        ("/* p{y:2} */ p{/* a */x:1}", "<p></p>", '<p style="x: 1"></p>'),
        ("<!-- p{x:1} -->", "<p></p>", '<p style="x: 1"></p>'),
        ("p{x:1}", "<p></p><!-- <p></p> -->&lt;p&gt;", '<p style="x: 1"></p><!-- <p></p> -->&lt;p&gt;'),
        ("p{}", "<p></p>", "<p></p>"),
    ],
)  # fmt: skip
def test_rules_stand_in_the_tags_that_they_are_about(css: str, body: str, expected: str) -> None:
    assert body_of(css, body) == expected


@pytest.mark.parametrize(
    ("css", "expected"),
    [
        ("i{x:1} i{x:2}", "x: 2"),
        (".a{x:1} i{x:2}", "x: 1"),
        ("#b{x:1} .a{x:2} i{x:3}", "x: 1"),
        ("b .a{x:1} .a{x:2}", "x: 1"),
        ("i{x:1!important} .a{x:2}", "x: 1!important"),
        ("i{x:1 !important} .a{x:2 !important}", "x: 2 !important"),
        ("i{p:0} .a{p-left:1} i{p:2}", "p: 2; p-left: 1"),
        (".a{p-left:1} .a{p:0}", "p-left: 1; p: 0"),
    ],
)
def test_of_two_rules_the_one_that_a_browser_would_take_has_the_last_word(css: str, expected: str) -> None:
    assert body_of(css, '<b><i id="b" class="a"></i></b>') == f'<b><i id="b" class="a" style="{expected}"></i></b>'


def test_what_no_tag_can_hold_stays_in_the_sheet() -> None:
    css = "@import url(x.css);\np{x:1}\na:hover, p::first-line{y:2}\n@media print { p { z:3 } }\n"
    assert inlined(page(css, "<p></p>")) == (
        "<style>\n@import url(x.css);\na:hover {y:2}\np::first-line {y:2}\n@media print { p { z:3 } }\n</style>\n"
        '<p style="x: 1"></p>'
    )


def test_a_sheet_for_another_medium_stays_as_it_is() -> None:
    source = '<style media="print">p{x:1}</style><style>p{y:2}</style><p></p>'
    assert inlined(source) == '<style media="print">p{x:1}</style><p style="y: 2"></p>'


def test_a_conditional_comment_is_a_comment() -> None:
    source = "<!--[if mso]><style>p{x:1}</style><![endif]--><style>p{y:2}</style><p></p>"
    assert inlined(source) == '<!--[if mso]><style>p{x:1}</style><![endif]--><p style="y: 2"></p>'


def test_the_template_language_is_left_alone() -> None:
    body = (
        '{% for i in items %}<p style="{{ i.s }}" title="{{ i | default(">") }}">{{ "<p>" }}</p>{# <p> #}{% endfor %}'
    )
    assert body_of("p{x:1}", body) == body.replace('style="', 'style="x: 1; ')


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (page("p+i{x:1}", ""), "line 1: the selector 'p+i' is none of"),
        (page("p~i{x:1}", ""), "the selector"),
        (page("\n\n[href]{x:1}", ""), "line 3: the selector"),
        (page(">p{x:1}", ""), "the selector"),
        (page("p,{x:1}", ""), "the selector"),
        (page("p{x:1", ""), "line 1: the style cannot be read here"),
        (page("p{x:1}}", ""), "the style cannot be read here"),
        (page("p{x}", ""), "the declaration 'x' cannot be read"),
        (page('p{content:"}"}', ""), "cannot be read"),
        (page("p{color:{{ c }}}", ""), "a style may not be made of variables"),
        ("{% if a %}<style>p{x:1}</style>{% endif %}<p></p>", "a style may not depend on a condition"),
        (page(".a{x:1}", '\n<p class="{{ c }}">'), "line 3: a class or id that is made of variables"),
        (page("#a{x:1}", '<p id="a{{ c }}">'), "a class or id that is made of variables"),
        (page("p{x:1}", '<p {% if a %}class="b"{% endif %}>'), "a condition stands around whole tags"),
        (page("p{x:1}", "<p style=a>"), "a style stands in quotes"),
        (page("td p{x:1}", "<td><p></td>"), "tags must be closed in order"),
        (page("td p{x:1}", "\n<td>"), "line 3: tags must be closed in order"),
        (page("td p{x:1}", "</p>"), "tags must be closed in order"),
        ("<style>p{x:1}", "the style has no end"),
    ],
)
def test_what_is_not_understood_stops_the_template_with_its_line(source: str, reason: str) -> None:
    with pytest.raises(InvalidTemplate) as refused:
        inlined(source)
    assert reason in str(refused.value)
    assert str(refused.value).startswith("body.html, line ")


def test_tags_may_stay_open_where_no_selector_asks_what_is_around_them() -> None:
    assert body_of("p{x:1}", "<p>a<p>b") == '<p style="x: 1">a<p style="x: 1">b'


def test_a_mail_has_the_styles_in_its_tags(tmp_path: Path) -> None:
    found = rendered(tmp_path, {"name": '"><x>'}, html=page("p{x:1}", '<p title="{{ name }}">{{ name }}</p>'))
    assert found.html == '\n<p title="&#34;&gt;&lt;x&gt;" style="x: 1">&#34;&gt;&lt;x&gt;</p>'


def test_a_template_may_be_left_as_it_is(tmp_path: Path) -> None:
    source = page("p+i{x:1}", "<p></p>")
    assert rendered(tmp_path, declaration={"email": {"inline_css": False}}, html=source).html == source


@given(st.text("<>style/p{}:;,.#a \"'=!-\n@", max_size=60), st.text("<>p/ class=\"'a{}%", max_size=40))
def test_whatever_stands_there_is_inlined_or_refused(css: str, body: str) -> None:
    refused = refusal_of(lambda: inlined(page(css, body)))
    assert refused is None or isinstance(refused, InvalidTemplate)
