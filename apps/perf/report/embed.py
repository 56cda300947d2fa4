#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Write a C++ source with the report's files as strings: embed.py OUTPUT NAME=FILE..."""
import sys

output, *parts = sys.argv[1:]
with open(output, "w", encoding="ascii") as source:
    source.write('#include "report_assets.hpp"\n\n#include <string_view>\n\nnamespace sluice::perf {\n\n')
    for part in parts:
        name, path = part.split("=", 1)
        with open(path, "rb") as file:
            data = file.read()
        if name == "report_chart":
            # The page is one file: a source map would be looked for beside it.
            data = data.replace(b"//# sourceMappingURL=chart.min.js.map", b"").replace(b"</script", b"<\\/script")
        # In pieces: a compiler need not take a literal of more than 64 KiB.
        source.write(f"const std::string {name} = std::string()\n")
        for piece in range(0, len(data), 30000):
            source.write("    .append(std::string_view(\n")
            part = data[piece : piece + 30000]
            for at in range(0, len(part), 60):
                text = "".join(chr(c) if 32 <= c < 127 and chr(c) not in '"\\?' else f"\\{c:03o}" for c in part[at : at + 60])
                source.write(f'        "{text}"\n')
            source.write(f"        , {len(part)}))\n")
        source.write("    ;\n\n")
    source.write("} // namespace sluice::perf\n")
