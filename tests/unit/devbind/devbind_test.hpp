// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// A machine with five devices, and sluice-devbind run on it with a made-up kernel.
#pragma once

#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "devbind.hpp"
#include "fake_kernel.hpp"

namespace sluice::test {

class DevbindTest : public testing::Test {
  protected:
    DevbindTest() {
        fake.add({.address = "0000:00:1c.0",
                  .device = 0x3420,
                  .class_code = 0x060400,
                  .driver = "pcieport",
                  .group = 3,
                  .header_type = 1});
        fake.add({.address = "0000:01:00.0", .driver = "e1000e", .group = 7, .interfaces = {"eth1"}});
        fake.add({.address = "0000:01:00.1", .driver = "e1000e", .group = 7, .interfaces = {"eth2"}});
        fake.add({.address = "0000:02:00.0",
                  .device = 0x1572,
                  .driver = "i40e",
                  .group = 8,
                  .interfaces = {"eth3"}});
        fake.add({.address = "0000:03:00.0", .vendor = 0x1af4, .device = 0x1041, .group = 9});
        fake.write("lib/modules/modules.alias", "alias pci:v00008086d000010D3sv*sd*bc*sc*i* e1000e\n"
                                                "alias pci:v00001AF4d*sv*sd*bc*sc*i* virtio_pci\n");
        fake.add_driver("vfio-pci");
        fake.add_driver("sluice-pci");
        kernel.matches("e1000e", "0000:01:00.0");
        kernel.matches("e1000e", "0000:01:00.1");
    }

    int run(std::vector<std::string> arguments) {
        auto parsed = devbind::parse_options(std::move(arguments));
        out.str("");
        err.str("");
        if (parsed.stop) {
            (parsed.code == 0 ? out : err) << parsed.text;
            return parsed.code;
        }
        devbind::Context context{fake.sysfs(), kernel, ssh, out, err};
        return devbind::run(parsed.options, context);
    }

    void default_route(const std::string& interface) {
        fake.write("proc/net/route", interface + "\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n");
    }

    FakeSysfs fake;
    FakeKernel kernel{fake};
    std::string ssh;
    std::ostringstream out;
    std::ostringstream err;
};

} // namespace sluice::test
