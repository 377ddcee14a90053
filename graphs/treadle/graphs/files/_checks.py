"""What must be so of a graph file beyond its form; whatever is not is told with its line."""

import keyword
from collections.abc import Iterable, Mapping
from typing import NoReturn, TypeVar

from treadle.core.errors import nearest
from treadle.core.json_schemas import object_schema
from treadle.core.yaml_files import Place, YamlFile
from treadle.graphs.files._conditions import TESTS, Condition
from treadle.graphs.files._flow import check_flow
from treadle.graphs.files._spec import END, KINDS, START, EdgeSpec, FieldSpec, GraphSpec, NodeSpec
from treadle.graphs.turns import BEGIN, FINISH, TurnState
from treadle.graphs.turns.fields import is_of
from treadle.graphs.turns.graph import BRANCH
from treadle.graphs.turns.nodes import templates_in
from treadle.graphs.turns.templates import QUESTION

V = TypeVar("V")

_RESERVED_NODES = {START, END, BEGIN, FINISH}
_RESERVED_FIELDS = {*TurnState.__annotations__, QUESTION, BRANCH, "messages"}
_REDUCIBLE = {"append": {"array"}, "add": {"integer", "number"}, "merge": {"object"}}
_TAKES = {
    "prompt": {"string", "array"},
    "tool": {"string", "array"},
    "agent": {"string", "array"},
    "interrupt": {"string", "integer", "number", "boolean", "object", "array"},
}


def check(file: YamlFile, spec: GraphSpec) -> None:
    """Refuse a graph that cannot be what was meant.

    Raises:
        ConfigError: what is wrong, with the line and what is allowed there.
    """
    checks = _Checks(file, spec)
    for name, field in spec.state.items():
        checks.field(name, field)
    for name in spec.nodes:
        checks.node_name(name)
    for number, edge in enumerate(spec.edges):
        checks.edge(edge, ("edges", number))
    for name, node in spec.nodes.items():
        checks.node(node, name)
    checks.answer()
    check_flow(file, spec)


