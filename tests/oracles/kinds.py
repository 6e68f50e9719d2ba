"""Run by gdb's own Python: what kind each frame is, and its program counter, which gdb's text leaves out at times.

One line a frame: ``KIND <lwp> <NORMAL|INLINE|TAILCALL|SIGTRAMP|...> <pc>``, innermost first.
"""

import gdb

NAMES = {value: name[:-6] for name, value in vars(gdb).items() if name.endswith("_FRAME")}

for thread in gdb.selected_inferior().threads():
    thread.switch()
    frame = gdb.newest_frame()
    while frame is not None:
        print("KIND", thread.ptid[1], NAMES.get(frame.type(), "?"), hex(frame.pc()))
        try:
            frame = frame.older()
        except gdb.error:
            break
