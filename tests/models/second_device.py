"""A second device for machines that have only one: tensors that say they are on 'meta' and refuse to meet the CPU's.

Every such tensor holds a CPU tensor with the numbers. Operations on it run on the CPU, but only if all their tensors
are on this device, as on a GPU: one tensor left behind, or made on the wrong device, is an error.
"""

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

DEVICE = torch.device("meta")
_COPIES = {torch.ops.aten._to_copy, torch.ops.aten.to, torch.ops.aten.copy_}


class TensorThere(torch.Tensor):
    """A tensor on the second device."""

    @staticmethod
    def __new__(cls, here):
        return torch.Tensor._make_wrapper_subclass(
            cls,
            here.shape,
            strides=here.stride(),
            storage_offset=here.storage_offset(),
            dtype=here.dtype,
            device=DEVICE,
        )

    def __init__(self, here):
        self.here = here

    def __repr__(self):
        return f"TensorThere({tuple(self.shape)})"

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        raise RuntimeError(f"{func}: a tensor of the second device is used where there is none")


class _Constants(TorchFunctionMode):
    """`torch.tensor` and `new_tensor` make their tensor where no dispatch mode sees it."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is torch.tensor and kwargs.get("device") == DEVICE:
            return torch.tensor(*args, **(kwargs | {"device": "cpu"})).to(DEVICE)
        if func is torch.Tensor.new_tensor and isinstance(args[0], TensorThere):
            return torch.tensor(*args[1:], **({"dtype": args[0].dtype} | kwargs)).to(DEVICE)
        return func(*args, **kwargs)


class SecondDevice(TorchDispatchMode):
    """Within it the second device exists; `copies` counts what crossed over, by direction."""

    def __init__(self):
        super().__init__()
        self.copies = {"there": 0, "back": 0}
        self._constants = _Constants()

    def __enter__(self):
        self._constants.__enter__()
        return super().__enter__()

    def __exit__(self, *error):
        super().__exit__(*error)
        self._constants.__exit__(*error)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        names = [argument.name for argument in func._schema.arguments]
        given = dict(zip(names, args, strict=False)) | (kwargs or {})
        tensors = [leaf for leaf in tree_leaves(given) if isinstance(leaf, torch.Tensor)]
        are_there = [isinstance(tensor, TensorThere) for tensor in tensors]
        to_there = any(are_there)
        if given.get("device") is not None:
            to_there = torch.device(given["device"]) == DEVICE
            given["device"] = torch.device("cpu")
        if func.overloadpacket in _COPIES:
            if are_there[0] != to_there:
                self.copies["there" if to_there else "back"] += 1
        elif len({there for tensor, there in zip(tensors, are_there, strict=True) if there or tensor.ndim}) > 1:
            raise RuntimeError(f"{func}: expected all tensors on one device, found {DEVICE} and cpu")
        positional = [given.pop(name) for name in names[: len(args)]]
        positional, given = tree_map(lambda x: x.here if isinstance(x, TensorThere) else x, (positional, given))
        result = func(*positional, **given)
        if not to_there:
            return result
        # A view of an ordinary tensor stays an ordinary one, also in inference mode.
        with torch.inference_mode(False):
            return tree_map(lambda x: TensorThere(x) if isinstance(x, torch.Tensor) else x, result)


class FullDevice(SecondDevice):
    """A second device that runs out of memory where `full` says so, of the operation's number and its result."""

    def __init__(self):
        super().__init__()
        self.count = 0
        self.full = lambda _number, _result: False

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = super().__torch_dispatch__(func, types, args, kwargs)
        if any(isinstance(leaf, TensorThere) for leaf in tree_leaves(result)):
            self.count += 1
            if self.full(self.count, result):
                raise torch.OutOfMemoryError("out of memory, tried to allocate 2.00 GiB")
        return result


class AppleDevice(SecondDevice):
    """A second device with the gaps of Apple's: it has no float64, and lacks the operations that are named.

    Source of the sentences: what torch raises on such a GPU.
    """

    def __init__(self, *lacking):
        super().__init__()
        self.lacking = lacking

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = super().__torch_dispatch__(func, types, args, kwargs)
        there = [leaf for leaf in tree_leaves(result) if isinstance(leaf, TensorThere)]
        if any(leaf.dtype in (torch.float64, torch.complex128) for leaf in there):
            raise TypeError(
                "Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support float64. "
                "Please use float32 instead."
            )
        if there and func.overloadpacket in self.lacking:
            raise NotImplementedError(f"The operator '{func}' is not currently implemented for the MPS device.")
        return result