class _Checks:
    def __init__(self, file: YamlFile, spec: GraphSpec) -> None:
        self._file = file
        self._spec = spec

    def field(self, name: str, field: FieldSpec) -> None:
        place: Place = ("state", name)
        if name in _RESERVED_FIELDS or keyword.iskeyword(name):
            taken = ", ".join(sorted(_RESERVED_FIELDS))
            self._refuse(
                place, f"a field cannot be called {name!r}.", f"These names are taken: {taken}."
            )
        fitting = _REDUCIBLE.get(field.reduce)
        if fitting is not None and field.type not in fitting:
            self._refuse(
                (*place, "reduce"),
                f"'reduce: {field.reduce}' is for a field of type {' or '.join(sorted(fitting))}; "
                f"{name!r} is of type {field.type!r}.",
                "Leave 'reduce' out, and a write replaces what was there.",
            )
        if field.default is None:
            return
        if field.reduce != "replace":
            self._refuse(
                (*place, "default"),
                f"a field with 'reduce: {field.reduce}' begins empty, so it takes no 'default'.",
                "Leave one of them out.",
            )
        if not is_of(field.default, field.type):
            self._refuse(
                (*place, "default"),
                f"the default {field.default!r} of {name!r} is not of type {field.type!r}.",
                "Put a text in quotes, or change the type.",
            )

    def node_name(self, name: str) -> None:
        if name in _RESERVED_NODES or keyword.iskeyword(name):
            taken = ", ".join(sorted(_RESERVED_NODES))
            self._refuse(
                ("nodes", name),
                f"a node cannot be called {name!r}.",
                f"These names are taken: {taken}, and Python's own words.",
            )

    def node(self, node: NodeSpec, name: str) -> None:
        place: Place = ("nodes", name)
        if len(node.kinds) != 1:
            found = f"it has {' and '.join(node.kinds)}" if node.kinds else "it has none"
            self._refuse(
                place,
                f"a node does one thing: {', '.join(KINDS)}; of these {found}.",
                "Make a node of each." if node.kinds else f"Give {name!r} one of them.",
            )
        (kind,) = node.kinds
        extra = node.model_fields_set - KINDS[kind] - {kind, "max_runs"}
        if extra:
            belongs = sorted({kind, "max_runs", *KINDS[kind]})
            self._refuse(
                (*place, min(extra)),
                f"{min(extra)!r} does not belong to a node with {kind!r}.",
                f"Its fields: {', '.join(belongs)}.",
            )
        self._result(node, kind, place)
        self._templates(node, name)

    def _result(self, node: NodeSpec, kind: str, place: Place) -> None:
        if node.to is None:
            needy = {"interrupt": "an answer", "agent": "what the task brings"}.get(kind)
            if needy and (kind != "agent" or node.task is not None):
                self._refuse(place, f"{needy} needs a field to go to.", "Add 'to: FIELD'.")
            if node.output is not None:
                self._refuse(
                    (*place, "output"),
                    "'output' is of a thought, and this node answers: it has no 'to'.",
                    "Add 'to: FIELD', or give the agent's file the 'output'.",
                )
            return
        field = self._known(node.to, self._spec.state, "field", (*place, "to"))
        if kind == "agent" and node.task is None:
            self._refuse(
                (*place, "to"),
                "an agent without a 'task' goes on with the conversation, and what it says is the "
                "answer.",
                "Add a 'task', or leave 'to' out.",
            )
        takes = _TAKES[kind]
        if node.output is not None:
            try:
                object_schema(node.output)
            except ValueError as wrong:
                self._refuse((*place, "output"), f"{wrong}.")
            takes = {"object"} | ({"array"} if field.reduce == "append" else set())
        if field.type not in takes:
            self._refuse(
                (*place, "to"),
                f"{node.to!r} is of type {field.type!r}, and this node gives "
                f"{' or '.join(sorted(takes))}.",
                "Change the field's type, or give the node an 'output' and compare a place inside.",
            )

    def _templates(self, node: NodeSpec, name: str) -> None:
        known = {*self._spec.state, QUESTION, *self._items(name)}
        texts = {
            "prompt": node.prompt,
            "arguments": node.arguments,
            "task": node.task,
            "interrupt": node.interrupt,
        }
        for field, text in texts.items():
            if text:
                self._template(text, known, ("nodes", name, field))

    def _template(self, text: object, known: Iterable[str], place: Place) -> None:
        try:
            used = {field for template in templates_in(text) for field in template.fields}
        except ValueError as error:
            self._refuse(place, f"{error}.", "Write '{{' and '}}' for braces that are meant.")
        names = dict.fromkeys(known)
        for field in sorted(used):
            self._known(field, names, "field", place)

    def _items(self, node: str) -> set[str]:
        """Return the names under which a node finds items that are sent to it."""
        edges = [edge for edge in self._spec.edges if edge.each and edge.to == node]
        return {edge.as_ for edge in edges if edge.as_}

    def edge(self, edge: EdgeSpec, place: Place) -> None:
        for source in edge.sources:
            if source != START:
                self._known(source, self._spec.nodes, "node", (*place, "from"), also=START)
        if len(set(edge.sources)) != len(edge.sources) or (
            START in edge.sources and len(edge.sources) > 1
        ):
            self._refuse(
                (*place, "from"), "an edge from several nodes waits for each of them once."
            )
        for _, target, where, _ in self._spec.targets():
            if where[:2] == place and target != END:
                self._known(target, self._spec.nodes, "node", where, also=END)
        self._one_way(edge, place)
        if edge.each is not None:
            self._each(edge, edge.each, place)
        for number, choice in enumerate(edge.choose or ()):
            for comparison in choice.if_.comparisons():
                self._comparison(comparison, (*place, "choose", number, "if"))

    def _one_way(self, edge: EdgeSpec, place: Place) -> None:
        given = edge.model_fields_set
        goes = "each" if "each" in given else "choose" if "choose" in given else "to"
        needed = {"each": {"to", "as_", "else_"}, "choose": {"else_"}, "to": {"to"}}[goes]
        allowed = {"from_", goes, *needed, *({"most"} if goes == "each" else ())}
        if missing := needed - given:
            wanted = min(missing).rstrip("_")
            why = {
                "else": "say where to go when nothing else holds",
                "as": "say under which name the node finds its item",
                "to": "say where it goes: 'to', 'choose' or 'each'",
            }[wanted]
            self._refuse(place, f"the edge has no {wanted!r}: {why}.", f"Add '{wanted}: NAME'.")
        if extra := given - allowed:
            names = ", ".join(sorted(name.rstrip("_") for name in allowed))
            wrong = min(extra).rstrip("_")
            self._refuse(
                (*place, wrong),
                f"{wrong!r} does not belong to an edge with {goes!r}.",
                f"Its fields: {names}.",
            )
        if goes != "to" and len(edge.sources) > 1:
            self._refuse((*place, "from"), f"an edge with {goes!r} begins at one node.")

    def _each(self, edge: EdgeSpec, each: str, place: Place) -> None:
        field = self._known(each, self._spec.state, "field", (*place, "each"))
        if field.type != "array":
            self._refuse(
                (*place, "each"),
                f"the items of {each!r} cannot be sent: it is of type {field.type!r}.",
                "Make it 'type: array'.",
            )
        if not isinstance(edge.to, str) or edge.to == END or not isinstance(edge.else_, str):
            self._refuse((*place, "to"), "items are sent to one node, and 'else' is one, too.")
        if edge.as_ in self._spec.state or edge.as_ in _RESERVED_FIELDS:
            self._refuse(
                (*place, "as"), f"{edge.as_!r} is a field of the state.", "Choose another name."
            )

    def _comparison(self, condition: Condition, place: Place) -> None:
        name, _, inner = (condition.field or "").partition(".")
        if name == QUESTION:
            self._refuse(
                place, "a condition compares fields of the state, and 'question' is none of them."
            )
        field = self._known(name, self._spec.state, "field", (*place, "field"))
        if inner:
            if field.type != "object":
                self._refuse(
                    (*place, "field"), f"{name!r} is of type {field.type!r}: it has no {inner!r}."
                )
            return
        test = TESTS[condition.test]
        if field.type not in test.types:
            fitting = ", ".join(word for word, one in TESTS.items() if field.type in one.types)
            self._refuse(
                (*place, condition.test),
                f"{condition.test!r} cannot compare {name!r}, which is of type {field.type!r}.",
                f"These can: {fitting}.",
            )
        wanted = condition.wanted if condition.test == "in" else (condition.wanted,)
        if condition.test in {"is", "is_not", "in"}:
            self._same_type(name, field, wanted, (*place, condition.test))

    def _same_type(self, name: str, field: FieldSpec, wanted: Iterable[object], at: Place) -> None:
        kind = "number" if field.type == "integer" else field.type
        for value in wanted:
            if not is_of(value, kind):
                self._refuse(
                    at,
                    f"{name!r} is of type {field.type!r}, and {value!r} is not.",
                    "Put a text in quotes: YAML reads yes, no, on, off and numbers as such.",
                )

    def answer(self) -> None:
        spec = self._spec
        if spec.answer is not None:
            self._template(spec.answer, {*spec.state, QUESTION}, ("answer",))
        elif not any(node.answers or node.python for node in spec.nodes.values()):
            self._refuse(
                ("nodes",),
                "no node gives an answer.",
                "Leave 'to' out of a node with 'prompt', or add 'answer: \"{FIELD}\"'.",
            )

    def _known(
        self, name: str, known: Mapping[str, V], kind: str, place: Place, also: str = ""
    ) -> V:
        """Return what has that name, or offer the nearest."""
        if name in known:
            return known[name]
        close = nearest(name, known)
        names = sorted([*known, also] if also else known)
        raise self._file.error(
            place,
            f"there is no {kind} {name!r}.",
            hint=(f"Did you mean {close!r}? " if close else "")
            + (f"There are: {', '.join(names)}." if names else f"The file has no {kind}s."),
        )

    def _refuse(self, place: Place, message: str, hint: str = "") -> NoReturn:
        raise self._file.error(place, message, hint=hint)
