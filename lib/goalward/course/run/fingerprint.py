"""What a chapter's results depend on, in one hash.

A fingerprint covers the chapter's code and every library module that it reaches, as syntax trees
without comments and docstrings: reformatting changes nothing, a changed number does. The rooms
`course` and `cli` are left out: they show and record, and do not compute.
"""

import ast
import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

LIBRARY = Path(__file__).resolve().parents[2]
LEFT_OUT = ("goalward.course", "goalward.cli")


def fingerprint(source: Path, library: Path = LIBRARY) -> str:
    """The fingerprint of a chapter, from its source file in percent format.

    Args:
        source: the chapter's `.py`.
        library: the folder of the package `goalward`.
    """
    cells = code_cells(source.read_text(encoding="utf-8"))
    parts = [tree for cell in cells if (tree := tree_text(cell)) != "Module()"]
    return hash_text(*parts, *trees(reached(cells, library), library))


def frame(source: Path, library: Path = LIBRARY) -> str:
    """The hash of what shows a chapter: the modules of the course room that it reaches."""
    names = reached(code_cells(source.read_text(encoding="utf-8")), library, left_out=())
    shown = [name for name in names if name.startswith("goalward.course")]
    return hash_text(*trees(shown, library))


def hash_text(*parts: str) -> str:
    """One SHA-256 of several texts, in which their borders count."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode()
        digest.update(b"%d:" % len(data) + data)
    return digest.hexdigest()


def code_cells(text: str) -> list[str]:
    """The code cells of a percent-format source, comments and all."""
    cells: list[list[str]] = [[]]
    is_code = False  # what stands before the first marker is the header
    for line in text.splitlines():
        if line.startswith("# %%"):
            is_code = "[markdown]" not in line and "[raw]" not in line
            cells.append([])
        elif is_code:
            cells[-1].append(line)
    return [code for lines in cells if (code := "\n".join(lines).strip())]


def tree_text(code: str) -> str:
    """The syntax tree of some code as text, the same on every version of Python.

    Comments, layout, docstrings and fields that hold nothing don't show. What Python cannot parse
    (a notebook's magic) stands for itself.
    """
    try:
        return _dump(ast.parse(code), top=True)
    except SyntaxError:
        return code


def reached(
    cells: Iterable[str], library: Path = LIBRARY, left_out: Iterable[str] = LEFT_OUT
) -> list[str]:
    """The library's modules that some code imports, directly or through others, sorted."""
    found: set[str] = set()
    queue = [name for cell in cells for name in _imports(cell, "", library)]
    while queue:
        name = queue.pop()
        if name in found or any(name == n or name.startswith(n + ".") for n in left_out):
            continue
        found.add(name)
        path = _module_file(name, library)
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        queue.extend(_imports(path.read_text(encoding="utf-8"), package, library))
    return sorted(found)


def trees(names: Iterable[str], library: Path = LIBRARY) -> list[str]:
    """The syntax trees of some of the library's modules as text, without docstrings."""
    return [f"{name}: {_module_tree(_module_file(name, library))}" for name in names]


def _imports(code: str, package: str, library: Path) -> list[str]:
    return [name for name in _names(code, package) if _module_file(name, library).is_file()]


# Most chapters reach the same modules.
@cache
def _names(code: str, package: str) -> tuple[str, ...]:
    """What some code imports of the library: names that may be modules."""
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return ()
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                base = package.split(".")[: len(package.split(".")) - node.level + 1]
                module = ".".join([*base, *filter(None, [module])])
            # `from goalward.tabular import successor` may name a module.
            names += [module, *(f"{module}.{alias.name}" for alias in node.names)]
    return tuple(name for name in names if name.split(".")[0] == "goalward")


def _module_file(name: str, library: Path) -> Path:
    path = library.joinpath(*name.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _module_tree(path: Path) -> str:
    stat = path.stat()
    return _module_tree_at(path, stat.st_mtime_ns, stat.st_size)


@cache
def _module_tree_at(path: Path, mtime_ns: int, size: int) -> str:
    return _dump(ast.parse(path.read_text(encoding="utf-8")), top=False)


def _dump(node: object, top: bool = False) -> str:
    if isinstance(node, ast.AST):
        fields = [(name, getattr(node, name, None)) for name in node._fields]
        if isinstance(node, ast.JoinedStr):
            fields = [("values", _joined(node.values))]
        if not top and isinstance(
            node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        ):
            fields = [(n, _without_docstring(v) if n == "body" else v) for n, v in fields]
        # Versions of Python differ in the empty fields that they list.
        shown = [f"{n}={_dump(v)}" for n, v in fields if v is not None and v != []]
        return f"{type(node).__name__}({', '.join(shown)})"
    if isinstance(node, list):
        return f"[{', '.join(map(_dump, node))}]"
    return repr(node)


def _without_docstring(body: object) -> object:
    if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
        value = body[0].value
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            return body[1:]
    return body


def _joined(values: list[ast.expr]) -> list[ast.expr]:
    """The pieces of an f-string with neighbouring texts joined, as all versions agree on."""
    pieces: list[ast.expr] = []
    for value in values:
        if isinstance(value, ast.Constant) and pieces and isinstance(pieces[-1], ast.Constant):
            pieces[-1] = ast.Constant(str(pieces[-1].value) + str(value.value))
        elif not (isinstance(value, ast.Constant) and value.value == ""):
            pieces.append(value)
    return pieces
