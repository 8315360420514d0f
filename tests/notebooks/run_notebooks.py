"""Runs notebooks in the real Deno Jupyter kernel and fails on the first error output.

    python tests/notebooks/run_notebooks.py notebooks/*.ipynb [--deno deno] [--write-clean] [--full] [--timeout 600]

Needs nbclient and nbformat. The kernel is described in a temporary Jupyter folder, so nothing is installed; each notebook
runs in its own folder with NO_COLOR=1 and, without --full, SMOKE=1. --write-clean stores the outputs in the notebook: no
execution counts, no ANSI colours, at most 1 MB a notebook. Prints one line a notebook; exit code 1 if any failed.
"""
import argparse
import json
import os
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
LIMIT = 1_000_000


def install_kernel(folder, deno):
    """Describes the kernel `deno` in a Jupyter data folder of its own."""
    spec = Path(folder) / "kernels" / "deno"
    spec.mkdir(parents=True)
    argv = [deno, "jupyter", "--kernel", "--conn", "{connection_file}"]
    (spec / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "Deno", "language": "typescript"}))


def without_ansi(value):
    """The same JSON value with the colour codes taken out of its strings."""
    if isinstance(value, str):
        return ANSI.sub("", value)
    if isinstance(value, list):
        return [without_ansi(v) for v in value]
    if isinstance(value, dict):
        return {k: without_ansi(v) for k, v in value.items()}
    return value


def clean(notebook):
    """Outputs as they are committed: no counts, no colours, no progress lines, no timings of the client."""
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type != "code":
            continue
        cell.execution_count = None
        kept = [o for o in cell.outputs if not (o.output_type == "stream" and o.name == "stderr")]
        for output in kept:
            if "execution_count" in output:
                output.execution_count = None
            for key in ("text", "data"):
                if key in output:
                    output[key] = without_ansi(output[key])
        cell.outputs = kept
    notebook.metadata.pop("widgets", None)
    return notebook


def errors(notebook):
    """One line for each error output."""
    for number, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                text = without_ansi(f"{output.ename}: {output.evalue}").strip().replace("\n", " | ")
                yield f"cell {number}: {text}"


def run(path, timeout):
    """Executes the notebook at `path`; gives it back with its outputs."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook, timeout=timeout, kernel_name="deno", allow_errors=True, startup_timeout=timeout, iopub_timeout=60,
        resources={"metadata": {"path": str(path.resolve().parent)}},
    )
    client.execute()
    return notebook


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebooks", nargs="+", type=Path)
    parser.add_argument("--deno", default=os.environ.get("ACE_DENO", "deno"))
    parser.add_argument("--write-clean", action="store_true")
    parser.add_argument("--full", action="store_true", help="real parameters instead of SMOKE=1")
    parser.add_argument("--timeout", type=int, default=600, help="seconds a cell")
    args = parser.parse_args()
    os.environ["NO_COLOR"] = "1"
    if args.full:
        os.environ.pop("SMOKE", None)
    else:
        os.environ["SMOKE"] = "1"

    import nbformat

    deno = shutil.which(args.deno)
    if deno is None:
        sys.exit(f'Cannot run notebooks as "{args.deno}" must be an executable')
    failed = False
    with tempfile.TemporaryDirectory(prefix="ace-jupyter-") as folder:
        install_kernel(folder, deno)
        os.environ["JUPYTER_PATH"] = os.environ["JUPYTER_DATA_DIR"] = folder
        os.environ["JUPYTER_RUNTIME_DIR"] = os.path.join(folder, "runtime")
        for path in args.notebooks:
            begun = time.monotonic()
            try:
                notebook = run(path, args.timeout)
                problems = list(errors(notebook))
            except Exception as error:  # noqa: BLE001 - a dead kernel or a time limit is this notebook's failure
                problems = [f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"]
            if not problems and args.write_clean:
                text = nbformat.writes(clean(notebook), indent=1, ensure_ascii=False) + "\n"
                if len(text.encode()) > LIMIT:
                    problems = [f"outputs make the file {len(text.encode()):,} bytes, more than {LIMIT:,}"]
                else:
                    temporary = path.with_suffix(".tmp")
                    temporary.write_text(text, encoding="utf-8")
                    temporary.replace(path)
            seconds = time.monotonic() - begun
            for problem in problems:
                print(f"{path}: failed, {problem}", file=sys.stderr)
            if not problems:
                outputs = sum(len(c.get("outputs", [])) for c in notebook.cells)
                print(f"{path}: ok, {len(notebook.cells)} cells, {outputs} outputs, {seconds:.1f} s")
            failed = failed or bool(problems)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
