"""What the operating system has for threads that wait for each other, as pieces of LLVM IR."""

from __future__ import annotations

import platform
import sys

SLICE = 100_000
"""Nanoseconds of a turn that a thread asks for, for the rest of a run in which it had to sleep: with other programs on
the cores, it is then woken at once when the others have gone on, rather than when a neighbour's turn is over."""

_HURRY = f"""
  %r = call i64 (i64, ...) @syscall(i64 {{get}}, i64 0, ptr %old, i64 48, i64 0)
  %known = icmp eq i64 %r, 0
  br i1 %known, label %usual, label %no
usual:
  %policyp = getelementptr i8, ptr %old, i64 4
  %policy = load i32, ptr %policyp
  %plain = icmp eq i32 %policy, 0
  br i1 %plain, label %set, label %no
set:
  %new = alloca [6 x i64], align 8
  call void @llvm.memcpy.p0.p0.i64(ptr %new, ptr %old, i64 48, i1 0)
  %slice = getelementptr i8, ptr %new, i64 24
  store i64 {SLICE}, ptr %slice
  %s = call i64 (i64, ...) @syscall(i64 {{set}}, i64 0, ptr %new, i64 0)
  %done = icmp eq i64 %s, 0
  ret i1 %done
no:
  ret i1 0"""
"""Ask the system for short turns: struct sched_attr of sched_setattr(2), whose runtime is the length of a turn."""


_APART = """
  %mask = alloca [16 x i64], align 8
  %less = alloca [16 x i64], align 8
  %core = call i32 @sched_getcpu()
  %r = call i64 (i64, ...) @syscall(i64 {get}, i64 %task, i64 128, ptr %mask)
  %known = icmp sgt i64 %r, 0
  br i1 %known, label %move, label %out
move:
  call void @llvm.memcpy.p0.p0.i64(ptr %less, ptr %mask, i64 128, i1 0)
  %wide = zext i32 %core to i64
  %number = lshr i64 %wide, 6
  %at = and i64 %wide, 63
  %bit = shl i64 1, %at
  %others = xor i64 %bit, -1
  %place = getelementptr i64, ptr %less, i64 %number
  %had = load i64, ptr %place
  %left = and i64 %had, %others
  store i64 %left, ptr %place
  %away = call i64 (i64, ...) @syscall(i64 {set}, i64 %task, i64 %r, ptr %less)
  %back = call i64 (i64, ...) @syscall(i64 {set}, i64 %task, i64 %r, ptr %mask)
  br label %out
out:
  ret void"""
"""Have another thread, just woken, leave this one's core: the system likes to wake a thread on the core of the one that
wakes it, and is slow to see that another core has nothing to do. Its set of cores is given back at once."""


def system() -> dict[str, str]:
    """How this system rests, yields, sleeps until a word changes, wakes who sleeps, and parts threads."""
    x86 = platform.machine().lower() in ("x86_64", "amd64", "i686")
    pause = "call void @llvm.x86.sse2.pause()" if x86 else "call void @llvm.aarch64.hint(i32 1)"
    declared = "declare void @llvm.x86.sse2.pause()" if x86 else "declare void @llvm.aarch64.hint(i32)"
    name: str = sys.platform
    if name.startswith("linux"):
        futex = f"call i64 (i64, ...) @syscall(i64 {202 if x86 else 98}, ptr %word"
        return {
            "declared": f"{declared}\ndeclare i64 @syscall(i64, ...)\ndeclare i32 @sched_yield()\n"
            "declare i32 @sched_getcpu()",
            "task": f"%task = call i64 (i64, ...) @syscall(i64 {186 if x86 else 178})",
            "apart": _APART.format(get=204 if x86 else 123, set=203 if x86 else 122),
            "pause": pause,
            "yield": "%y = call i32 @sched_yield()",
            "sleep": f"%w = {futex}, i32 128, i32 %seen, ptr null)",
            "wake": f"%w = {futex}, i32 129, i32 1000000)",
            "hurry": _HURRY.format(get=315 if x86 else 275, set=314 if x86 else 274),
            "calm": f"%r = call i64 (i64, ...) @syscall(i64 {314 if x86 else 274}, i64 0, ptr %old, i64 0)",
        }
    if name == "win32":
        return {
            "declared": f"{declared}\ndeclare i32 @SwitchToThread()\ndeclare void @Sleep(i32)",
            "pause": pause, "yield": "%y = call i32 @SwitchToThread()", "sleep": "call void @Sleep(i32 1)", "wake": "",
            "hurry": "ret i1 0", "calm": "", "task": "%task = add i64 0, 0", "apart": "ret void",
        }  # fmt: skip
    return {
        "declared": f"{declared}\ndeclare i32 @sched_yield()\ndeclare i32 @usleep(i32)",
        "pause": pause, "yield": "%y = call i32 @sched_yield()", "sleep": "%w = call i32 @usleep(i32 50)", "wake": "",
        "hurry": "ret i1 0", "calm": "", "task": "%task = add i64 0, 0", "apart": "ret void",
    }  # fmt: skip
