"""Size budgets: what does not fit has more than one thing to say."""

import ast
from collections.abc import Iterator
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
FILE_LINES = 350
MEDIAN_FILE_LINES = 80
FUNCTION_LINES = 40
POSITIONAL_ARGUMENTS = 5
NAMES_THAT_SAY_NOTHING = {"utils", "helpers", "base", "manager"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def test_files_are_short() -> None:
    lengths = {place(path): lines_in(path) for path in [*files_of_product(), *files_of_tests()]}

    assert over(FILE_LINES, lengths) == {}


def test_most_files_of_the_product_are_shorter_still() -> None:
    lengths = [lines_in(path) for path in files_of_product() if lines_in(path) > 0]

    assert median(lengths) <= MEDIAN_FILE_LINES


def test_functions_are_short() -> None:
    lengths = {name: lines_of_body(function) for name, function in functions()}

    assert over(FUNCTION_LINES, lengths) == {}


def test_functions_take_few_positional_arguments() -> None:
    counts = {name: positional_arguments(function) for name, function in functions()}

    assert over(POSITIONAL_ARGUMENTS, counts) == {}


def test_modules_have_names_that_say_something() -> None:
    parts = {
        part for path in files_of_product() for part in path.relative_to(ROOT).with_suffix("").parts
    }

    assert parts & NAMES_THAT_SAY_NOTHING == set()


def test_a_docstring_costs_no_lines_and_self_is_no_argument() -> None:
    source = 'class Tenant:\n  def greet(self, name):\n    """A\n    B."""\n    x = 1\n    return x'
    ((_, greet),) = functions_in(ast.parse(source), "tenant.py")

    assert lines_of_body(greet) == 2
    assert positional_arguments(greet) == 1


def files_of_product() -> list[Path]:
    found = [*ROOT.glob("libs/*/src/**/*.py"), *ROOT.glob("services/*/src/**/*.py")]
    return [path for path in found if "migrations/versions" not in path.as_posix()]


def files_of_tests() -> list[Path]:
    return [*ROOT.glob("tests/**/*.py")]


def functions() -> Iterator[tuple[str, Function]]:
    for path in [*files_of_product(), *files_of_tests()]:
        yield from functions_in(ast.parse(path.read_bytes()), place(path))


def functions_in(tree: ast.Module, where: str) -> Iterator[tuple[str, Function]]:
    for node in ast.walk(tree):
        if isinstance(node, Function):
            yield f"{where}:{node.lineno} {node.name}", node


def lines_in(path: Path) -> int:
    return len(path.read_text().splitlines())


def lines_of_body(function: Function) -> int:
    statements = function.body[1:] if ast.get_docstring(function) else function.body
    if not statements:
        return 0
    return (function.end_lineno or 0) - statements[0].lineno + 1


def positional_arguments(function: Function) -> int:
    names = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]
    return len([name for name in names if name not in {"self", "cls"}])


def place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def over(limit: int, sizes: dict[str, int]) -> dict[str, int]:
    return {name: size for name, size in sizes.items() if size > limit}
