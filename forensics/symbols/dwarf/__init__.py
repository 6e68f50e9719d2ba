"""Reading DWARF 2 to 5: units, functions, inlined calls, lines, members of structures.

Of 32 and 64 bits, wherever it lies: compressed, in type and partial units, in a file that `dwz` made for several,
split into .dwo files or a package of them (a unit's ``body`` then lies elsewhere than its own entry).

Only the units that hold a wanted address are read. The rules by which a line is
chosen are gdb's, since gdb's backtrace is what our users compare with.
"""
