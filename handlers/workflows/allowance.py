"""How much work an evaluation may be."""

from __future__ import annotations

from domain.errors import ExpressionError


class Allowance:
    """Steps of work: nodes visited, and members and characters of values made."""

    def __init__(self, most: int) -> None:
        self._most = self._left = most

    def take(self, steps: int) -> None:
        """Raises ExpressionError when they are used up."""
        self._left -= steps
        if self._left < 0:
            raise ExpressionError(f"costs more than {self._most} steps to evaluate")

    def take_for(self, value: object) -> None:
        """What a value weighs, as if nothing in it were shared."""
        rest = [value]
        while rest:
            one = rest.pop()
            self.take(1)
            if isinstance(one, str):
                self.take(len(one))
            elif isinstance(one, list):
                rest.extend(one)
            elif isinstance(one, dict):
                rest.extend(one)
                rest.extend(one.values())
