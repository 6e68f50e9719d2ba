"""Reading DWARF 2 to 5: units, functions, inlined calls, lines, members of structures.

Only the units that hold a wanted address are read. The rules by which a line is
chosen are gdb's, since gdb's backtrace is what our users compare with.
"""
