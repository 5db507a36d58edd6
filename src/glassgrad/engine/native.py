"""The native engine: a trace simplified, fused, planned, written as LLVM IR, compiled, and run."""

from __future__ import annotations

import ctypes
import functools
import gc
from dataclasses import replace
from typing import Any

import numpy as np

from . import cache, jit, slices, threads, verify
from .access import Buffer, with_copies
from .emit.ir import Function, Module
from .emit.loops import Kernel, write_loop
from .emit.moves import write_own
from .emit.values import I1, I8, I64, PTR, Type, Value
from .fuse import fuse
from .groups import Group, summed
from .likeness import Unlike, likeness, version
from .plan import Plan, Room, plan
from .program import CONST, Program, Val, of_trace
from .simplify import simplify
from .traced import Trace

MARK = "kernel.of.many"
"""The name that a kernel is written under, before it is known whether there is one like it already."""
WORTH = 20_000
"""Operations from which on a kernel is shared among threads."""
CHUNKS = 8
"""Into how many chunks each thread's part of a kernel is cut, for others to take over what a stopped thread leaves."""
ALONE = 150_000
"""Operations up to which a whole step is left to one thread: waking another would take longer."""


def program_of(trace: Trace) -> Program:
    """What the engine makes of a trace before it forms kernels."""
    made = verify.program(of_trace(trace), "the trace")
    made = verify.program(simplify(made), "simplify")
    return verify.program(with_copies(made), "with_copies")


def updates_of(trace: Trace, program: Program) -> dict[Val, Val]:
    """Which output of the program is the new value of which input."""
    count = len(trace.arguments)
    cells = {id(cell): val for (cell, _), val in zip(trace.cells, program.inputs[count:], strict=False)}
    first = len(trace.values)
    updated = program.outputs[first : first + len(trace.updates)]
    return {new: cells[id(cell)] for new, (cell, _) in zip(updated, trace.updates, strict=True) if id(cell) in cells}


