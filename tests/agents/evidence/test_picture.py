"""The chart as SVG."""

import math
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.evidence.picture import HEIGHT, WIDTH, line_chart

SVG = "{http://www.w3.org/2000/svg}"


def lines(svg: str) -> list[list[tuple[float, float]]]:
    root = ET.fromstring(svg)  # noqa: S314 -- our own
    return [
        [(float(x), float(y)) for x, y in (pair.split(",") for pair in line.attrib["points"].split())]
        for line in root.iter(f"{SVG}polyline")
    ]


def test_a_rise_is_drawn_upwards_from_left_to_right() -> None:
    ((first, second, third),) = lines(
        line_chart("errors", [("checkout", [("02:41", 0.0), ("02:42", 1.0), ("02:43", 9.0)])])
    )
    assert first[0] < second[0] < third[0]
    assert first[1] > second[1] > third[1]


def test_names_are_text_and_never_markup() -> None:
    svg = line_chart("<script>alert(1)</script>", [('"a" & <b>', [("<t>", 1.0)])])
    assert "<script>" not in svg
    texts = [element.text for element in ET.fromstring(svg).iter(f"{SVG}text")]  # noqa: S314 -- our own
    assert '"a" & <b>' in texts


def test_without_a_point_there_is_nothing_to_draw() -> None:
    with pytest.raises(ValueError, match="no points"):
        line_chart("errors", [("checkout", [("02:41", math.nan)])])


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from("abcdefgh"), st.floats(-1e12, 1e12)), min_size=1, max_size=8),
        min_size=1,
        max_size=8,
    )
)
def test_everything_lies_inside_the_picture(series: list[list[tuple[str, float]]]) -> None:
    drawn = lines(line_chart("x", [(str(n), points) for n, points in enumerate(series)]))
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for line in drawn for x, y in line)
