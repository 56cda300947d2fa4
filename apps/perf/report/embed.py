#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Write a C++ source with the report's files as strings: embed.py OUTPUT NAME=FILE..."""
import sys

output, *parts = sys.argv[1:]
with open(output, "w", encoding="ascii") as source:
    source.write('#include "report_assets.hpp"\n\nnamespace sluice::perf {\n\n')
    for part in parts:
        name, path = part.split("=", 1)
        with open(path, "rb") as file:
            data = file.read()
        if name == "report_chart":
            # The page is one file: a source map would be looked for beside it.
            data = data.replace(b"//# sourceMappingURL=chart.min.js.map", b"").replace(b"</script", b"<\\/script")
        source.write(f"static const char {name}_data[] =\n")
        for at in range(0, len(data), 60):
            text = "".join(chr(c) if 32 <= c < 127 and chr(c) not in '"\\?' else f"\\{c:03o}" for c in data[at : at + 60])
            source.write(f'    "{text}"\n')
        source.write(f"    ;\nextern const std::string_view {name}({name}_data, sizeof {name}_data - 1);\n\n")
    source.write("} // namespace sluice::perf\n")
