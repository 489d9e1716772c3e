# SPDX-License-Identifier: MIT
"""
Devices by the file or module that defines them: to be run, described,
and imported anew when they change.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import importlib.util
import os
import sys
import traceback
from pathlib import Path
from types import CodeType, ModuleType
from typing import Dict, Iterator, List, Optional, Tuple, Type

from .device import Device
from .errors import LocalError, UsbRemoteError

PACKAGE = Path(__file__).resolve().parent
# In the repository, and where an installation puts them.
EXAMPLES = (PACKAGE.parents[1] / "examples", PACKAGE / "examples")

# of each file, what differs whenever it has changed; None without a file
Stamp = Dict[Path, Optional[Tuple[int, int, int]]]


def shipped() -> Iterator[Tuple[str, str]]:
    """(name, what it is) of each device that comes with the package."""
    for folder in EXAMPLES:
        for path in sorted(folder.glob("*.py")):
            text = ast.get_docstring(ast.parse(path.read_text())) or ""
            yield path.stem, (text.splitlines() or [""])[0]


class DeviceFile:
    """
    FILE, NAME (of a device that comes with the package) or MODULE, each
    with :CLASS where it defines more than one device.

    Raises LocalError when there is no such thing.
    """

    def __init__(self, text: str) -> None:
        place, _, self.wanted = text.partition(":")
        found = find(place)
        if found is None:
            raise LocalError(f"there is no file, device or module '{place}' "
                             "(python3 -m usbremote list shows the devices)")
        self.path, self._module, self._package = found
        self.name = self.path.name
        self._files = {self.path}

    def stamp(self) -> Stamp:
        """
        Another one whenever the file has changed, or one that it imports
        from its own folder.
        """
        found: Stamp = {}
        for path in self._files:
            try:
                status = os.stat(path)
            except OSError:
                found[path] = None
            else:
                found[path] = (status.st_mtime_ns, status.st_size,
                               status.st_ino)
        return found

    def load(self) -> Type[Device]:
        """
        Import the file anew, and what it imports from its own folder;
        returns its device's class.

        Raises LocalError, on one line with the place, for whatever is wrong
        in them; then the modules of before are still there.
        """
        module = ModuleType(self._module)
        module.__file__ = str(self.path)
        module.__package__ = self._package
        folder = str(self.path.parent)
        if self.path.name == "__init__.py":
            module.__path__ = [folder]
        if folder not in sys.path:
            sys.path.insert(0, folder)
        importlib.invalidate_caches()
        before = self._forget()
        sys.modules[module.__name__] = module
        try:
            exec(self._code(), module.__dict__)
            kind = self._choose(module)
            self._files = {self.path, *self._own_modules().values()}
            return kind
        except BaseException as err:
            # the file that is to be mended may be one that is new
            self._files |= {path for path, _ in self._lines(err)}
            self._forget()
            sys.modules.update(before)
            if isinstance(err, (LocalError, KeyboardInterrupt)):
                raise
            raise LocalError(self.describe(err)) from err

    @contextlib.contextmanager
    def blamed(self) -> Iterator[None]:
        """What the file's code raises meanwhile is a LocalError, as above."""
        try:
            yield
        except (UsbRemoteError, OSError):
            raise
        except Exception as err:
            raise LocalError(self.describe(err)) from err

    def describe(self, err: BaseException) -> str:
        """
        An exception on one line, with the last line in the device's folder
        that led to it.
        """
        what = err.msg if isinstance(err, SyntaxError) else (
            f"{type(err).__name__}: {err}".replace("\n", " "))
        for path, line in reversed(self._lines(err)):
            return f"{path}:{line}: {what}"
        return f"{self.path}: {what}"

    def _lines(self, err: BaseException) -> List[Tuple[Path, Optional[int]]]:
        """The lines of the device's folder that led to an exception."""
        lines = [(frame.filename, frame.lineno)
                 for frame in traceback.extract_tb(err.__traceback__)]
        if isinstance(err, SyntaxError) and err.filename:
            lines.append((err.filename, err.lineno))
        return [(Path(name), line) for name, line in lines
                if Path(name).parent == self.path.parent]

    def _own_modules(self) -> Dict[str, Path]:
        """What is imported from the device's folder, itself included."""
        found = {}
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            inside = f".{name}".removeprefix(f".{self._package}").strip(".")
            place = self.path.parent.joinpath(*inside.split("."))
            if (file and name.split(".")[0] not in ("__main__", PACKAGE.name)
                    and Path(file).resolve() in (place.with_suffix(".py"),
                                                 place / "__init__.py")):
                found[name] = Path(file).resolve()
        return found

    def _forget(self) -> Dict[str, ModuleType]:
        """Have these modules imported anew; returns them."""
        names = {self._module, *self._own_modules()} & set(sys.modules)
        return {name: sys.modules.pop(name) for name in names}

    def _code(self) -> CodeType:
        try:
            code: CodeType = compile(self.path.read_bytes(), str(self.path),
                                     "exec")
            return code
        except OSError as err:
            raise LocalError(f"{self.path}: {err.strerror}") from None
        except ValueError as err:           # null bytes
            raise LocalError(f"{self.path}: {err}") from None

    def _choose(self, module: ModuleType) -> Type[Device]:
        found: List[Type[Device]] = [
            value for value in vars(module).values()
            if isinstance(value, type) and issubclass(value, Device)
            and value.__module__ == module.__name__]
        if self.wanted:
            found = [kind for kind in found if kind.__name__ == self.wanted]
        if len(found) == 1:
            return found[0]
        names = ", ".join(kind.__name__ for kind in found)
        raise LocalError(
            f"{self.path} defines several devices: add :CLASS, one of {names}"
            if found else f"{self.path} defines no class "
            f"{self.wanted or 'that is a usbremote.device.Device'}")


def find(place: str) -> Optional[Tuple[Path, str, str]]:
    """
    The file of a device by path, by name or as a module; with the names of
    the module and its package.
    """
    if os.path.isfile(place):
        path = Path(place).resolve()
        return path, path.stem, ""
    for folder in EXAMPLES:
        path = folder / f"{place}.py"
        if place.isidentifier() and path.is_file():
            return path, path.stem, ""
    try:
        spec = importlib.util.find_spec(place)
    except (ImportError, ValueError):
        return None
    if spec is None or not spec.has_location or not spec.origin:
        return None
    return Path(spec.origin).resolve(), spec.name, spec.parent or ""
