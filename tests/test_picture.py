"""The picture of accuracy against cost: well-formed, complete, and readable where points lie close."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from thinkcap.evals import Panel, Point, picture

shares = st.floats(0, 1)
points = st.builds(
    lambda label, cost, accuracy, low, high: Point(label, cost, accuracy, min(low, accuracy), max(high, accuracy)),
    st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=12),
    st.floats(1e-9, 1e9),
    shares,
    shares,
    shares,
)


@given(st.lists(points, min_size=1, max_size=5))
def test_any_points_make_a_whole_picture(drawn: list[Point]) -> None:
    """Whatever the points, names included, the SVG parses, fetches nothing, and no coordinate is missing."""
    text = picture([Panel("title <&>", "cost", drawn)])
    root = ElementTree.fromstring(text)
    assert "href" not in text
    assert "nan" not in re.sub(r">[^<]*<", "><", text)
    labels = [element.text or "" for element in root.iter() if element.tag.endswith("text")]
    for point in drawn:
        assert f"{point.label}  {100 * point.accuracy:.1f} %" in labels


def test_labels_of_close_points_do_not_cover_each_other() -> None:
    """Three points almost on one spot have labels that stand apart."""
    drawn = [Point(name, cost, 0.5, 0.42, 0.58) for name, cost in (("high", 1.0), ("thinkcap", 0.8), ("other", 0.9))]
    root = ElementTree.fromstring(picture([Panel("title", "cost", [Point("low", 0.1, 0.1), *drawn])]))
    boxes = []
    for element in root.iter():
        if element.tag.endswith("text") and element.get("font-weight") == "600" and (element.text or "").endswith("%"):
            left, bottom = float(element.attrib["x"]), float(element.attrib["y"])
            boxes.append((left, bottom - 12, left + 7 * len(element.text or ""), bottom))
    assert len(boxes) == 4
    for number, one in enumerate(boxes):
        for other in boxes[number + 1 :]:
            assert one[0] >= other[2] or other[0] >= one[2] or one[1] >= other[3] or other[1] >= one[3]
