// SPDX-License-Identifier: BSD-3-Clause
#include <gtest/gtest.h>

#include <sluice/pci/modules.hpp>

#include "fake_sysfs.hpp"

using sluice::pci::ModuleIndex;
using sluice::pci::ModuleState;
using sluice::test::FakeSysfs;

using namespace std::string_literals;

namespace {

ModuleIndex index_of(const FakeSysfs& fake) {
    return ModuleIndex(fake.sysfs().roots());
}

} // namespace

TEST(ModuleIndex, tells_the_four_states_apart) {
    FakeSysfs fake;
    fake.write(
        "lib/modules/modules.dep",
        "kernel/drivers/vfio/pci/vfio-pci.ko: kernel/drivers/vfio/vfio.ko\nupdates/dkms/sluice_pci.ko.xz:\n");
    fake.write("lib/modules/modules.builtin", "kernel/drivers/pci/pci-stub.ko\n");
    fake.folder("sys/module/sluice_pci");
    auto index = index_of(fake);
    EXPECT_EQ(index.state("vfio-pci"), ModuleState::present);
    EXPECT_EQ(index.state("vfio_pci"), ModuleState::present);
    EXPECT_EQ(index.state("vfio"), ModuleState::absent);
    EXPECT_EQ(index.state("sluice-pci"), ModuleState::loaded);
    EXPECT_EQ(index.state("pci_stub"), ModuleState::built_in);
    EXPECT_EQ(index.state(""), ModuleState::absent);
}

TEST(ModuleIndex, finds_modules_that_match_a_device) {
    FakeSysfs fake;
    fake.write("lib/modules/modules.alias", "# comment\n"
                                            "alias usb:v8086p10D3* wrong_bus\n"
                                            "alias pci:v00008086d000010D3sv*sd*bc*sc*i* e1000e\n"
                                            "alias pci:v00008086d0000100Esv*sd*bc*sc*i* e1000\n"
                                            "alias pci:v00008086d*sv*sd*bc02sc00i* e1000e\n");
    fake.write("lib/modules/modules.builtin.modinfo",
               "first.license=GPL\0built.alias=pci:v00008086d000010D3sv*sd*bc*sc*i*\0last.x=y\0"s);
    auto index = index_of(fake);
    EXPECT_EQ(index.candidates("pci:v00008086d000010D3sv00001AF4sd00001100bc02sc00i00"),
              (std::vector<std::string>{"e1000e", "built"}));
    EXPECT_TRUE(index.candidates("pci:v00001AF4d00001041sv00001AF4sd00001100bc01sc00i00").empty());
}

TEST(ModuleIndex, reads_a_built_in_alias_that_comes_first) {
    FakeSysfs fake;
    fake.write("lib/modules/modules.builtin.modinfo", "built.alias=pci:v1*\0"s);
    EXPECT_EQ(index_of(fake).candidates("pci:v1d2"), std::vector<std::string>{"built"});
}

TEST(ModuleIndex, is_empty_when_depmod_left_nothing) {
    FakeSysfs fake;
    EXPECT_EQ(index_of(fake).state("e1000e"), ModuleState::absent);
    EXPECT_TRUE(index_of(fake).candidates("pci:v00008086d000010D3").empty());
}
