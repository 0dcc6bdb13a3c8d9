"""Models on hubs, downloaded once into the hub's own cache.

    hf://owner/name, hf://owner/name@revision         Hugging Face's hub
    kaggle://owner/model/keras/variation[/version]    Kaggle's, where KerasHub's are
    kerashub://bert_tiny_en_uncased                   a preset by KerasHub's own name

A handle has a scheme: nothing is downloaded for a name without one. Only the files that
kbert reads are, of weights in several formats only one, and for a tokenizer no weights.
"""

import re
import warnings
from pathlib import Path

from kbert.checkpoints.hub_files import (
    PRESET_TEXT_FILES,
    PRESET_WEIGHTS,
    TASK_WEIGHTS,
    fetch_model,
    fetch_tokenizer,
)

HF, KAGGLE, KERASHUB = "hf", "kaggle", "kerashub"
_HANDLE = re.compile(r"[a-z][a-z0-9+.-]*://")
# Parts of a name: no white space, nothing that a path could make something else of.
_PART = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?"
_NAMES = {
    HF: re.compile(rf"({_PART}(?:/{_PART})?)(?:@({_PART}(?:/{_PART})*))?"),
    KAGGLE: re.compile(rf"{_PART}/{_PART}/keras/{_PART}(?:/[1-9][0-9]*)?"),
    KERASHUB: re.compile(_PART),
}
_EXAMPLES = {
    HF: "hf://owner/name or hf://owner/name@revision",
    KAGGLE: "kaggle://keras/bert/keras/bert_base_en/3",
    KERASHUB: "kerashub://bert_tiny_en_uncased",
}

_PRESET_FILES = (PRESET_TEXT_FILES[0], TASK_WEIGHTS, *PRESET_TEXT_FILES[1:])


def is_handle(text) -> bool:
    """Whether something is written like a handle, "scheme://…", and not like a path."""
    return isinstance(text, str) and _HANDLE.match(text) is not None


def resolve(handle: str) -> Path:
    """The directory of a model on a hub, downloaded if the cache has not got it.

    Where the hub cannot be reached, what the cache holds is used. Its place and the
    access to private models follow the hub's own library: HF_HUB_CACHE, HF_TOKEN,
    HF_HUB_OFFLINE; KAGGLEHUB_CACHE.

    Args:
        handle: one of the three forms above.

    Raises:
        ValueError: not a handle, a name with characters that no hub allows, or a preset
            KerasHub does not know.
        FileNotFoundError: the hub has no such model, or cannot be reached and the cache
            has not got it.
        PermissionError: the hub asks for an account or the acceptance of terms.
        ImportError: the hub's library is not installed.
    """
    scheme, match = _parts(handle)
    if scheme == KERASHUB:
        return resolve(_preset_handle(match[0]))
    if scheme == KAGGLE:
        return _from_kaggle(handle, match[0], ("config.json", PRESET_WEIGHTS))
    return _from_huggingface(handle, *match.groups(), fetch_model)


def resolve_tokenizer(handle: str) -> Path:
    """As `resolve`, but what a tokenizer is read from alone: no weights.

    Raises:
        FileNotFoundError: also where the model has no vocabulary.
    """
    scheme, match = _parts(handle)
    if scheme == KERASHUB:
        return resolve_tokenizer(_preset_handle(match[0]))
    if scheme == KAGGLE:
        return _from_kaggle(handle, match[0], PRESET_TEXT_FILES[-1:])
    return _from_huggingface(handle, *match.groups(), fetch_tokenizer)


def hub_name(model: str | Path) -> str | None:
    """What a hub's model is called, by its handle or its place in the hub's cache.

    >>> hub_name("hf://owner/name@main"), hub_name("my-bert")
    ('name', None)
    >>> hub_name("kaggle://keras/bert/keras/bert_base_en/3")
    'bert_base_en'
    >>> hub_name("hub/models--owner--name/snapshots/0123456789abcdef")
    'name'
    """
    if not is_handle(model):
        path = Path(model)
        cached = path.parents[1].name if path.parent.name == "snapshots" else ""
        return cached.split("--")[-1] if cached.startswith("models--") else None
    scheme, match = _parts(model)
    name = (match[1] if scheme == HF else match[0]).split("/")
    return name[3] if scheme == KAGGLE else name[-1]


def check_handle(handle: str) -> None:
    """Whether a handle is spelled as its hub allows; nothing is asked of the hub.

    Raises:
        ValueError: it is not.
    """
    _parts(handle)


def _parts(handle):
    """The scheme, and the match of the name behind it."""
    scheme, _, name = handle.partition("://") if is_handle(handle) else ("", "", "")
    if scheme not in _NAMES:
        raise ValueError(
            f"Expected a handle as {'; '.join(_EXAMPLES.values())}; got {handle!r}."
        )
    match = _NAMES[scheme].fullmatch(name)
    if match is None or ".." in name or "--" in name:
        raise ValueError(f"Expected a handle as {_EXAMPLES[scheme]}; got {handle!r}.")
    return scheme, match


