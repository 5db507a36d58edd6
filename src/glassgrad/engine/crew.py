"""The machine code of threads that run one step together: the worker's loop, the launch of a job, one thread's part.

A phase has a counter of chunks done, and for each thread's part of it one of chunks taken. Every run of a job has a
number, its epoch, which stands in all counters above the count (16 bits). So nothing has to be set back, and a thread
that is late by a run or more notices at its first look at any counter. The lower half of a counter, where some bits of
the epoch are too, is the word that sleepers wait on.
"""

from __future__ import annotations

import functools

from . import jit
from .system import system as pieces

LINE = 64
"""Bytes of a cache line: what several threads write lies that far apart."""
GENERATION, STOP, IDLE, WAITING, JOB, BUSY = (LINE * place for place in range(6))
TASK = 8
"""Where in its line a worker's number stands that the system knows it by."""
"""Byte offsets in the control block; from BUSY on there is a line for each worker."""
EPOCH, PHASES, REGIONS, TABLE, COUNTERS, FIRST = 0, 8, 16, 24, 32, 64
"""Byte offsets in a job; from FIRST on there are three words for each phase."""
SPINS = 4000
"""Looks before a thread without work goes to sleep."""
YIELDS = 8
"""How often a thread that waits within a step lets others run, before it goes to sleep."""


