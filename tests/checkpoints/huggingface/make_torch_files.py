"""Makes tests/data/torch_zip.bin, torch_legacy.bin and torch_expected.npz.

python tests/checkpoints/huggingface/make_torch_files.py     (needs torch)
"""

from pathlib import Path

import numpy as np
import torch

DATA = Path(__file__).parents[2] / "data"


def state_dict() -> dict[str, torch.Tensor]:
    """A module's state dict, `_metadata` and all, and tensors of every dtype."""
    torch.manual_seed(1)
    module = torch.nn.Sequential(torch.nn.Embedding(7, 4), torch.nn.LayerNorm(4))
    tensors = module.state_dict()
    tensors["tied"] = tensors["0.weight"]
    tensors["transposed"] = tensors["0.weight"].T
    tensors["rows"] = tensors["0.weight"][2:5, ::2]
    tensors["parameter"] = torch.nn.Parameter(torch.randn(3))
    tensors["position_ids"] = torch.arange(6).expand((1, -1))
    tensors["repeated"] = torch.arange(3.0).expand((2, 3))
    tensors["scalar"] = torch.tensor(5)
    tensors["empty"] = torch.zeros(0, 3)
    tensors["mask"] = torch.tensor([True, False, True])
    for dtype in ("float16", "bfloat16", "float64"):
        tensors[dtype] = torch.randn(2, 3).to(getattr(torch, dtype))
    for dtype in ("int8", "uint8", "int16", "int32", "uint16", "uint32", "uint64"):
        tensors[dtype] = torch.arange(100, 105).to(getattr(torch, dtype))
    return tensors


def as_numpy(tensor: torch.Tensor) -> np.ndarray:
    tensor = tensor.detach()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


if __name__ == "__main__":
    tensors = state_dict()
    torch.save(tensors, DATA / "torch_zip.bin")
    torch.save(tensors, DATA / "torch_legacy.bin", _use_new_zipfile_serialization=False)
    arrays = {name: as_numpy(tensor) for name, tensor in tensors.items()}
    np.savez_compressed(DATA / "torch_expected.npz", **arrays)
