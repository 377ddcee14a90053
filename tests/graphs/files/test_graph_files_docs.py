"""docs/graph-files.md says what is so: its example, its picture, its words."""

import re
from pathlib import Path

from tests.support.rooms import ROOT
from treadle.agents.embedded import EmbeddedChatModel
from treadle.graphs import GraphFile, GraphParts, to_svg
from treadle.graphs.files._conditions import TESTS
from treadle.graphs.files._spec import KINDS, EdgeSpec, FieldSpec

PAGE = (ROOT / "docs" / "graph-files.md").read_text("utf-8")
EXAMPLE = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[1]


def example(folder: Path) -> GraphFile:
    path = folder / "checked.yaml"
    path.write_text(EXAMPLE)
    return GraphFile(path)


def test_the_picture_is_what_the_product_draws(tmp_path):
    parts = GraphParts(EmbeddedChatModel(), name="checked")
    drawn = to_svg(example(tmp_path).drawn(parts))
    path = ROOT / "docs" / "graphs" / "checked.svg"
    assert path.read_text("utf-8") == drawn, (
        f"{path} is out of date: draw it again with 'treadle graph'"
    )


def told(section):
    text = re.search(rf"\n## {section}\n(.*?)(?=\n## |\Z)", PAGE, re.DOTALL)[1]
    return set(re.findall(r"`(\w+)`", text)), text


def test_every_field_and_word_is_told():
    state, nodes, edges = told("State")[0], told("Nodes")[0], told("Edges")[0]
    assert set(FieldSpec.model_fields) <= state
    assert {*KINDS, "max_runs"} <= nodes
    assert {field for fields in KINDS.values() for field in fields} - nodes == {"conversation"}
    assert set(TESTS) | {"all", "any", "not"} <= edges
    names = {field.alias or name for name, field in EdgeSpec.model_fields.items()}
    assert names - {"from"} <= edges | {"choose"}