def _preset_handle(name):
    try:
        import keras_hub
    except ImportError as error:
        raise _not_installed("keras-nlp", error) from None
    presets = keras_hub.models.BertBackbone.presets
    if name not in presets:
        raise ValueError(
            f"Expected the name of a BERT preset of KerasHub; got {name!r}. There are "
            f"{', '.join(sorted(presets))}."
        )
    return presets[name]["kaggle_handle"]


def _from_huggingface(handle, name, revision, fetch):
    try:
        import huggingface_hub
        from huggingface_hub import constants, errors
    except ImportError as error:
        raise _not_installed("huggingface_hub", error) from None

    incomplete = getattr(errors, "IncompleteSnapshotError", ())  # of newer versions
    cache = Path(constants.HF_HUB_CACHE, "models--" + name.replace("/", "--"))
    cut = []

    def download(patterns):
        try:
            directory = huggingface_hub.snapshot_download(
                name, revision=revision, allow_patterns=list(patterns)
            )
        except incomplete as error:  # no connection; what is there may be enough
            cut.append(directory := error.snapshot_path)
        except errors.GatedRepoError as error:
            raise PermissionError(
                f"Expected access to {handle}; the hub refuses it. Accept the model's "
                "terms there and log in (`hf auth login`, or HF_TOKEN)."
            ) from error
        except errors.RevisionNotFoundError as error:
            raise FileNotFoundError(
                f"Expected {handle} on the hub; there is no such model or revision: "
                f"the model has no branch, tag or commit {revision}. Leave @{revision} "
                "out for the newest."
            ) from error
        except errors.RepositoryNotFoundError as error:
            raise FileNotFoundError(
                f"Expected {handle} on the hub; there is no such model or revision, or "
                "it is private. Check the name, or log in (`hf auth login`, or "
                "HF_TOKEN)."
            ) from error
        except Exception as error:  # of the network; each version has its own classes
            offline = constants.HF_HUB_OFFLINE
            why = "HF_HUB_OFFLINE is set" if offline else _in_short(error)
            raise _unreachable(handle, why, cache) from error
        return Path(directory)

    directory, missing = fetch(download)
    if missing:
        raise FileNotFoundError(
            f"Expected {' and '.join(missing)} in {handle}; there is nothing of the "
            f"kind in {directory}. If the hub could not be reached, the cache holds a "
            "part of the model only: try again with a connection."
        )
    if cut:
        warnings.warn(
            f"{handle}: the hub could not be reached, and the cache lacks some of the "
            f"files; those that it holds are used ({directory}).",
            stacklevel=3,
        )
    return directory


def _from_kaggle(handle, name, needed):
    """Downloads the files that are needed, and of the others those there are."""
    try:
        import kagglehub
        from kagglehub.config import get_cache_folder
        from kagglehub.exceptions import KaggleApiHTTPError
    except ImportError as error:
        raise _not_installed("kagglehub", error) from None

    cache = Path(get_cache_folder(), "models", *name.split("/"))
    if cache.with_name(f"{cache.name}.complete").exists():  # downloaded in one piece
        return cache

    def download(file):
        return Path(kagglehub.model_download(name, file))

    def status_of(error):
        return getattr(error.response, "status_code", None)

    try:
        # File by file, as KerasHub does, so that both share what is downloaded.
        files = [download(file) for file in needed]
        directory = files[0].parents[needed[0].count("/")]
    except KaggleApiHTTPError as error:
        if status_of(error) in (401, 403):
            raise PermissionError(
                f"Expected access to {handle}; the hub refuses it. Log in "
                "(kagglehub.login()) and accept the model's terms there."
            ) from error
        if status_of(error) == 404:
            raise FileNotFoundError(
                f"Expected {handle} on the hub, with {' and '.join(needed)}; there is "
                "no such model, version or file. Check the name."
            ) from error
        raise _unreachable(handle, _in_short(error), cache) from error
    except Exception as error:  # of the network
        found = sorted(p.parent.name for p in cache.glob("*/config.json"))
        hint = f" Or name a version that the cache has: {', '.join(found)}."
        hint = hint if found else ""
        raise _unreachable(handle, _in_short(error), cache, hint) from error
    not_asked = []
    others = _PRESET_FILES if PRESET_WEIGHTS in needed else PRESET_TEXT_FILES
    for file in others:
        try:
            download(file)
        except KaggleApiHTTPError as error:
            if status_of(error) != 404:
                not_asked.append(file)
        except ValueError:  # what Kaggle's own notebooks say of a file there is not
            continue
        except Exception:  # of the network
            not_asked.append(file)
    if not_asked:
        warnings.warn(
            f"{handle}: the hub could not be asked for {', '.join(not_asked)}; what "
            f"the cache holds without them is used ({directory}).",
            stacklevel=3,
        )
    return directory


def _in_short(error):
    error = error.__cause__ or error
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:200]}"


def _unreachable(handle, why, cache, hint=""):
    return FileNotFoundError(
        f"Expected {handle} from the hub or its cache; it could not be downloaded "
        f"({why}), and {cache} holds no whole copy of it. Download the model where "
        "there is a connection, copy the directory here and pass its path in place of "
        f"the handle.{hint}"
    )


def _not_installed(package, error):
    return ImportError(
        f"Expected {package}, to download from the hub; {error}. pip install {package}"
    )
