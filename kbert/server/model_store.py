"""The models of a directory, their versions swapped while requests run."""

import dataclasses
import gc
import logging
import threading
from pathlib import Path

from kbert.server.loaded_model import DEFAULT, LoadedModel

_LOG = logging.getLogger("kbert.serving")
_GRAPH = "saved_model.pb"


class ModelNotFound(LookupError):
    """No such model or version is loaded."""


@dataclasses.dataclass(frozen=True)
class VersionStatus:
    """What became of a version, in TensorFlow Serving's words.

    Attributes:
        version: its number.
        state: "LOADING", "AVAILABLE" or "END".
        error: why it could not be loaded; "" without an error.
    """

    version: int
    state: str
    error: str = ""


class ModelStore:
    """Loads models and watches their directory for new versions.

    The newest `num_versions` of each model are served. A new version is loaded beside
    the old one and takes its place in one assignment: who has got the old one keeps it
    until done. If it cannot be loaded the old one stays, and it is tried again when its
    files change. What is deleted while it serves stays in service.

    Args:
        directory: of models, NAME/VERSION/saved_model.pb; of one model,
            VERSION/saved_model.pb; or of one version. Other directories (".1.new-7",
            names that are no numbers, half-written ones) are passed over.
        poll_seconds: how often it is looked at.
        num_versions: kept of each model.

    Raises:
        FileNotFoundError: the directory is not there.
    """

    def __init__(
        self, directory: str | Path, poll_seconds: float = 1.0, num_versions: int = 1
    ):
        self.directory = Path(directory).resolve()
        if not self.directory.is_dir():
            raise FileNotFoundError(
                f"Expected a directory of models; {directory} does not exist. "
                "kbert export makes one."
            )
        self.poll_seconds = poll_seconds
        self.num_versions = num_versions
        self._models: dict[str, dict[int, LoadedModel]] = {}
        self._stamps: dict[tuple[str, int], tuple] = {}
        self._states: dict[tuple[str, int], VersionStatus] = {}
        self._cold: list[LoadedModel] = []  # only their default function was called
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        """Loads what is there, then watches in a thread of its own."""
        self.refresh()
        self._thread.start()

    def stop(self) -> None:
        """Ends the watching; models stay until they are let go."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def names(self) -> list[str]:
        """Of the models that can be called, sorted."""
        return sorted(name for name, versions in self._models.items() if versions)

    def get(self, name: str, version: int | None = None) -> LoadedModel:
        """A model by its name; the newest version unless another is asked for.

        Raises:
            ModelNotFound: it is not loaded.
        """
        versions = self._models.get(name, {})
        if version is None and versions:
            return versions[max(versions)]
        if version not in versions:
            wanted = f"Latest({name})" if version is None else None
            wanted = wanted or f"Specific({name}, {version})"
            raise ModelNotFound(f"Servable not found for request: {wanted}")
        return versions[version]

    def status(self, name: str, version: int | None = None) -> list[VersionStatus]:
        """What became of each version of a model, the newest first.

        Raises:
            ModelNotFound: nothing is known of it.
        """
        found = [
            status
            for (own, number), status in sorted(self._states.items(), reverse=True)
            if own == name and version in (None, number)
        ]
        if not found:
            asked = name if version is None else f"{name} (version {version})"
            raise ModelNotFound(f"Could not find any versions of model {asked}")
        return found

    def refresh(self) -> None:
        """Looks at the directory once, and loads what is new or was changed."""
        for name, versions in self._found().items():
            newest = sorted(versions, reverse=True)[: self.num_versions]
            for version in sorted(newest):
                self._load(name, version, versions[version])
            served = self._models.get(name, {})
            # An old version goes when as many newer ones are there as are to be.
            kept = sorted(served, reverse=True)[: self.num_versions]
            dropped = sorted(set(served) - set(kept))
            if dropped:
                self._models[name] = {v: served[v] for v in kept}
                for version in dropped:
                    self._states[name, version] = VersionStatus(version, "END")
                    self._say("unloaded", name, version)
                del served
                gc.collect()  # a SavedModel's objects hold each other

    def _found(self):
        """name -> version -> directory."""
        if (self.directory / _GRAPH).is_file():
            version = int(self.directory.name) if self.directory.name.isdigit() else 0
            return {self.directory.parent.name: {version: self.directory}}
        own = _versions(self.directory)
        if own:
            return {self.directory.name: own}
        found = {}
        try:
            places = sorted(self.directory.iterdir())
        except OSError:
            return {}  # deleted: what is loaded stays
        for place in places:
            versions = {} if place.name.startswith(".") else _versions(place)
            if versions:
                found[place.name] = versions
        return found

    def _load(self, name, version, directory):
        stamp = _stamp(directory)
        if stamp is None or self._stamps.get((name, version)) == stamp:
            return
        self._stamps[name, version] = stamp
        served = self._models.get(name, {})
        if version not in served:
            self._states[name, version] = VersionStatus(version, "LOADING")
        try:
            model = LoadedModel(directory)
            model.name, model.version = name, version
            model.warm_up([DEFAULT])
        except Exception as error:  # whatever strangers' files make TensorFlow raise
            reason = f"{type(error).__name__}: {str(error).splitlines()[0][:300]}"
            if version not in served:
                self._states[name, version] = VersionStatus(version, "END", reason)
            self._say("could not load", name, version, error=reason)
            return
        self._models[name] = {**served, version: model}
        self._states[name, version] = VersionStatus(version, "AVAILABLE")
        self._say("loaded", name, version)
        self._cold.append(model)

    def _watch(self):
        while not self._stopping.is_set():
            try:
                while self._cold and not self._stopping.is_set():
                    model = self._cold.pop()
                    model.warm_up(
                        [name for name in model.signatures if name != DEFAULT]
                    )
                if not self._stopping.wait(self.poll_seconds):
                    self.refresh()
            except Exception:  # a watch that dies would never swap again
                _LOG.exception("could not look at %s", self.directory)

    def _say(self, what, name, version, **more):
        level = logging.ERROR if more else logging.INFO
        fields = {"model": name, "version": version, **more}
        _LOG.log(level, what, extra={"fields": fields})


def _versions(directory):
    """version -> directory, of those whose graph is there."""
    try:
        places = list(directory.iterdir())
    except OSError:
        return {}
    return {
        int(place.name): place
        for place in places
        if place.name.isascii() and place.name.isdigit() and _stamp(place)
    }


def _stamp(directory):
    """What changes with the files: size and time of the graph and the weights."""
    try:
        files = [directory / _GRAPH, *(directory / "variables").glob("*")]
        facts = [(f.name, f.stat().st_mtime_ns, f.stat().st_size) for f in files]
        return tuple(sorted(facts))
    except OSError:
        return None
