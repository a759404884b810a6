"""`neuroview inspect` and `neuroview convert`: what a checkpoint file holds, and our own form of it."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..models.errors import CheckpointError

if TYPE_CHECKING:
    from ..models.contents import Contents, TensorEntry

NATIVE = ".safetensors"


def add_commands(commands: argparse._SubParsersAction) -> None:
    """The two commands' arguments."""
    inspect = commands.add_parser("inspect", help="what a checkpoint is and holds, without opening the model")
    inspect.add_argument("file", metavar="FILE", help="a checkpoint's path or a shipped name")
    inspect.add_argument("--values", action="store_true", help="also the smallest and largest number of each tensor")
    inspect.add_argument("--json", action="store_true", help="everything, for programs")
    inspect.set_defaults(run=run_inspect)
    convert = commands.add_parser("convert", help="write neuroview's own form of a checkpoint")
    convert.add_argument("file", metavar="FILE", help="a checkpoint's path or a shipped name")
    convert.add_argument("out", metavar="OUT.safetensors", help="written together with OUT.json")
    convert.add_argument("--force", action="store_true", help="overwrite what is there")
    convert.set_defaults(run=run_convert)


def run_inspect(options: argparse.Namespace) -> int:
    """Prints a file's contents: a table on a terminal, plain columns into a pipe, JSON when asked.

    Raises:
        CheckpointError: the file cannot be read.
    """
    from ..models.contents import inspect

    contents = inspect(options.file, values=options.values)
    try:
        if options.json:
            print(json.dumps(_finite(contents.to_dict()), indent=1, default=str))
        elif sys.stdout.isatty():
            _print_tables(contents)
        else:
            _print_plain(contents)
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has seen enough; python would complain once more when it closes the stream
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def run_convert(options: argparse.Namespace) -> int:
    """Writes OUT.safetensors and OUT.json.

    Raises:
        CheckpointError: the file cannot be opened, its family has no native form, or OUT is not to be written.
    """
    out = Path(options.out).expanduser()
    if out.suffix != NATIVE:
        raise CheckpointError(f"{options.out} does not end in {NATIVE}, by which our form is known to others.")
    if not out.parent.is_dir():
        raise CheckpointError(f"There is no folder {out.parent}; make it first.")
    for path in (out, out.with_suffix(".json")):
        if path.exists() and not options.force:
            raise CheckpointError(f"{path} exists; give another name, or --force to overwrite it.")
    from ..models.catalog import open_generator, resolve
    from ..models.formats.native import convert

    source = resolve(options.file)
    if out.exists() and source.samefile(out):
        raise CheckpointError(f"{options.out} is the file to be converted; give another name.")
    generator = open_generator(str(source))
    convert(generator, out)
    megabytes = out.stat().st_size / 1e6
    print(f"{out} and {out.with_suffix('.json').name}: {generator.card.title}, {megabytes:.1f} MB")
    return 0


def _facts(contents: Contents) -> list[tuple[str, str]]:
    return [
        ("file", contents.file),
        ("kind", contents.family or "none that neuroview opens"),
        ("container", contents.container),
        ("size", f"{contents.size:,} bytes"),
        ("sha256", contents.fingerprint),
        ("numbers", f"{contents.numbers:,} in {len(contents.tensors)} tensors"),
    ]


def _columns(entry: TensorEntry, values: bool) -> list[str]:
    shape = " x ".join(map(str, entry.shape)) or "single"
    limits = ["" if value is None else f"{value:.4g}" for value in (entry.low, entry.high)]
    return [entry.name, shape, entry.dtype, *(limits if values else [])]


def _print_tables(contents: Contents) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    facts = Table(box=None, pad_edge=False, show_header=False)
    for name, text in _facts(contents):
        facts.add_row(f"[bold]{name}[/]", text)
    console.print(facts)
    if contents.configuration:
        table = Table(box=None, pad_edge=False, header_style="bold", title="configuration", title_justify="left")
        table.add_column("setting")
        table.add_column("value", overflow="fold")
        for name, value in contents.configuration.items():
            # Names and texts come out of the file: markup in them is not ours.
            table.add_row(_literal(name), _literal(str(value)))
        console.print()
        console.print(table)
    values = any(entry.low is not None for entry in contents.tensors)
    table = Table(box=None, pad_edge=False, header_style="bold", title="tensors", title_justify="left")
    for heading in ("name", "shape", "type", *(("lowest", "highest") if values else ())):
        table.add_column(heading, justify="right" if heading in ("lowest", "highest") else "left")
    for entry in contents.tensors:
        table.add_row(*map(_literal, _columns(entry, values)))
    console.print()
    console.print(table)


def _print_plain(contents: Contents) -> None:
    """One line each, tabs between columns: for grep, cut and sort."""
    for name, text in _facts(contents):
        print(f"{name}\t{_line(text)}")
    for name, value in contents.configuration.items():
        print(f"setting\t{_line(name)}\t{_line(str(value))}")
    values = any(entry.low is not None for entry in contents.tensors)
    for entry in contents.tensors:
        print("tensor\t" + "\t".join(map(_line, _columns(entry, values))))


def _literal(text: str) -> Any:
    from rich.text import Text

    return Text(_line(text))


def _line(text: str) -> str:
    """Without control characters, which a file could use to rewrite the terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _finite(value: Any) -> Any:
    """JSON has no nan and no infinity."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {str(key): _finite(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(part) for part in value]
    return value
