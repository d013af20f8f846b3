"""Reads source trees with `ast` and tells where they break the house's rules; imports nothing that it reads.

The rules themselves are data in `tests/test_architecture.py`. Each check takes the root of a tree and
returns messages such as `server/core/party.py imports asyncio`, so that a test can plant a fault in a tree
of its own.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PACKAGES = ("protocol", "server", "loadtest", "examples")
TASK_MAKERS = frozenset({"create_task", "ensure_future"})


@dataclass(frozen=True, slots=True)
class Row:
    """What a package (or module) may import beyond itself and the standard library.

    `inside` names our packages with all below them, `libraries` other people's packages, and `banned` what of
    the standard library it may not touch.
    """

    inside: frozenset[str] = frozenset()
    libraries: frozenset[str] = frozenset()
    banned: frozenset[str] = frozenset()


class Source:
    """One Python file: its dotted module name and what it imports."""

    def __init__(self, root: Path, path: Path) -> None:
        self.path = path.relative_to(root).as_posix()
        parts = path.relative_to(root).with_suffix("").parts
        self.module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        self.text = path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    def imports(self) -> Iterator[tuple[str, str]]:
        """Pairs of a module and a name taken from it (or ""), wherever in the file that happens."""
        imported = [node for node in ast.walk(self.tree) if isinstance(node, ast.Import)]
        bound = {alias.asname or alias.name: alias.name for node in imported for alias in node.names}
        yield from ((module, "") for module in bound.values())
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                yield from ((node.module or "", alias.name) for alias in node.names)
            elif (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id in bound
            ):
                yield bound[node.value.id], node.attr

    def names_used(self) -> Iterator[str]:
        """Every attribute, plain name and imported name of the file."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute):
                yield node.attr
            elif isinstance(node, ast.Name):
                yield node.id
        yield from (name for _, name in self.imports())

    def has_content(self) -> bool:
        """Whether there is something to test: more than words, and in an `__init__.py` more than names."""
        body = [node for node in self.tree.body if not _is_docstring(node)]
        if self.path.endswith("/__init__.py"):
            defined = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
            return any(isinstance(node, defined) for node in body)
        return bool(body)


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def sources(root: Path, *packages: str) -> list[Source]:
    """The Python files of the named top-level packages, sorted by path; npm's packages may bring some too."""
    paths = [path for name in packages for path in sorted((root / name).rglob("*.py"))]
    return [Source(root, path) for path in paths if "node_modules" not in path.parts]


def row_of(module: str, table: dict[str, Row]) -> Row | None:
    """The row of `module` or else of the nearest package above it; `server` stands for itself alone."""
    name = module
    while name:
        if name in table and (name == module or name != "server"):
            return table[name]
        name = name.rpartition(".")[0]
    return None


def import_violations(root: Path, table: dict[str, Row], extra: dict[str, frozenset[str]]) -> list[str]:
    """Imports that no row allows, and modules without a row. `extra` allows single modules more."""
    found = []
    files = sources(root, *PACKAGES)
    known = {source.module for source in files}
    for source in files:
        row = row_of(source.module, table)
        if row is None:
            found.append(f"{source.path} has no row in the import table")
            continue
        for module, name in source.imports():
            dotted = f"{module}.{name}"
            target = dotted if dotted in known or dotted in row.banned else module
            if not _may(source.module, target, row, extra.get(source.module, frozenset())):
                found.append(f"{source.path} imports {target}")
    return list(dict.fromkeys(found))


def _may(module: str, target: str, row: Row, extra: frozenset[str]) -> bool:
    top = target.partition(".")[0]
    if _is_below(target, extra):
        return True
    if top in (*PACKAGES, "tests"):
        of_own = target == top == module.partition(".")[0]  # the version number of our own package
        return of_own or _is_below(target, row.inside) or _is_below(target, {_home(module)})
    if top in sys.stdlib_module_names:
        return not _is_below(target, row.banned)
    return top in row.libraries


def _home(module: str) -> str:
    """The package a module may use freely: `server.core` for `server.core.party`, `protocol` for its own."""
    parts = module.split(".")
    return parts[0] if parts[0] != "server" else ".".join(parts[:2])


def _is_below(target: str, names: frozenset[str] | set[str]) -> bool:
    return any(target == name or target.startswith(f"{name}.") for name in names)


def relative_imports(root: Path) -> list[str]:
    return [
        f"{source.path}:{node.lineno} imports relatively"
        for source in sources(root, *PACKAGES, "tests")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ImportFrom) and node.level > 0
    ]


def imports_by_name(root: Path, allowed: frozenset[str]) -> list[str]:
    """Imports that no table can see, because the module's name is a value."""
    return [
        f"{source.path} imports by name"
        for source in sources(root, *PACKAGES)
        if source.path not in allowed and {"import_module", "__import__"} & set(source.names_used())
    ]


def stray_tasks(root: Path, owner: str) -> list[str]:
    """Tasks of the server that are born outside of `owner`, and so have none."""
    return [
        f"{source.path} makes a task with {name}"
        for source in sources(root, "server")
        if source.path != owner
        for name in sorted(TASK_MAKERS & set(source.names_used()))
    ]


def untested(root: Path, exceptions: frozenset[str]) -> list[str]:
    """Sources of server and protocol without a test file at the mirrored place."""
    found = []
    for source in sources(root, "protocol", "server"):
        path = Path(source.path)
        stem = path.parent.name if path.stem == "__init__" else path.stem
        mirror = Path("tests") / path.parent / f"test_{stem}.py"
        if source.has_content() and source.path not in exceptions and not (root / mirror).is_file():
            found.append(f"{source.path} has no {mirror.as_posix()}")
    return found


def too_long(root: Path, limit: int) -> list[str]:
    return [
        f"{source.path} has {lines} lines"
        for source in sources(root, *PACKAGES, "tests")
        if (lines := len(source.text.splitlines())) > limit
    ]
