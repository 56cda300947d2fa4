// SPDX-License-Identifier: BSD-3-Clause
// Every defect of doc/config-defects.md: what strict makes of it, the lines that it says, and the page
// itself.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>

#include <gtest/gtest.h>

#include "cfgspace.hpp"
#include "images.hpp"

using namespace sluice;
using config::owner_none;
using sluice::testing::Function;

namespace {

using Lines = std::vector<std::string>;

struct Defect {
    const char* name;
    std::uint32_t size;
    std::function<void(Function&)> make;
    Lines lines;
    std::function<bool(config::Space&)> holds;
};

const Defect defects[] = {
    {"pointer below 40h",
     256,
     [](Function& f) { f.capability(0x40, 0x11).bytes(0x41, {0x20}); },
     {"the list points at 020, where no capability can be: it ends there"},
     [](config::Space& s) { return *s.read8(0x34) == 0x40 && *s.read8(0x41) == 0 && s.owners()[0x20] == 0; }},
    {"first pointer below 40h",
     256,
     [](Function& f) { f.capability(0x40, 0x11).bytes(0x34, {0x10}); },
     {"the list points at 010, where no capability can be: it ends there"},
     [](config::Space& s) { return *s.read8(0x34) == 0 && (*s.read16(6) & 0x10) == 0; }},
    {"misaligned pointer",
     256,
     [](Function& f) { f.capability(0x40, 0x11).bytes(0x34, {0x43}); },
     {},
     [](config::Space& s) { return *s.read8(0x34) == 0x40 && s.owners()[0x40] == 0x11; }},
    {"list bit without a list",
     256,
     [](Function& f) { f.bytes(0x06, {0x10}); },
     {},
     [](config::Space& s) { return (*s.read16(6) & 0x10) == 0; }},
    {"list that loops",
     256,
     [](Function& f) { f.capability(0x40, 0x11).capability(0x50, 0x03).bytes(0x51, {0x40}); },
     {"the list points at 040 a second time: it ends there"},
     [](config::Space& s) { return *s.read8(0x41) == 0x50 && *s.read8(0x51) == 0; }},
    {"capability that points at itself",
     256,
     [](Function& f) { f.capability(0x40, 0x0d).bytes(0x41, {0x40}); },
     {"the list points at 040 a second time: it ends there", "capability 0d at 40 has no table: hidden"},
     [](config::Space& s) { return *s.read8(0x34) == 0; }},
    {"pointer to all ones",
     256,
     [](Function& f) { f.capability(0x40, 0x11).bytes(0x41, {0x80}).bytes(0x80, {0xff, 0xff}); },
     {"the list points at 080, where no capability can be: it ends there"},
     [](config::Space& s) { return *s.read8(0x41) == 0 && s.owners()[0x80] == owner_none; }},
    {"capability past the end",
     256,
     [](Function& f) { f.capability(0xf0, 0x09, {0xff}); },
     {"capability 09 at 0f0 claims bytes past the end: cut"},
     [](config::Space& s) { return s.owners()[0xff] == 0x09 && s.find_capability(0x09) == 0xf0; }},
    {"overlapping capabilities",
     256,
     [](Function& f) { f.capability(0x50, 0x09, {0x40}).capability(0x60, 0x01, {3, 0}); },
     {"capability 09 at 050 runs into another capability: cut"},
     [](config::Space& s) {
         return s.owners()[0x5f] == 0x09 && s.owners()[0x60] == 0x01 && s.owners()[0x68] == owner_none;
     }},
    {"id found twice",
     256,
     [](Function& f) { f.capability(0x40, 0x01, {3, 0}).capability(0x50, 0x01, {3, 0}); },
     {},
     [](config::Space& s) { return s.find_capability(1) == 0x40 && s.find_capability(1, 0x40) == 0x50; }},
    {"length below the header's",
     256,
     [](Function& f) { f.capability(0x40, 0x09, {0x01}).capability(0x50, 0x11); },
     {},
     [](config::Space& s) { return s.owners()[0x42] == 0x09 && s.owners()[0x43] == owner_none; }},
    {"vendor capability of length zero",
     256,
     [](Function& f) { f.capability(0x40, 0x09, {0x00}).capability(0x50, 0x11); },
     {"capability 09 at 40 has no table: hidden"},
     [](config::Space& s) { return *s.read8(0x34) == 0x50 && *s.read16(0x40) == 0; }},
    {"unknown id",
     256,
     [](Function& f) { f.capability(0x40, 0x7f).capability(0x50, 0x11); },
     {"capability 7f at 40 has no table: hidden"},
     [](config::Space& s) { return *s.read8(0x34) == 0x50 && *s.read32(0x40) == 0; }},
    {"all ones everywhere",
     256,
     [](Function& f) {
         for (std::uint32_t offset = 0; offset < 256; ++offset)
             f.bytes(offset, {0xff});
     },
     {"the list points at 0fc, where no capability can be: it ends there"},
     [](config::Space& s) { return *s.read32(0) == 0xffffffff && *s.read8(0x34) == 0; }},
    {"virtual function with a pin",
     4096,
     [](Function& f) {
         f.facts.is_vf = true;
         f.bytes(0x3d, {1});
     },
     {"a virtual function reports interrupt pin 1: taken as none"},
     [](config::Space& s) { return *s.read8(0x3d) == 0; }},
    {"extended pointer below 100h",
     4096,
     [](Function& f) { f.extended(0x100, 0x03).set_hardware(0x100, 4, 0x0c010003); },
     {"the list points at 0c0, where no capability can be: it ends there"},
     [](config::Space& s) { return *s.read32(0x100) == 0x00010003; }},
    {"misaligned extended pointer",
     4096,
     [](Function& f) { f.extended(0x100, 0x03).extended(0x140, 0x0e).set_hardware(0x100, 4, 0x14310003); },
     {},
     [](config::Space& s) { return *s.read32(0x100) == 0x14010003; }},
    {"extended list that loops",
     4096,
     [](Function& f) { f.extended(0x100, 0x03).extended(0x140, 0x0e).set_hardware(0x140, 4, 0x1001000e); },
     {"the list points at 100 a second time: it ends there"},
     [](config::Space& s) { return *s.read32(0x140) == 0x0001000e; }},
    {"extended pointer to zeros or all ones",
     4096,
     [](Function& f) { f.extended(0x100, 0x03).extended(0x140, 0x0e).set_hardware(0x140, 4, 0xffffffff); },
     {"the list points at 140, where no capability can be: it ends there"},
     [](config::Space& s) { return *s.read32(0x100) == 0x00010003 && s.owners()[0x140] == owner_none; }},
    {"extended capability past the end",
     4096,
     [](Function& f) { f.extended(0x100, 0x03).extended(0xff0, 0x0b, {0x10000001}); },
     {"capability 0b at ff0 claims bytes past the end: cut"},
     [](config::Space& s) { return s.owners()[0xfff] == 0x0b; }},
    {"overlapping extended capabilities",
     4096,
     [](Function& f) { f.extended(0x100, 0x0b, {0x10000001}).extended(0x140, 0x03); },
     {"capability 0b at 100 runs into another capability: cut"},
     [](config::Space& s) { return s.owners()[0x13f] == 0x0b && s.owners()[0x14c] == owner_none; }},
    {"extended id found twice",
     4096,
     [](Function& f) { f.extended(0x100, 0x03).extended(0x140, 0x03); },
     {},
     [](config::Space& s) { return s.find_extended_capability(3, 0x100) == 0x140; }},
    {"unknown extended id",
     4096,
     [](Function& f) { f.extended(0x100, 0x03).extended(0x140, 0x7777, {1}).extended(0x180, 0x0e); },
     {"extended capability 7777 at 140 has no table: hidden"},
     [](config::Space& s) { return *s.read32(0x100) == 0x18010003 && *s.read32(0x144) == 0; }},
    {"first extended capability hidden",
     4096,
     [](Function& f) { f.extended(0x100, 0x19).extended(0x140, 0x03); },
     {"extended capability 0019 at 100 has no table: hidden"},
     [](config::Space& s) { return *s.read32(0x100) == 0x14000000; }},
    {"first extended header zero or all ones",
     4096,
     [](Function& f) { f.set_hardware(0x100, 4, 0xffffffff); },
     {},
     [](config::Space& s) { return !s.extended_capabilities() && *s.read32(0x100) == 0xffffffff; }},
};

Lines texts(const config::Space& space) {
    Lines lines;
    for (const config::Diagnostic& diagnostic : space.diagnostics())
        lines.push_back(diagnostic.text());
    return lines;
}

/// The page's rows by their first cell.
std::map<std::string, std::string> documented() {
    std::ifstream page(SLUICE_DOC "/config-defects.md");
    std::map<std::string, std::string> rows;
    for (std::string line; std::getline(page, line);)
        if (line.starts_with("| ") && !line.starts_with("| Defect "))
            rows[line.substr(2, line.find(" |", 2) - 2)] = line;
    return rows;
}

TEST(Defects, have_the_result_and_the_lines_that_the_page_gives) {
    auto rows = documented();
    for (const Defect& defect : defects) {
        Function function(defect.size);
        defect.make(function);
        config::Space& space = function.open();
        EXPECT_EQ(texts(space), defect.lines) << defect.name;
        EXPECT_TRUE(defect.holds(space)) << defect.name;
        ASSERT_TRUE(rows.contains(defect.name)) << defect.name << " is not in doc/config-defects.md";
        for (const std::string& line : defect.lines)
            EXPECT_NE(rows[defect.name].find('`' + line + '`'), std::string::npos)
                << defect.name << ": the page does not say: " << line;
        EXPECT_EQ(rows[defect.name].ends_with("| none |"), defect.lines.empty()) << rows[defect.name];
        rows.erase(defect.name);
    }
    rows.erase("bridge");
    for (const auto& [name, row] : rows)
        ADD_FAILURE() << "doc/config-defects.md has a row that no test makes: " << name;
}

TEST(Defects, are_told_by_the_program_with_the_device) {
    char path[] = "/tmp/defect.XXXXXX";
    ::close(::mkstemp(path));
    Function function;
    function.capability(0xf0, 0x09, {0xff});
    const auto save = [&] {
        std::ofstream(path, std::ios::binary)
            .write(reinterpret_cast<const char*>(function.image.bytes().data()), 256);
    };
    const auto show = [&](std::ostringstream& out, std::ostringstream& errors) {
        return cfgspace::run({"show", path}, false, out, errors);
    };
    save();
    std::ostringstream out;
    std::ostringstream errors;
    EXPECT_EQ(show(out, errors), 0);
    EXPECT_NE(out.str().find("note: capability 09 at 0f0 claims bytes past the end: cut"), std::string::npos);

    function.bytes(0x0e, {0x01});
    save();
    EXPECT_EQ(show(out, errors), 2);
    const std::string told = "a bridge: the permission engine is for functions with header type 0";
    EXPECT_NE(errors.str().find(told), std::string::npos) << errors.str();
    EXPECT_NE(documented()["bridge"].find('`' + told + '`'), std::string::npos);
    std::remove(path);
}

} // namespace
