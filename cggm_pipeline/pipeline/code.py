"""Which code files a stage depends on: found by reading `import` statements, never by importing.

A stage's files are its script, what that imports from the package, and the files of the kinds its spec names; all three
followed to the end. Rooms are never taken whole, so a docstring in one method does not retrain another's rows.

Left out, because a change there cannot change a result that the tracked parameters do not already show: the specs
(every value of them is a parameter), the command line, the pipeline itself, error messages, what is shown while a stage
runs, the version, and the table of kinds (the file that a kind's row leads to is a dependency; the other rows are not).
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

from cggm_pipeline.errors import BuildError

PACKAGE = "cggm_pipeline"
ASSETS = (".j2", ".css", ".js", ".svg")
LEFT_OUT = ("cli", "spec", "pipeline", "errors", "build.tables", "build.display", "build.narration")


class Code:
    """The package's source files and the imports between them.

    `root` is the project's folder, `package` the package's: inside the root in the package's own repository, elsewhere
    (a project that only uses the installed package) somewhere in the environment.
    """

    def __init__(self, root: Path, package: Path) -> None:
        self.root = root
        self.package = package
        self._trees: dict[Path, ast.Module] = {}
        self._direct: dict[Path, tuple[Path, ...]] = {}

    @classmethod
    def of(cls, root: Path) -> Code:
        """The code that a project runs: its own copy of the package, or else the installed one."""
        inside = root.resolve() / PACKAGE
        return cls(
            root.resolve(), inside if (inside / "__init__.py").is_file() else Path(__file__).resolve().parents[1]
        )

    @property
    def own(self) -> bool:
        """Whether the package's source is part of this project."""
        return self.package.parent == self.root

    def closure(self, files: Iterable[Path]) -> set[Path]:
        """These files and every file they import, from the package or from the project, to the end."""
        found: set[Path] = set()
        waiting = list(files)
        while waiting:
            file = waiting.pop()
            if file not in found:
                found.add(file)
                waiting.extend(self.imports(file))
        return found

    def imports(self, file: Path) -> tuple[Path, ...]:
        """The files that one file imports itself, at the top or inside a function, but for `if TYPE_CHECKING:`."""
        if file not in self._direct:
            targets = (target for name, names in self._statements(file) for target in self._targets(name, names))
            self._direct[file] = tuple(dict.fromkeys(target for target in targets if target is not None))
        return self._direct[file]

    def kind(self, room: str, kind: str) -> Path:
        """The file of a kind: ROOM/KIND.py. BuildError where there is none."""
        file = self.package / room / f"{kind}.py"
        if not file.is_file():
            raise BuildError(f"{PACKAGE}/{room}/{kind}.py does not exist, but a spec says kind: {kind}")
        return file

    def custom(self, path: str) -> Path | None:
        """The file behind `my_pkg.module:Class`, if it is part of this project."""
        return self._module(path.partition(":")[0])

    def assets(self, room: str) -> set[Path]:
        """The files of a room that are not Python: templates and style sheets."""
        return {file for file in (self.package / room).rglob("*") if file.suffix in ASSETS}

    def arguments(self, file: Path) -> frozenset[str]:
        """The names of all positional constructor arguments in a file: what its class wants from the program."""
        constructors = (
            node for node in ast.walk(self._tree(file)) if isinstance(node, ast.FunctionDef) and node.name == "__init__"
        )
        return frozenset(argument.arg for node in constructors for argument in node.args.args)

    def relative(self, files: Iterable[Path]) -> tuple[str, ...]:
        """Paths below the root, sorted; for files outside of the project the package's version stands."""
        return tuple(sorted(file.relative_to(self.root).as_posix() for file in files if file.is_relative_to(self.root)))

    def shown(self, file: Path) -> str:
        """A name for a file that does not depend on the machine."""
        return file.relative_to(self.root if file.is_relative_to(self.root) else self.package.parent).as_posix()

    def _tree(self, file: Path) -> ast.Module:
        if file not in self._trees:
            try:
                self._trees[file] = ast.parse(file.read_bytes(), filename=str(file))
            except OSError as error:
                raise BuildError(f"{file}: cannot be read ({error.strerror}), but a stage needs it") from error
            except SyntaxError as error:
                raise BuildError(f"{file}:{error.lineno}: not Python: {error.msg}") from error
        return self._trees[file]

    def _statements(self, file: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
        for node in _executed(self._tree(file)):
            if isinstance(node, ast.Import):
                yield from ((alias.name, ()) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield self._absolute(file, node), tuple(alias.name for alias in node.names)

    def _absolute(self, file: Path, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        base = self.package.parent if file.is_relative_to(self.package) else self.root
        folder = file.parents[node.level - 1].relative_to(base)
        return ".".join((*folder.parts, *([node.module] if node.module else [])))

    def _targets(self, name: str, names: tuple[str, ...]) -> Iterator[Path | None]:
        if not names:
            yield self._module(name)
        for bound in names:
            submodule = self._module(f"{name}.{bound}")
            yield submodule if submodule is not None else self._definition(name, bound)

    def _module(self, name: str) -> Path | None:
        parts = name.split(".")
        inside = parts[0] == PACKAGE
        if name == PACKAGE or any(f"{name}.".startswith(f"{PACKAGE}.{left}.") for left in LEFT_OUT):
            return None
        base = (self.package.parent if inside else self.root).joinpath(*parts)
        candidates = (base.with_name(f"{base.name}.py"), base / "__init__.py")
        return next((file for file in candidates if file.is_file()), None)

    def _definition(self, name: str, bound: str) -> Path | None:
        """Where `from name import bound` leads: a room's `__init__` only passes names on and is seen through.

        Imports for type checkers count here: a room that loads its names late lists them there.
        """
        file = self._module(name)
        if file is None or file.name != "__init__.py":
            return file
        for node in ast.walk(self._tree(file)):
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    if (alias.asname or alias.name) == bound:
                        return next(self._targets(self._absolute(file, node), (alias.name,)))
        return file


def _executed(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node but those under `if TYPE_CHECKING:`, which never run."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).split(".")[-1] == "TYPE_CHECKING":
            continue
        yield node
        yield from _executed(node)
