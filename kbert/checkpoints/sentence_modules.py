"""Which modules a sentence-transformers directory is made of.

    modules.json            their order, classes and folders
    0_BERT/, 0_Transformer/ the BERT, in versions before 2; later it lies beside
    1_Pooling/config.json   how a text's vector is made of those of its tokens
    sentence_bert_config.json   beside the BERT: the length, whether it lower-cases

Plain files: no framework is imported here.
"""

import json
from pathlib import Path

from kbert.disk.json_object import json_object

MODULES, LENGTH = "modules.json", "sentence_bert_config.json"


def modules_of(directory: Path) -> tuple[Path, list[dict]]:
    """Where `modules.json` lies, and what it lists; an empty list where there is none.

    Args:
        directory: the whole, or the folder of its BERT.

    Raises:
        ValueError: the file is damaged, or names folders elsewhere.
    """
    directory = Path(directory)
    if (directory / MODULES).is_file():
        return directory, _listed(directory / MODULES)
    parent = directory.resolve().parent
    if directory.is_dir() and (parent / MODULES).is_file():
        listed = _listed(parent / MODULES)
        if listed and parent / listed[0]["path"] == directory.resolve():
            return parent, listed
    return directory, []


def transformer_directory(directory: Path) -> Path:
    """The folder of the BERT: the directory itself, or one in it.

    Raises:
        ValueError: as `modules_of`.
    """
    root, listed = modules_of(directory)
    if not listed or not listed[0]["path"]:
        return Path(directory)
    inner = root / listed[0]["path"]
    return inner if (inner / "config.json").is_file() else Path(directory)


def transformer_settings(folder: Path) -> dict:
    """sentence_bert_config.json, or that of the class it was first made with."""
    files = [folder / LENGTH, *sorted(folder.glob("sentence_*_config.json"))]
    return next((json_object(file) for file in files if file.is_file()), {})


def lowercases(directory: Path) -> bool:
    """Whether texts are lower-cased before the tokenizer, whatever that does itself.

    Args:
        directory: as of `modules_of`; a file says nothing.
    """
    root, modules = modules_of(directory)
    if not modules:
        return False
    return transformer_settings(root / modules[0]["path"]).get("do_lower_case") is True


def _listed(path):
    wanted = "a list of modules, each with its path and type"
    try:
        listed = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"Expected JSON in {path}; {error}.") from None
    if not isinstance(listed, list):
        raise ValueError(f"Expected {wanted}, in {path}; got {str(listed)[:80]}.")
    for module in listed:
        fields = module if isinstance(module, dict) else {}
        names = fields.get("path"), fields.get("type")
        if not all(isinstance(name, str) for name in names):
            raise ValueError(f"Expected {wanted}, in {path}; got {str(module)[:80]}.")
        folder = Path(fields["path"])
        if folder.is_absolute() or ".." in folder.parts:
            raise ValueError(
                f"Expected folders beside {path}; it names {fields['path']!r}, "
                "elsewhere."
            )
    return listed