def ir() -> str:
    """The worker's loop, the launch of a job, and what each thread does of it."""
    system = pieces()
    return f"""
{system["declared"]}
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)

define internal void @sleep(ptr %word, i32 %seen, ptr %sleepers) nounwind noinline {{
  %s0 = atomicrmw add ptr %sleepers, i32 1 seq_cst
  {system["sleep"]}
  %s1 = atomicrmw sub ptr %sleepers, i32 1 seq_cst
  ret void
}}

define internal void @wake(ptr %word, ptr %sleepers) nounwind {{
  %asleep = load atomic i32, ptr %sleepers seq_cst, align 4
  %some = icmp ne i32 %asleep, 0
  br i1 %some, label %call, label %out
call:
  {system["wake"]}
  br label %out
out:
  ret void
}}

define internal i1 @hurry(ptr %old) nounwind noinline {{
  {system["hurry"]}
}}

define internal void @calm(ptr %old) nounwind noinline {{
  {system["calm"]}
  ret void
}}

define internal void @apart(i64 %task) nounwind noinline {{
  {system["apart"]}
}}

define internal void @spread(ptr %c, i64 %n) nounwind noinline {{
entry:
  %first = getelementptr i8, ptr %c, i64 {BUSY - LINE}
  br label %each
each:
  %i = phi i64 [ 1, %entry ], [ %i1, %next ]
  %more = icmp slt i64 %i, %n
  br i1 %more, label %move, label %out
move:
  %at = mul i64 %i, {LINE}
  %line = getelementptr i8, ptr %first, i64 %at
  %taskp = getelementptr i8, ptr %line, i64 {TASK}
  %task = load atomic i64, ptr %taskp monotonic, align 8
  %known = icmp ne i64 %task, 0
  br i1 %known, label %away, label %next
away:
  call void @apart(i64 %task)
  br label %next
next:
  %i1 = add i64 %i, 1
  br label %each
out:
  ret void
}}

define void @worker(ptr %c, i64 %tid) nounwind {{
entry:
  %gen = getelementptr i8, ptr %c, i64 {GENERATION}
  %stop = getelementptr i8, ptr %c, i64 {STOP}
  %idle = getelementptr i8, ptr %c, i64 {IDLE}
  %place = getelementptr i8, ptr %c, i64 {JOB}
  %line = mul i64 %tid, {LINE}
  %first = getelementptr i8, ptr %c, i64 {BUSY - LINE}
  %busy = getelementptr i8, ptr %first, i64 %line
  {system["task"]}
  %taskp = getelementptr i8, ptr %busy, i64 {TASK}
  store atomic i64 %task, ptr %taskp monotonic, align 8
  br label %wait
wait:
  %seen = phi i32 [ 0, %entry ], [ %now, %done ]
  br label %look
look:
  %spin = phi i64 [ 0, %wait ], [ %more, %again ]
  %now = load atomic i32, ptr %gen seq_cst, align 4
  %new = icmp ne i32 %now, %seen
  br i1 %new, label %work, label %nothing
nothing:
  %tired = icmp sgt i64 %spin, {SPINS}
  br i1 %tired, label %bed, label %rest
rest:
  {system["pause"]}
  br label %again
bed:
  call void @sleep(ptr %gen, i32 %seen, ptr %idle)
  br label %again
again:
  %more = add i64 %spin, 1
  br label %look
work:
  %end = load atomic i32, ptr %stop seq_cst, align 4
  %ending = icmp ne i32 %end, 0
  br i1 %ending, label %out, label %take
take:
  store atomic i32 1, ptr %busy seq_cst, align 4
  %job = load atomic ptr, ptr %place seq_cst, align 8
  %none = icmp eq ptr %job, null
  br i1 %none, label %done, label %run
run:
  call void @run(ptr %c, ptr %job, i64 %tid)
  br label %done
done:
  store atomic i32 0, ptr %busy seq_cst, align 4
  br label %wait
out:
  ret void
}}

define void @launch(ptr %c, ptr %job) nounwind {{
  %gen = getelementptr i8, ptr %c, i64 {GENERATION}
  %idle = getelementptr i8, ptr %c, i64 {IDLE}
  %place = getelementptr i8, ptr %c, i64 {JOB}
  %epoch = load i64, ptr %job
  %next = add i64 %epoch, 1
  store atomic i64 %next, ptr %job seq_cst, align 8
  store atomic ptr %job, ptr %place seq_cst, align 8
  %g = atomicrmw add ptr %gen, i32 1 seq_cst
  %asleep = load atomic i32, ptr %idle seq_cst, align 4
  %some = icmp ne i32 %asleep, 0
  br i1 %some, label %rouse, label %begin
rouse:
  call void @wake(ptr %gen, ptr %idle)
  %np = getelementptr i8, ptr %job, i64 {REGIONS}
  %n = load i64, ptr %np
  call void @spread(ptr %c, i64 %n)
  br label %begin
begin:
  call void @run(ptr %c, ptr %job, i64 0)
  ret void
}}

define void @settle(ptr %c, i64 %workers) nounwind {{
entry:
  %place = getelementptr i8, ptr %c, i64 {JOB}
  %first = getelementptr i8, ptr %c, i64 {BUSY}
  store atomic ptr null, ptr %place seq_cst, align 8
  br label %each
each:
  %i = phi i64 [ 0, %entry ], [ %i1, %free ]
  %all = icmp eq i64 %i, %workers
  br i1 %all, label %out, label %line
line:
  %at = mul i64 %i, {LINE}
  %busy = getelementptr i8, ptr %first, i64 %at
  br label %look
look:
  %held = load atomic i32, ptr %busy seq_cst, align 4
  %is = icmp ne i32 %held, 0
  br i1 %is, label %yield, label %free
yield:
  {system["yield"]}
  br label %look
free:
  %i1 = add i64 %i, 1
  br label %each
out:
  ret void
}}

define internal void @run(ptr %c, ptr %job, i64 %tid) nounwind {{
entry:
  %old = alloca [6 x i64], align 8
  %hurried = alloca i32, align 4
  store i32 0, ptr %hurried
  %waiting = getelementptr i8, ptr %c, i64 {WAITING}
  %epoch = load atomic i64, ptr %job seq_cst, align 8
  %countp = getelementptr i8, ptr %job, i64 {PHASES}
  %count = load i64, ptr %countp
  %np = getelementptr i8, ptr %job, i64 {REGIONS}
  %n = load i64, ptr %np
  %tablep = getelementptr i8, ptr %job, i64 {TABLE}
  %table = load ptr, ptr %tablep
  %countersp = getelementptr i8, ptr %job, i64 {COUNTERS}
  %counters = load ptr, ptr %countersp
  %phases = getelementptr i8, ptr %job, i64 {FIRST}
  %lines = add i64 %n, 1
  %stride = mul i64 %lines, {LINE}
  %high = shl i64 %epoch, 16
  br label %phase

phase:
  %p = phi i64 [ 0, %entry ], [ %p1, %over ]
  %finished = icmp eq i64 %p, %count
  br i1 %finished, label %out, label %begin
begin:
  %pat = mul i64 %p, 24
  %here = getelementptr i8, ptr %phases, i64 %pat
  %f = load ptr, ptr %here
  %chunksp = getelementptr i8, ptr %here, i64 8
  %chunks = load i64, ptr %chunksp
  %unitsp = getelementptr i8, ptr %here, i64 16
  %units = load i64, ptr %unitsp
  %dat = mul i64 %p, %stride
  %word = getelementptr i8, ptr %counters, i64 %dat
  br label %region

region:
  %i = phi i64 [ 0, %begin ], [ %i1, %empty ]
  %mine = phi i64 [ 0, %begin ], [ %got, %empty ]
  %through = icmp eq i64 %i, %n
  br i1 %through, label %report, label %bounds
bounds:
  %v0 = add i64 %tid, %i
  %wraps = icmp uge i64 %v0, %n
  %v1 = sub i64 %v0, %n
  %v = select i1 %wraps, i64 %v1, i64 %v0
  %vn = add i64 %v, 1
  %round = sub i64 %n, 1
  %b0 = mul i64 %v, %chunks
  %b1 = add i64 %b0, %round
  %low = udiv i64 %b1, %n
  %e0 = mul i64 %vn, %chunks
  %e1 = add i64 %e0, %round
  %top = udiv i64 %e1, %n
  %size = sub i64 %top, %low
  %cat = mul i64 %vn, {LINE}
  %claims = getelementptr i8, ptr %word, i64 %cat
  %none = icmp eq i64 %size, 0
  br i1 %none, label %empty, label %claim

claim:
  %have = phi i64 [ %mine, %bounds ], [ %have, %lost ], [ %havemore, %did ]
  %held = load atomic i64, ptr %claims acquire, align 8
  %age = lshr i64 %held, 16
  %late = icmp ugt i64 %age, %epoch
  br i1 %late, label %out, label %index
index:
  %same = icmp eq i64 %age, %epoch
  %counted = and i64 %held, 65535
  %at = select i1 %same, i64 %counted, i64 0
  %left = icmp ult i64 %at, %size
  br i1 %left, label %try, label %empty
try:
  %at1 = add i64 %at, 1
  %new = or i64 %high, %at1
  %pair = cmpxchg ptr %claims, i64 %held, i64 %new acq_rel acquire
  %won = extractvalue {{ i64, i1 }} %pair, 1
  br i1 %won, label %do, label %lost
lost:
  br label %claim
do:
  %chunk = add i64 %low, %at
  %chunk1 = add i64 %chunk, 1
  %lo0 = mul i64 %chunk, %units
  %lo = udiv i64 %lo0, %chunks
  %hi0 = mul i64 %chunk1, %units
  %hi = udiv i64 %hi0, %chunks
  call void %f(ptr %table, i64 %lo, i64 %hi, i64 %tid)
  br label %did
did:
  %havemore = add i64 %have, 1
  br label %claim
empty:
  %got = phi i64 [ %mine, %bounds ], [ %have, %index ]
  %i1 = add i64 %i, 1
  br label %region

report:
  %idle = icmp eq i64 %mine, 0
  br i1 %idle, label %look, label %add
add:
  %was = load atomic i64, ptr %word acquire, align 8
  %wasage = lshr i64 %was, 16
  %current = icmp eq i64 %wasage, %epoch
  %sofar = select i1 %current, i64 %was, i64 %high
  %sum = add i64 %sofar, %mine
  %addpair = cmpxchg ptr %word, i64 %was, i64 %sum seq_cst acquire
  %added = extractvalue {{ i64, i1 }} %addpair, 1
  br i1 %added, label %check, label %add
check:
  %full = add i64 %high, %chunks
  %complete = icmp eq i64 %sum, %full
  br i1 %complete, label %last, label %look
last:
  call void @wake(ptr %word, ptr %waiting)
  br label %over

look:
  %spin = phi i64 [ 0, %report ], [ 0, %check ], [ %spin1, %again ]
  %now = load atomic i64, ptr %word seq_cst, align 8
  %nowage = lshr i64 %now, 16
  %passed = icmp ugt i64 %nowage, %epoch
  br i1 %passed, label %out, label %see
see:
  %goal = add i64 %high, %chunks
  %ready = icmp eq i64 %now, %goal
  br i1 %ready, label %over, label %patience
patience:
  %weary = icmp sgt i64 %spin, {SPINS}
  br i1 %weary, label %yield, label %rest
rest:
  {system["pause"]}
  br label %again
yield:
  %tired = icmp sgt i64 %spin, {SPINS + YIELDS}
  br i1 %tired, label %bed, label %give
give:
  {system["yield"]}
  br label %again
bed:
  %asked = load i32, ptr %hurried
  %first = icmp eq i32 %asked, 0
  br i1 %first, label %ask, label %asleep
ask:
  %may = call i1 @hurry(ptr %old)
  %state = select i1 %may, i32 2, i32 1
  store i32 %state, ptr %hurried
  br label %asleep
asleep:
  %seen = trunc i64 %now to i32
  call void @sleep(ptr %word, i32 %seen, ptr %waiting)
  br label %again
again:
  %spin1 = add i64 %spin, 1
  br label %look
over:
  %p1 = add i64 %p, 1
  br label %phase
out:
  %end = load i32, ptr %hurried
  %changed = icmp eq i32 %end, 2
  br i1 %changed, label %back, label %home
back:
  call void @calm(ptr %old)
  br label %home
home:
  ret void
}}
"""


@functools.cache
def code() -> jit.Code:
    """The machine code of the pool, made once."""
    return jit.compile_ir(ir())
