"""What ``/v1/responses`` remembers between requests."""

from collections.abc import Mapping, Sequence
from typing import Any

from treadle.runtime.testing._errors import ApiError, bad_request

Item = Mapping[str, Any]


class Conversations:
    """The responses that later ones may continue. The caller guards it between threads."""

    def __init__(self) -> None:
        self._turns: dict[str, tuple[str | None, list[Item]]] = {}
        self._reasoning_before: dict[str, str] = {}

    def earlier(self, previous_id: str | None) -> list[Item]:
        """Return the items of all turns up to ``previous_id``, oldest first.

        Raises:
            ApiError: there is no such response.
        """
        turns = []
        while previous_id is not None:
            if previous_id not in self._turns:
                raise _not_found(previous_id)
            previous_id, items = self._turns[previous_id]
            turns.append(items)
        return [item for items in reversed(turns) for item in items]

    def keep(
        self,
        response_id: str,
        previous_id: str | None,
        sent: Sequence[Item],
        output: Sequence[Item],
        *,
        stored: bool,
    ) -> None:
        """Remember a turn; one that is not ``stored`` cannot be continued by its id."""
        if stored:
            self._turns[response_id] = (previous_id, [*sent, *output])
        if output and output[0]["type"] == "reasoning":
            for item in output[1:]:
                self._reasoning_before[item["id"]] = output[0]["id"]

    def check_reasoning(self, items: Sequence[Item]) -> None:
        """Check that items of the model come with the reasoning that led to them.

        Raises:
            ApiError: an item carries its id, but its reasoning item was left out.
        """
        present = {item.get("id") for item in items}
        for item in items:
            needed = self._reasoning_before.get(str(item.get("id")))
            if needed is not None and needed not in present:
                message = (
                    f"Item '{item['id']}' of type '{item.get('type') or 'message'}' was provided "
                    f"without its required 'reasoning' item: '{needed}'."
                )
                raise bad_request(message, param="input")


def _not_found(response_id: str) -> ApiError:
    message = f"Previous response with id '{response_id}' not found."
    return bad_request(message, param="previous_response_id", code="previous_response_not_found")
