"""A plan's file: YAML, of which nothing is overlooked and nothing but the place of a mistake is told."""

from pathlib import Path
from typing import Any

import yaml

from loadtest.failures import SwarmError


class _Loader(yaml.SafeLoader):
    """With names that may stand once only, as YAML has it (1.2.2, section 3.2.1.1)."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The library would let the last one win: the thresholds that stand first would not be asked for."""
        known = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in known:
                    raise yaml.MarkedYAMLError(
                        problem="a name that stands twice", problem_mark=key.start_mark
                    )
                known.add(key.value)
        return super().construct_mapping(node, deep)


def read(path: Path) -> dict[str, Any]:
    """The plan's members by their names. Raises SwarmError."""
    try:
        with path.open(encoding="utf-8") as file:
            data = yaml.load(file, _Loader)
    except OSError as error:
        raise SwarmError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SwarmError(f"{path} is no YAML: it is not written in UTF-8") from None
    except yaml.YAMLError as error:
        raise SwarmError(f"{path} is no YAML{_told(error)}") from None
    return mapping(data if data is not None else {}, str(path))


def mapping(data: Any, name: str) -> dict[str, Any]:
    """What has names. Raises SwarmError for anything else."""
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        raise SwarmError(f"{name} must hold names and their values")
    return dict(data)


def _told(error: yaml.YAMLError) -> str:
    """The library's own text quotes the file, in which there are secrets."""
    mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
    place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    what = error.problem if type(error) is yaml.MarkedYAMLError else type(error).__name__
    return f"{place}: {what}"
