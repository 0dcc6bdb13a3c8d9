"""TensorFlow's start-up log, kept from the screen wherever it is first imported.

It is written by C++ code past Python's `sys.stderr`, to file descriptor 2, before any
level can be set.
"""

import contextlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def quiet_start() -> Iterator[None]:
    """While it lasts, the first import of TensorFlow writes nothing to the screen."""
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        if finder in sys.meta_path:
            sys.meta_path.remove(finder)


class _Finder:
    """Finds `tensorflow` where the other finders do, and goes when it has."""

    def find_spec(self, name, path=None, target=None):
        """The spec of TensorFlow, to be executed quietly; of all else, None."""
        if name != "tensorflow":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            loader, execute = spec.loader, spec.loader.exec_module

            def execute_quietly(module):
                del loader.exec_module  # the class has its own
                with quiet_stderr():
                    execute(module)
                    module.constant(0)  # looks for devices

            loader.exec_module = execute_quietly
        return spec


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Keeps what is written to file descriptor 2 from the screen, unless it fails."""
    sys.stderr.flush()
    screen = os.dup(2)
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), 2)
        try:
            yield
        except BaseException:
            sys.stderr.flush()
            log.seek(0)
            os.write(screen, log.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(screen, 2)
            os.close(screen)
