"""Whether the edges of a graph file lead somewhere, come to an end, and do not collide."""

from collections.abc import Iterable, Mapping

from treadle.core.yaml_files import Place, YamlFile
from treadle.graphs.files._spec import END, START, EdgeSpec, GraphSpec, names_of


def check_flow(file: YamlFile, spec: GraphSpec) -> None:
    """Refuse edges that leave a node out, could go round for ever, or write over each other.

    Raises:
        ConfigError: what is wrong, with the line and what to do.
    """
    _check_one_edge_each(file, spec)
    _check_reached(file, spec)
    _check_bounded(file, spec)
    _check_joins(file, spec)
    _check_writes(file, spec)


def _check_one_edge_each(file: YamlFile, spec: GraphSpec) -> None:
    """An edge of its own for each node: what begins at a node is said in one place."""
    first: dict[str, int] = {}
    for number, edge in enumerate(spec.edges):
        if len(edge.sources) > 1:
            continue
        (source,) = edge.sources
        if source in first:
            line = file.line(("edges", first[source]))
            raise file.error(
                ("edges", number, "from"),
                f"a second edge begins at {source!r}; the first is in line {line}.",
                hint="Say it in one: 'to: [a, b]' goes both ways, 'choose' one of several.",
            )
        first[source] = number
    begun = {source for edge in spec.edges for source in edge.sources}
    for name in (START, *spec.nodes):
        if name not in begun:
            raise file.error(
                ("edges",) if name == START else ("nodes", name),
                f"no edge begins at {name!r}.",
                hint=f"Add '- {{from: {name}, to: {END}}}' to the edges, or lead it elsewhere.",
            )


def _check_reached(file: YamlFile, spec: GraphSpec) -> None:
    reached, waiting = {START}, [START]
    while waiting:
        name = waiting.pop()
        for source, target, _, _ in spec.targets():
            if source == name and target not in reached:
                reached.add(target)
                waiting.append(target)
    for name in spec.nodes:
        if name not in reached:
            raise file.error(
                ("nodes", name),
                f"no edge leads from {START!r} to {name!r}.",
                hint="Lead an edge to it, or take it out.",
            )


def _check_bounded(file: YamlFile, spec: GraphSpec) -> None:
    steps: dict[str, list[tuple[str, Place]]] = {}
    for source, target, place, is_bounded in spec.targets():
        if not is_bounded:
            steps.setdefault(source, []).append((target, place))
    found = _circle(steps)
    if found is None:
        return
    names, place = found
    raise file.error(
        place,
        f"{' → '.join(names)} can go round for ever.",
        hint="Give a node of it 'max_runs', and let a 'choose' lead to that node: the choice is "
        "passed over once the node has run that often.",
    )


def _circle(steps: Mapping[str, list[tuple[str, Place]]]) -> tuple[list[str], Place] | None:
    """Return the names of a circle of steps, and the place of the step that closes it."""
    done: set[str] = set()
    for root in list(steps):
        path, ways = [root], [iter(steps.get(root, ()))]
        while path:
            step = next(ways[-1], None)
            if step is None:
                done.add(path.pop())
                ways.pop()
            elif step[0] in path:
                return [*path[path.index(step[0]) :], step[0]], step[1]
            elif step[0] not in done:
                path.append(step[0])
                ways.append(iter(steps.get(step[0], ())))
    return None


def _check_joins(file: YamlFile, spec: GraphSpec) -> None:
    """Refuse to wait for nodes of which a choice lets only one run."""
    leading: dict[str, set[tuple[int, int]]] = {}
    for number, edge in enumerate(spec.edges):
        for way, names in enumerate(_alternatives(edge)):
            for name in names:
                leading.setdefault(name, set()).add((number, way))
    for number, edge in enumerate(spec.edges):
        for one in edge.sources:
            for other in edge.sources:
                if _exclude_each_other(leading.get(one, set()), leading.get(other, set())):
                    raise file.error(
                        ("edges", number, "from"),
                        f"{one!r} and {other!r} are waited for, and a choice lets only one of "
                        "them run.",
                        hint="Give each an edge of its own.",
                    )


def _alternatives(edge: EdgeSpec) -> list[tuple[str, ...]]:
    choices = [names_of(choice.to) for choice in edge.choose or ()]
    return [*choices, names_of(edge.to), names_of(edge.else_)]


def _exclude_each_other(one: set[tuple[int, int]], other: set[tuple[int, int]]) -> bool:
    if len(one) != 1 or len(other) != 1:
        return False
    ((edge, way),), ((other_edge, other_way),) = one, other
    return edge == other_edge and way != other_way


def _check_writes(file: YamlFile, spec: GraphSpec) -> None:
    """Refuse nodes that run side by side and write over each other's field."""
    for number, edge in enumerate(spec.edges):
        for names, place in _side_by_side(edge, ("edges", number)):
            written: dict[str, str] = {}
            for name in names:
                to = spec.nodes[name].to if name in spec.nodes else None
                if to is None or spec.state[to].reduce != "replace":
                    continue
                if to in written:
                    other = written[to]
                    who = (
                        f"{other!r} and {name!r} write"
                        if other != name
                        else (f"every run of {name!r} writes")
                    )
                    raise file.error(
                        place,
                        f"{who} to {to!r} at the same time.",
                        hint=f"Give {to!r} 'type: array' and 'reduce: append', or a field to each.",
                    )
                written[to] = name


def _side_by_side(edge: EdgeSpec, place: Place) -> Iterable[tuple[tuple[str, ...], Place]]:
    if edge.each is not None:
        yield names_of(edge.to) * 2, (*place, "to")
        return
    yield names_of(edge.to), (*place, "to")
    for number, choice in enumerate(edge.choose or ()):
        yield names_of(choice.to), (*place, "choose", number, "to")
    yield names_of(edge.else_), (*place, "else")
