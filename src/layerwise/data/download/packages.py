"""The package clients that may be on a machine, asked by a package's name to download it and nothing else.

apt also knows what its packages are described as, in many languages, and is asked for that in a configuration of its
own, so that the machine's lists stay as they are.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

Client = Literal["npm", "pip", "apt"]
TIMEOUT_S = 900
REASON_LENGTH = 160
APT_PROGRAMS = "/usr/lib/apt"  # where apt keeps programs that few people call
APT_CONFIGURATION = """
#clear Acquire::Languages;
Acquire::Languages {{ {languages} }};
Acquire::IndexTargets::deb::Packages::DefaultEnabled "false";
Acquire::Retries "1";
APT::Update::Error-Mode "any";
APT::Sandbox::User "root";
Dir::State "{folder}/state";
Dir::Cache "{folder}/cache";
"""


class NotFetchedError(Exception):
    """One way did not bring the files; the message says why."""


def command_text(client: Client, package: str) -> str:
    """Return the command that a person types to download a package."""
    words = {"npm": "npm pack", "pip": "pip download --no-deps", "apt": "apt-get download"}
    return f"{words[client]} {package}"


def archive_pattern(client: Client, package: str) -> str:
    """Return the file name, with a wildcard, that a client gives to a package that it downloads."""
    if client == "npm":
        return f"{package.lstrip('@').replace('/', '-').replace('@', '-')}.tgz"
    return f"{package.replace('-', '_').replace('==', '-')}-*.whl" if client == "pip" else f"{package}_*.deb"


def download(client: Client, package: str, folder: Path) -> Path:
    """Download a package into an empty folder and return its file. Raises NotFetchedError."""
    _call(_command(client, package), folder)
    found = sorted(folder.glob(archive_pattern(client, package)))
    if not found:
        raise NotFetchedError("it brought no file of the expected name")
    return found[0]


def open_package(archive: Path, folder: Path) -> Path:
    """Return an archive that this program can read: the package itself, or the tar within a Debian one."""
    if archive.suffix != ".deb":
        return archive
    unpacked = folder / "package.tar"
    with unpacked.open("xb") as file:
        _call([_find("dpkg-deb"), "--fsys-tarfile", str(archive.absolute())], folder, file.fileno())
    return unpacked


def describe_packages(languages: Sequence[str], folder: Path) -> dict[str, str]:
    """Return the descriptions of all packages in each of these languages, such as 'fr', as apt's index holds them.

    folder: an empty one, for what apt fetches. Raises NotFetchedError.
    """
    update, helper = _find("apt-get"), _find("apt-helper")
    configuration = folder / "apt.conf"
    quoted = " ".join(f'"{language}";' for language in languages)
    configuration.write_text(APT_CONFIGURATION.format(languages=quoted, folder=folder.absolute()), "utf-8")
    for part in ("state/lists/partial", "cache/archives/partial"):
        (folder / part).mkdir(parents=True)
    setting = ["-c", str(configuration)]
    reason = ""
    try:
        _call([update, *setting, "update"], folder)
    except NotFetchedError as error:  # one broken source of several need not matter
        reason = str(error)
    listing = [update, *setting, "indextargets", "--format", "$(LANGUAGE) $(FILENAME)", "Created-By: Translations"]
    found: dict[str, str] = {}
    for line in _output(listing, folder).splitlines():
        language, _, path = line.partition(" ")
        found[language] = found.get(language, "") + _output([helper, *setting, "cat-file", path], folder) + "\n"
    missing = [language for language in languages if language not in found]
    if missing:
        raise NotFetchedError(reason or f"the archive that apt knows has no descriptions in {', '.join(missing)}")
    return found


def _output(command: list[str], folder: Path) -> str:
    """Return what a command prints."""
    printed = folder / "printed"
    with printed.open("wb") as file:
        _call(command, folder, file.fileno())
    return printed.read_text("utf-8")


def _command(client: Client, package: str) -> list[str]:
    """Return a command that runs no code of the package and gives up soon where there is no network."""
    if client == "npm":
        return [_find("npm"), "pack", "--ignore-scripts", "--fetch-retries=0", "--loglevel=error", package]
    if client == "apt":
        return [_find("apt-get"), "download", "-o", "Acquire::Retries=1", package]
    pip = [sys.executable, "-m", "pip"] if importlib.util.find_spec("pip") else [_find("pip")]
    options = ["--no-deps", "--only-binary=:all:", "--retries=1", "--disable-pip-version-check", "--quiet"]
    return [*pip, "download", *options, package]


def _find(program: str) -> str:
    path = shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}{os.pathsep}{APT_PROGRAMS}")
    if path is None:
        raise NotFetchedError(f"{program} is not installed")
    return path


def _call(command: list[str], folder: Path, output: int = subprocess.DEVNULL) -> None:
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.PIPE,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NotFetchedError(f"no end after {TIMEOUT_S} s") from error
    if done.returncode:
        raise NotFetchedError(_reason(done.stderr.decode(errors="replace")) or f"exit code {done.returncode}")


def _reason(output: str) -> str:
    """Return the line of a client's complaint that says most."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if "err" in line.lower() or line.startswith("E:")]
    return (telling or lines or [""])[0][:REASON_LENGTH]
