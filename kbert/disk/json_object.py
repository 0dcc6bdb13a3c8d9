"""Files of JSON that hold one object: settings."""

import json
from pathlib import Path


def json_object(path: Path) -> dict:
    """A JSON file that holds one object.

    Raises:
        ValueError: it does not.
    """
    try:
        stored = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(
            f"Expected JSON in {path}; {error}. Copy or download it again."
        ) from None
    if not isinstance(stored, dict):
        raise ValueError(
            f"Expected a JSON object in {path}; it holds a {type(stored).__name__}."
        )
    return stored
