"""From IR to machine code in this process, by LLVM.

llvmlite is imported when the first kernel is compiled, never before.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple


class Target(NamedTuple):
    """What code is made for: a CPU name, its features, and how wide its vectors are."""

    cpu: str
    features: str
    width: int
    """Bits of a vector register: 512, 256 or 128."""
    registers: int
    """How many vector registers there are."""

    @property
    def has_fma(self) -> bool:
        """Whether it multiplies and adds in one instruction (as every ARM core with NEON does)."""
        return bool({"+fma", "+neon"} & set(self.features.split(",")))

    @property
    def has_scalef(self) -> bool:
        """Whether it multiplies by powers of 2 in one instruction, for short vectors too."""
        return {"+avx512f", "+avx512vl"} <= set(self.features.split(","))


@functools.cache
def llvm() -> Any:
    """llvmlite's binding, with the host's code generator set up."""
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    return binding


@functools.cache
def host() -> Target:
    """The machine this runs on."""
    binding = llvm()
    features = binding.get_host_cpu_features()
    return describe(binding.get_host_cpu_name(), features.flatten())


def describe(cpu: str, features: str) -> Target:
    """A target by CPU name and features, its vector width read off them."""
    on = {word[1:] for word in features.split(",") if word.startswith("+")}
    if "avx512f" in on and "avx512vl" in on and "avx512dq" in on and "avx512bw" in on:
        return Target(cpu, features, 512, 32)
    if "avx2" in on and "fma" in on:
        return Target(cpu, features, 256, 16)
    return Target(cpu, features, 128, 32 if "neon" in on else 16)


def restricted(without: str) -> Target:
    """The host without some features, e.g. ``avx512`` or ``avx2``: all that begin with the word are turned off."""
    full = host()
    words = [word for word in full.features.split(",") if word]
    gone = {"avx512": ("avx512",), "avx2": ("avx512", "avx", "fma", "f16c", "vaes", "vpclmul", "xop")}[without]
    kept = [f"-{word[1:]}" if word[1:].startswith(gone) else word for word in words]
    return describe("x86-64" if without == "avx2" else "x86-64-v3", ",".join(kept))


def machine(target: Target) -> Any:
    binding = llvm()
    triple = binding.Target.from_triple(binding.get_process_triple())
    return triple.create_target_machine(
        cpu=target.cpu, features=target.features, opt=3, reloc="default", codemodel="jitdefault"
    )


def optimise(text: str, target: Target) -> tuple[Any, Any]:
    """Parse, check and optimise a module; returns it with the machine it is for."""
    binding = llvm()
    module = binding.parse_assembly(text)
    module.verify()
    made = machine(target)
    tuning = binding.create_pipeline_tuning_options(speed_level=0)
    tuning.loop_vectorization = tuning.slp_vectorization = False  # vectors are explicit
    builder = binding.create_pass_builder(made, tuning)
    builder.getModulePassManager().run(module, builder)
    return module, made


class Code:
    """Machine code in memory. It stays there as long as this object lives."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine

    def address(self, name: str) -> int:
        """Where the function of this name begins."""
        found: int = self.engine.get_function_address(name)
        assert found, f"no function {name}"
        return found

    def variable(self, name: str) -> int:
        """Where the global variable of this name lies."""
        found: int = self.engine.get_global_value_address(name)
        assert found, f"no variable {name}"
        return found


def object_of(text: str, target: Target) -> bytes:
    """Machine code for a module of IR, as an object file."""
    module, made = optimise(text, target)
    written: bytes = made.emit_object(module)
    return written


def load(code: bytes, target: Target) -> Code:
    """An object file, linked and ready to run. The code runs as it is: it must come from `object_of`."""
    binding = llvm()
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), machine(target))
    engine.add_object_file(binding.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return Code(engine)


def compile_ir(text: str, target: Target | None = None) -> Code:
    """Machine code for a module of IR."""
    target = target or host()
    return load(object_of(text, target), target)


@functools.cache
def version() -> str:
    """What makes machine code of IR."""
    import llvmlite

    return f"{llvmlite.__version__} LLVM {llvm().llvm_version_info} {llvm().get_process_triple()}"


def assembly(text: str, target: Target | None = None) -> str:
    """What the machine code for a module of IR is, as text."""
    module, made = optimise(text, target or host())
    written: str = made.emit_assembly(module)
    return written
