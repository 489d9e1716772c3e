# SPDX-License-Identifier: MIT
#
# For Makefiles of programs that use libusbremote from this tree.  Include it
# with LIBRARY, this folder, and BUILD set; a program has to depend on
# $(ARCHIVE) and to be linked with it.

CFLAGS   = -O2 -g
STRICT   = -std=c99 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror
INCLUDES = -I$(LIBRARY)/include -I$(LIBRARY)/../hw/usb
ARCHIVE  = $(BUILD)/library/libusbremote.a

all:

# the library's own Makefile knows what it depends on
$(ARCHIVE): library
	@true

library:
	@$(MAKE) --no-print-directory -C $(LIBRARY) \
	    BUILD=$(abspath $(BUILD))/library $(abspath $(ARCHIVE))

clean:
	rm -rf $(BUILD)

.PHONY: all library clean