class Native:
    """A trace as machine code, and the memory it works in."""

    name = "native"

    def __init__(
        self, trace: Trace, threads: int | None = None, target: jit.Target | None = None, profile: bool = False
    ) -> None:
        self.profile = profile
        self.trace = trace
        self.target = target or jit.host()
        self.program = program_of(trace)
        self.updates = updates_of(trace, self.program)
        groups = verify.groups(fuse(self.program), self.program.outputs, "fuse")
        self.threads = _threads(threads) if sum(map(work_of, groups)) >= ALONE else 1
        self.plan = self._plan(groups)
        self.groups = self.plan.order
        self.rooms = {n: room for room in self.plan.rooms for n in range(room.chain.first, room.chain.stop)}
        self.kernels: dict[str, str] = {}
        self.functions: list[Any] = []
        """For each group the name of its kernel and how many units that has."""
        self.held: dict[Val, Any] = {}
        """The arrays that inputs and results are in: they stay as long as the table points to them."""
        self._compile()
        self._memory()

    def _plan(self, groups: list[Group]) -> Plan:
        """Where everything lies; with chains that run slice by slice, if that takes less memory."""
        outputs = self.program.outputs
        whole = plan(groups, outputs, self.updates)
        order, chains = slices.sliced(groups, outputs, self.threads)
        if chains:
            verify.chains(verify.groups(order, outputs, "slices"), outputs, chains)
            made = plan(order, outputs, self.updates, chains, self.threads)
            if made.arena + slices.LARGE <= whole.arena:
                return made
        for number, group in enumerate(groups):
            group.number = number
        return whole

    # -- machine code -----------------------------------------------------------------------------------------------

    def _compile(self) -> None:
        """Code for all groups: from the disk if it was made before, else written and compiled."""
        shape: list[tuple[str, list[Buffer]]] | None
        try:
            shape = [likeness(group, self._buffer_of) for group in self.groups]
            key = self._key(shape)
        except (Unlike, OSError):
            shape = key = None
        found = cache.fetch(key) if key else None
        if found is None:
            self.ir = self._write(shape)
            code = jit.object_of(self.ir, self.target)
            if key:
                cache.keep(key, {"functions": self.functions, "ir": cache.key_of(self.ir)}, code)
        else:
            note, code = found
            self.functions = note["functions"]
            if verify.ON[0] and cache.key_of(self._write(shape)) != note["ir"]:
                raise verify.Broken("the cache holds other code than would be written now")
        self.code = jit.load(code, self.target)

    def _key(self, shape: list[tuple[str, list[Buffer]]]) -> str:
        """The key of this step's code: everything that it depends on."""

        def place(val: Val, number: int = -1) -> tuple[int, ...]:
            room = self.rooms.get(number)
            if room is not None and val in room.places:
                return room.places[val], val.bytes
            return self.plan.places[val].offset, self.plan.places[val].slot

        places = [[(*place(val, number), start) for val, start in buffers] for number, (_, buffers) in enumerate(shape)]
        copies = [(place(source), place(target), source.bytes) for source, target in self.plan.copies]
        rooms = [(r.chain.first, r.chain.stop, r.chain.slices, r.offset, r.size) for r in self.plan.rooms]
        made_by = [version(), jit.version(), np.__version__, *self.target[:2]]
        said = str((self.threads, self.profile, places, copies, rooms))
        return cache.key_of(*made_by, said, *(text for text, _ in shape))

    def _write(self, shape: list[tuple[str, list[Buffer]]] | None) -> str:
        """The step as IR."""
        module = Module()
        module.has_fma, module.has_scalef = self.target.has_fma, self.target.has_scalef
        module.attributes = f'nounwind "target-cpu"="{self.target.cpu}" "prefer-vector-width"="{self.target.width}"'
        module.globals.append("@table = global ptr null\n@clock = global ptr null")
        self.kernels.clear()
        alike: dict[str, tuple[Kernel, list[Buffer]]] = {}
        kernels: list[Kernel] = []
        for number, group in enumerate(self.groups):
            text, buffers = shape[number] if shape else ("", [])
            known = alike.get(text) if shape else None
            if known is None:
                kernels.append(self._kernel(module, group))
                alike[text] = kernels[-1], buffers
            else:
                kernels.append(_like(known, buffers))
                if verify.ON[0] and self._kernel(module, group) != kernels[-1]:
                    raise verify.Broken(f"group {number} is not what its text says: {text}")
        self.functions = [[kernel.name, kernel.units] for kernel in kernels]
        calls = list(zip(self.groups, kernels, strict=True))
        if self.threads == 1:
            self._function(module, "step", [("tid", I64), ("n", I64)], calls, last=True)
        else:
            phases = self._phases()
            for number, (first, stop) in enumerate(phases):
                params = [("table", PTR), ("lo", I64), ("hi", I64), ("tid", I64)]
                self._function(module, f"phase{number}", params, calls[first:stop], last=number + 1 == len(phases))
        return str(module)

    def _phases(self) -> list[tuple[int, int]]:
        """The step's phases, from group to group: each group that is shared among threads is one, and so are those that
        come between two of them (when times are taken, every group is one). The last one is never shared if there
        are values to be copied at the end."""
        found: list[tuple[int, int]] = []
        before = True
        for place, group in enumerate(self.groups):
            room = self.rooms.get(place)
            if room is not None and place > room.chain.first:
                found[-1] = (found[-1][0], place + 1)
                continue
            shared = room is not None or self._shared(group)
            if shared or before or self.profile:
                found.append((place, place + 1))
            else:
                found[-1] = (found[-1][0], place + 1)
            before = shared
        return [*found, (len(self.groups),) * 2] if before and self.plan.copies else found

    def _shared(self, group: Group) -> bool:
        """Whether several threads do a group together."""
        return self.functions[group.number][1] > 1 and work_of(group) >= WORTH

    def _phase(self, number: int, groups: list[Group]) -> threads.Phase:
        address = self.code.address(f"phase{number}")
        units = self.functions[groups[0].number][1] if groups and self._shared(groups[0]) else 1
        if groups and groups[0].number in self.rooms:
            units = self.rooms[groups[0].number].chain.slices
        return threads.Phase(address, min(units, CHUNKS * self.threads), units)

    def _kernel(self, module: Module, group: Group) -> Kernel:
        """The kernel of a group; groups that do the same to other buffers share one."""
        alone = Module(has_fma=module.has_fma, has_scalef=module.has_scalef)
        width, registers = self.target.width, self.target.registers
        if group.kind == "loop":
            kernel = write_loop(alone, MARK, group, width, self._buffer_of)
        else:
            kernel = write_own(alone, MARK, group, width, registers, self._buffer_of)
        text = "\n".join(map(str, alone.functions.values()))
        written = {self._buffer_of(val).val for val in group.stored}
        if verify.ON[0] and any(start and val in written for val, start in kernel.buffers):
            raise verify.Broken(f"group {group.number} reads a part of what it writes: its pointers are noalias")
        name = self.kernels.get(text)
        if name is None:
            name = self.kernels[text] = f"k{len(self.kernels)}"
            module.globals.append(text.replace(MARK, name))
            module.declared |= alone.declared
        return replace(kernel, name=name)

    def _buffer_of(self, val: Val, start: int = 0) -> Buffer:
        """The memory of `val`, from an entry on: what is written over an old value has the old one's."""
        target = self.updates.get(val)
        if target is not None and self.plan.places[val] == self.plan.places[target]:
            return Buffer(target, start)
        return Buffer(self.plan.owners.get(val, val), start)

    def _function(
        self, module: Module, name: str, params: list[tuple[str, Type]], kernels: list[tuple[Group, Kernel]], last: bool
    ) -> None:
        """A function that calls kernels on their buffers: all of them, or one phase, of which it does the units from
        lo to hi where the phase is shared. The last one moves new values to where the old ones were read until then."""
        f = module.function(name, params)
        f.internal = f.noalias = False
        whole = params[0][0] != "table"
        table = f.load(Value("@table", PTR), PTR) if whole else f.params[0]
        slots: dict[int, Value] = {}
        for group, kernel in kernels:
            room = self.rooms.get(group.number)
            if room is not None:
                if group.number == room.chain.first:
                    members = [each for each in kernels if self.rooms.get(each[0].number) is room]
                    self._chain(f, table, slots, room, members, whole)
                continue
            if self.profile:
                self._stamp(f, f.compare("eq", f.index(0) if whole else f.params[1], f.index(0)), group.number)
            pointers = [self._pointer(f, table, slots, *buffer) for buffer in kernel.buffers]
            shared = not whole and self._shared(group)
            f.call(kernel.name, *pointers, *(f.params[1:3] if shared else (f.index(0), f.index(kernel.units))))
            if self.profile:
                self._stamp(f, f.const(1, I1), group.number + 1)
        for source, target in self.plan.copies if last else ():
            pair = [self._pointer(f, table, slots, val) for val in (target, source)]
            f.copy_bytes(pair[0], pair[1], source.bytes)
        f.ret()

    def _chain(
        self, f: Function, table: Value, slots: dict[int, Value], room: Room, kernels: list[tuple[Group, Kernel]],
        whole: bool,
    ) -> None:  # fmt: skip
        """Calls of a chain's kernels for one slice after another: on what is in memory as a whole, and on this thread's
        room, whose address is moved so that the slice lies where the kernel looks for it."""
        chain, zero = room.chain, f.index(0)
        lo, hi, thread = (zero, f.index(chain.slices), zero) if whole else f.params[1:]
        own = f.add(f.mul(thread, f.index(room.size)), f.index(room.offset))
        own = f.at(self._base(f, table, slots, 0), own, I8)
        kept = {
            buffer: self._pointer(f, table, slots, *buffer)
            for _, kernel in kernels for buffer in kernel.buffers if buffer.val not in room.places
        }  # fmt: skip
        if self.profile:
            self._stamp(f, f.compare("eq", lo, zero), chain.first)
        with f.loop(lo, hi) as turn:
            turn.next()
            for group, kernel in kernels:
                pointers = [kept.get(each) or _slice(f, own, room, turn.index, *each) for each in kernel.buffers]
                each, rest = divmod(kernel.units, chain.slices)
                assert not rest, f"group {group.number} has {kernel.units} units, for {chain.slices} slices"
                start = f.mul(turn.index, f.index(each))
                begun = f.intrinsic("readcyclecounter", result=I64, suffix="") if self.profile else zero
                f.call(kernel.name, *pointers, start, f.add(start, f.index(each)))
                if self.profile:
                    self._count(f, f.compare("eq", thread, zero), begun, group.number)
        if self.profile:
            self._stamp(f, f.const(1, I1), chain.stop)

    def _count(self, f: Function, first: Value, begun: Value, number: int) -> None:
        """Add up what one thread takes for a kernel in all slices."""
        taken = f.sub(f.intrinsic("readcyclecounter", result=I64, suffix=""), begun)
        with f.when(first):
            clock = f.load(Value("@clock", PTR), PTR)
            place = f.at(clock, f.index(len(self.groups) + 1 + number), I64)
            f.store(f.add(f.load(place, I64), taken), place)

    def _stamp(self, f: Function, first: Value, number: int) -> None:
        """Note the time in cycles: when a kernel's first unit begins, and whenever some of them are done."""
        with f.when(first):
            now = f.intrinsic("readcyclecounter", result=I64, suffix="")
            clock = f.load(Value("@clock", PTR), PTR)
            f.store(now, f.at(clock, f.index(number), I64))

    def _pointer(self, f: Function, table: Value, slots: dict[int, Value], val: Val, start: int = 0) -> Value:
        place = self.plan.places[val]
        before = place.offset + start * val.dtype.itemsize
        held = self._base(f, table, slots, place.slot)
        return held if not before else f.at(held, f.index(before), I8)

    def _base(self, f: Function, table: Value, slots: dict[int, Value], slot: int) -> Value:
        """Where a slot of the table points."""
        if slot not in slots:
            slots[slot] = f.load(f.at(table, f.index(slot), I64), PTR)
        return slots[slot]

    # -- memory -----------------------------------------------------------------------------------------------------

    def _memory(self) -> None:
        _give_back(self.plan.arena)
        self.arena = np.zeros(self.plan.arena + 128, np.uint8)
        start = self.arena.ctypes.data
        self.base = start + (-start) % 64
        self.table = np.zeros(1 + len(self.plan.table), np.int64)
        self.table[0] = self.base
        self.slots = {val: place + 1 for place, val in enumerate(self.plan.table)}
        self.constants = []
        for val, slot in self.slots.items():
            if val.op == CONST:
                array = np.ascontiguousarray(val.data)
                self.constants.append(array)
                self.table[slot] = array.ctypes.data
        pointer = ctypes.c_void_p.from_address
        pointer(self.code.variable("table")).value = self.table.ctypes.data
        self.clock = np.zeros(2 * len(self.groups) + 1, np.int64)
        """When each kernel began and the last one ended; then what one thread took for each kernel of a chain."""
        pointer(self.code.variable("clock")).value = self.clock.ctypes.data
        if self.threads > 1:
            self.pool = threads.pool(self.threads)
            phases = [self._phase(number, self.groups[a:b]) for number, (a, b) in enumerate(self._phases())]
            job = threads.Job(phases, self.threads, self.table.ctypes.data)
            self.alone, self.execute = None, functools.partial(self.pool.run, job)
            return
        self.alone = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64)(self.code.address("step"))
        """The one native function, if calling it with (0, 1) is all there is to do."""
        self.execute = functools.partial(self.alone, 0, 1)
        """Runs the step on what the table points to: one run of machine code, which nothing can interrupt."""

    def cycles(self) -> Any:
        """What each kernel took in the last run, by the processor's clock; the time of a chain is parted as that of its
        kernels on one thread."""
        count = len(self.groups)
        taken, own = np.diff(self.clock[: count + 1]), self.clock[count + 1 :]
        for room in self.plan.rooms:
            here = slice(room.chain.first, room.chain.stop)
            shares = own[here] / own[here].sum() if own[here].any() else 1 / (room.chain.stop - room.chain.first)
            taken[here] = (self.clock[room.chain.stop] - self.clock[room.chain.first]) * shares
        own[:] = 0
        return taken

    def __del__(self) -> None:
        if hasattr(self, "pool"):
            self.pool.settle()


