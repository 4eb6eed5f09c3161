#!/usr/bin/env python3
"""Fails when an x86-64 program has instructions that some x86-64 processors lack, outside the kernels that are chosen at
run time.

Usage: any_processor.py PROGRAM
"""

import re
import subprocess
import sys

# Highway's namespaces and that of models/native/bfloat16.cc, in mangled names.
CHOSEN_AT_RUN_TIME = re.compile(r"N_(SSSE3|SSE4|AVX2|AVX3_BF16|AVX3)")

# Of AVX and later; then those of SSE3 to SSE4.2 and of BMI that compilers choose by themselves.
NEWER = re.compile(
    r"v(?!err|erw)\w+|k(mov|or|and|xor|not|unpck|shift|test|add)\w*"
    r"|h(add|sub)p[sd]|mov(ddup|shdup|sldup)|lddqu|pshufb|palignr|pabs[bwd]|ph(add|sub)\w+|psign[bwd]|pmulhrsw"
    r"|p?blend\w+|ptest|pinsr[bdq]|pextr[bdq]|insertps|extractps|round[ps][sd]|dpp[sd]|pmul(ld|dq)|p(min|max)(s[bd]|u[wd])"
    r"|pmov[sz]x\w+|pcmp(eqq|gtq)|popcnt|crc32\w*|aes\w+|pclmul\w+"
    r"|(sh|sa)(l|r)x|rorx|mulx|andn|bextr|bls\w+|pdep|pext|lzcnt|movbe"
)


def main() -> int:
    listing = subprocess.run(
        ["objdump", "--disassemble", "--no-show-raw-insn", sys.argv[1]], check=True, capture_output=True, text=True
    ).stdout
    function, instructions, found = "", 0, {}
    chosen = set()
    for line in listing.splitlines():
        if start := re.match(r"[0-9a-f]+ <(.*)>:$", line):
            function = start[1]
            continue
        parts = line.split("\t")
        if len(parts) < 2 or not parts[1].strip():
            continue
        instructions += 1
        mnemonic = parts[1].split()[0]
        if not NEWER.fullmatch(mnemonic):
            continue
        if name := CHOSEN_AT_RUN_TIME.search(function):
            chosen.add(name[1])
        else:
            found.setdefault(function, set()).add(mnemonic)
    if not {"SSE4", "AVX2", "AVX3", "AVX3_BF16"} <= chosen:
        print(f"of {instructions} instructions only those of {sorted(chosen)} are new: where are the kernels?")
        return 1
    for function, mnemonics in found.items():
        print(f"{function}: {' '.join(sorted(mnemonics))}")
    if not found:
        print(f"{instructions} instructions ok")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
