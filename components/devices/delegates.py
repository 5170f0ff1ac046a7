"""What the runtime handed to its delegate, XNNPACK on a CPU, and what fell off it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_DELEGATE = "DELEGATE"


@dataclass(frozen=True)
class Delegation:
    """How an interpreter has divided a model.

    Every border between partitions costs a copy, and what lies outside runs on plain kernels.

    Attributes:
        partitions: Count of pieces that the delegate runs.
        inside: Count of operators in them.
        outside: Names of the other operators, in the order they run.
        places: Where those stand in the file's list of operators, as many.
    """

    partitions: int
    inside: int
    outside: tuple[str, ...]
    places: tuple[int, ...] = ()

    @classmethod
    def of(cls, interpreter: Any) -> Delegation:
        """Read the division from an interpreter whose tensors are allocated.

        The runtime lists the operators of the file and after them its delegate's partitions, each
        as one operator, without saying what is in them. A partition takes in everything from its
        outputs back to its inputs.
        """
        listed = interpreter._get_ops_details()  # noqa: SLF001 there is no public way
        partitions = [op for op in listed if op["op_name"] == _DELEGATE]
        operators = [op for op in listed if op["op_name"] != _DELEGATE]
        maker = {int(tensor): op for op in operators for tensor in op["outputs"]}
        inside: set[int] = set()
        for partition in partitions:
            border = {int(tensor) for tensor in partition["inputs"]}
            todo = [int(tensor) for tensor in partition["outputs"]]
            while todo:
                tensor = todo.pop()
                op = maker.get(tensor)
                if tensor not in border and op is not None and op["index"] not in inside:
                    inside.add(op["index"])
                    todo.extend(int(given) for given in op["inputs"])
        outside = [op for op in operators if op["index"] not in inside]
        return cls(
            partitions=len(partitions),
            inside=len(inside),
            outside=tuple(op["op_name"] for op in outside),
            places=tuple(int(op["index"]) for op in outside),
        )
