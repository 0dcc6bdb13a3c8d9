"""The objects of an object-based (TF2) checkpoint, and the paths between them."""

from collections.abc import Iterator


class ObjectGraph:
    """The objects of a checkpoint, by number; 0 is the one that was saved.

    Args:
        serialized: the entry of the checkpoint that holds the graph.

    Attributes:
        children: number -> {attribute: number}.
    """

    def __init__(self, serialized: bytes):
        from tensorflow.core.protobuf import trackable_object_graph_pb2

        graph = trackable_object_graph_pb2.TrackableObjectGraph.FromString(serialized)
        self.children = [
            {child.local_name: child.node_id for child in node.children}
            for node in graph.nodes
        ]
        self._keys = [
            next((value.checkpoint_key for value in node.attributes), None)
            for node in graph.nodes
        ]

    def key(self, node: int | None) -> str | None:
        """The key of a variable in the file; None for what is no variable."""
        return None if node is None else self._keys[node]

    def walk(self, node: int | None, path: str) -> int | None:
        """From an object along attributes, "a/b/c"; None where one is not there."""
        for name in path.split("/") if path else ():
            node = None if node is None else self.children[node].get(name)
        return node

    def breadth_first(self, start: int = 0) -> Iterator[int]:
        """An object and all that it leads to, the nearest first."""
        queue, seen = [start], {start}
        for node in queue:
            yield node
            new = [n for n in self.children[node].values() if n not in seen]
            queue += dict.fromkeys(new)
            seen.update(new)
