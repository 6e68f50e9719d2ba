"""ELF images and core dumps: headers, notes, registers, mapped modules, build-ids."""
