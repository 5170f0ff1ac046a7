import xml.etree.ElementTree as ET

from pipelines.web.graph_svg import Node, graph_svg

NODES = [
    Node("ingest", "ingest", "cached"),
    Node("train-teacher", "train", "done", "12 s"),
    Node("convert-teacher", "convert", "failed"),
    Node("evaluate-teacher", "evaluate", "waiting"),
]
EDGES = [
    ("ingest", "train-teacher"),
    ("train-teacher", "convert-teacher"),
    ("convert-teacher", "evaluate-teacher"),
    ("ingest", "evaluate-teacher"),
]


def texts(drawing):
    root = ET.fromstring(drawing)
    return [item.text for item in root.iter("{http://www.w3.org/2000/svg}text")]


def test_every_step_is_drawn_with_verb_and_object():
    drawn = graph_svg(NODES, EDGES)
    assert texts(drawn) == [
        "ingest", "train", "teacher", "12 s", "convert", "teacher", "evaluate", "teacher",
    ]  # fmt: skip
    assert drawn.count('class="edge"') == 3  # the fourth is implied
    assert drawn == graph_svg(NODES, EDGES)


def test_names_and_links_are_only_text():
    node = Node("train-<b>", "train", link='"onload="x')
    root = ET.fromstring(graph_svg([node], []))
    assert "<b>" in texts(graph_svg([node], []))
    (anchor,) = root.iter("{http://www.w3.org/2000/svg}a")
    assert anchor.attrib == {"href": '"onload="x'}


def test_a_graph_of_nothing_is_a_picture_as_well():
    assert ET.fromstring(graph_svg([], [])).get("viewBox")


def test_what_is_no_step_says_itself_what_stands_in_its_box():
    file = Node("data", "Source", detail="9c873ad2", family="data")
    drawn = graph_svg([file, NODES[0]], [("data", "ingest")], counted="steps and files")
    assert texts(drawn) == ["Source", "9c873ad2", "ingest"]
    assert "Steps: 2 steps and files" in drawn