CODE, MUCH = 1 << 20, 256 << 20
"""About what the machine code of a step takes, and how much memory dead steps may hold, in bytes."""
_taken = 0


def _give_back(arena: int) -> None:
    """Now and then have dead steps collected before another one takes memory: the collector counts objects, of which a
    step has few, and not their bytes."""
    global _taken  # noqa: PLW0603 - how much was taken is of the process
    _taken += arena + CODE
    if _taken > MUCH:
        gc.collect()
        _taken = 0


def _slice(f: Function, own: Value, room: Room, number: Value, val: Val, start: int) -> Value:
    """Where entry `start` of a value would lie, if all of it were there, when slice `number` of it lies in a room."""
    size = val.bytes // room.chain.slices
    place = f.sub(f.index(room.places[val] + start * val.dtype.itemsize), f.mul(number, f.index(size)))
    return f.make(f"getelementptr i8, {own}, {place}", PTR)


def _like(first: tuple[Kernel, list[Buffer]], buffers: list[Buffer]) -> Kernel:
    """The kernel of a group like another one, on its own buffers."""
    kernel, others = first
    return replace(kernel, buffers=[buffers[others.index(each)] for each in kernel.buffers])


def _threads(asked: int | None) -> int:
    return threads.cores() if asked is None else max(1, asked)


def work_of(group: Group) -> int:
    """About how many operations a group takes: how many numbers it handles, or multiplies and adds."""
    root = group.vals[0]
    depth = summed(root)
    if depth:
        return 2 * root.size * depth // 16
    return group.size * len(group.vals) // 4
