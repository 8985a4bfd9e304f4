"""Parse YAML to nodes with their positions.

PyYAML supplies the events. Its own composer has no limit of depth, and resolves tags by YAML 1.1.
"""

from collections.abc import Iterator
from typing import Any

import yaml
from yaml.error import Mark, MarkedYAMLError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

MAX_DEPTH = 100
"""The largest depth of a contract. Real contracts have ten levels."""


class TooDeepError(Exception):
    """The text is nested more than `MAX_DEPTH` deep, at the mark."""

    def __init__(self, mark: Mark) -> None:
        super().__init__("nested too deeply")
        self.mark = mark


def compose(text: str) -> Node | None:
    """Return the root of the only YAML document of a text; None if there is none. Only explicit tags are not None.

    libyaml is many times faster than PyYAML's parser in Python, but its messages say less, and it refuses the escapes
    of JSON for characters beyond U+FFFF. What it refuses is therefore parsed again in Python.

    Raises:
        YAMLError: The text is not YAML.
        TooDeepError: It is nested too deeply.
    """
    if yaml.__with_libyaml__:
        try:
            return _Composer(yaml.parse(text, yaml.CBaseLoader)).document()
        except (yaml.YAMLError, UnicodeEncodeError):
            pass
    return _Composer(yaml.parse(text, yaml.BaseLoader)).document()


class _Composer:
    """Makes nodes of the events of a stream."""

    def __init__(self, events: Iterator[Any]) -> None:
        self._events = events
        self._anchors: dict[str, Node] = {}

    def document(self) -> Node | None:
        next(self._events)  # of the stream
        if isinstance(next(self._events), yaml.StreamEndEvent):
            return None
        root = self._node(next(self._events), 1)
        next(self._events)  # the end of the document
        if not isinstance(event := next(self._events), yaml.StreamEndEvent):
            context, problem = "expected a single document in the stream", "but found another document"
            raise MarkedYAMLError(context, root.start_mark, problem, event.start_mark)
        return root

    def _node(self, event: Any, depth: int) -> Node:
        start, end = event.start_mark, event.end_mark
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise MarkedYAMLError(problem=f"found undefined alias '{event.anchor}'", problem_mark=start)
            return self._anchors[event.anchor]
        if depth > MAX_DEPTH:
            raise TooDeepError(start)
        node: Node
        tag = event.tag
        if isinstance(event, yaml.ScalarEvent):
            node = ScalarNode(tag, event.value, start, end, event.style)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = SequenceNode(tag, [], start)
        else:
            node = MappingNode(tag, [], start)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        if not isinstance(node, ScalarNode):
            parts = self._parts(depth + 1)
            node.value.extend(parts if isinstance(node, SequenceNode) else zip(parts, parts, strict=True))
        return node

    def _parts(self, depth: int) -> Iterator[Node]:
        """Yield the nodes of a collection: items, or keys and values in turn."""
        while not isinstance(event := next(self._events), yaml.CollectionEndEvent):
            yield self._node(event, depth)
