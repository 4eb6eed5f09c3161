#include "models/weights/embedded_network.h"

// The assembler copies the file in; the build compiles this file again when it changes. Works with GNU's and LLVM's
// assemblers for ELF on any processor.
__asm__(
    ".pushsection .rodata\n"
    ".balign 64\n"
    ".hidden hearwire_embedded_checkpoint\n"
    ".globl hearwire_embedded_checkpoint\n"
    "hearwire_embedded_checkpoint:\n"
    ".incbin \"" HEARWIRE_EMBEDDED_CHECKPOINT
    "\"\n"
    ".hidden hearwire_embedded_checkpoint_end\n"
    ".globl hearwire_embedded_checkpoint_end\n"
    "hearwire_embedded_checkpoint_end:\n"
    ".byte 0\n"
    ".popsection\n");

extern "C" const char hearwire_embedded_checkpoint[];
extern "C" const char hearwire_embedded_checkpoint_end[];

namespace hearwire {

std::string_view EmbeddedCheckpoint() { return {hearwire_embedded_checkpoint, hearwire_embedded_checkpoint_end}; }

}  // namespace hearwire
