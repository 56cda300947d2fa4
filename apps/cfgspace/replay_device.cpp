// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <sstream>

#include "replay_machine.hpp"

namespace sluice::cfgspace {

namespace {

constexpr unsigned overlaps_shown = 8;

} // namespace

void Lines::log(const std::string& line, bool overlap) {
    if (overlap && overlaps_++ >= overlaps_shown)
        return;
    if (seen_.insert(line).second)
        out_ << "  log " << line << '\n';
}

/// The messages of vfio-pci for the findings that it has messages for.
void Replay::Machine::report(void* self, const config::Diagnostic& diagnostic) {
    using Kind = config::DiagnosticKind;
    // The kernel prints zero without the prefix.
    const auto hex = [](unsigned value) {
        return value != 0 ? fmt::format("{:#x}", value) : std::string("0");
    };
    Lines& lines = static_cast<Machine*>(self)->lines;
    const config::Diagnostic& d = diagnostic;
    switch (d.kind) {
    case Kind::hidden:
        lines.log(fmt::format("info: vfio_cap_init: hiding cap {}@{}", hex(d.id), hex(d.offset)), false);
        break;
    case Kind::hidden_extended:
        lines.log(fmt::format("info: vfio_ecap_init: hiding ecap {}@{}", hex(d.id), hex(d.offset)), false);
        break;
    case Kind::overlap:
        lines.log(fmt::format("warn: vfio_cap_init: PCI config conflict @{}, was cap {} now cap {}",
                              hex(d.offset), hex(d.previous), hex(d.id)),
                  true);
        break;
    case Kind::overlap_extended:
        lines.log(fmt::format("warn: vfio_ecap_init: PCI config conflict @{}, was ecap {} now ecap {}",
                              hex(d.offset), hex(d.previous), hex(d.id)),
                  true);
        break;
    case Kind::bogus_vf_pin:
        lines.log(fmt::format("warn: Hardware bug: VF reports bogus INTx pin {}", d.id), false);
        break;
    case Kind::bars_restored:
        lines.log("info: vfio_bar_restore: reset recovery - restoring BARs", false);
        break;
    case Kind::overrun:
    case Kind::cut:
    case Kind::bad_pointer:
    case Kind::loop:
        lines.log("warn: " + d.text(), false);
        break;
    case Kind::effect_failed:
    case Kind::effect_unsupported:
        break;
    }
}

const Replay::Entry Replay::commands[] = {
    {"new", &Replay::make_new, 0},
    {"echo", &Replay::echo, 0},
    {"image", &Replay::image, 1},
    {"hex", &Replay::hex, 2},
    {"cfgsize", &Replay::cfgsize, 1},
    {"wmask", &Replay::wmask, 1},
    {"w1c", &Replay::w1c, 1},
    {"vf", &Replay::vf, 1},
    {"ids", &Replay::ids, 2},
    {"nocmdmem", &Replay::nocmdmem, 1},
    {"irq", &Replay::irq, 1},
    {"nointx", &Replay::nointx, 1},
    {"config_intx", &Replay::config_intx, 1},
    {"res", &Replay::res, 4},
    {"pci23", &Replay::pci23, 1},
    {"vpd", &Replay::vpd, 1},
    {"reset_supported", &Replay::reset_supported, 1},
    {"no_d3", &Replay::no_d3, 1},
    {"pcie_perf", &Replay::pcie_perf, 1},
    {"sriov_active", &Replay::sriov_active, 1},
    {"power", &Replay::power, 1},
    {"hwerr", &Replay::hwerr, 4},
    {"trace", &Replay::trace, 1},
    {"init", &Replay::init, 0},
    {"irqtype", &Replay::irqtype, 1},
    {"qmax", &Replay::qmax, 1},
    {"hwset", &Replay::hwset, 2},
    {"hwget", &Replay::hwget, 2},
    {"mapset", &Replay::mapset, 3},
    {"r", &Replay::read, 2},
    {"w", &Replay::write, 3},
    {"wb", &Replay::write_bytes, 2},
    {"rall", &Replay::read_all, 1},
    {"map", &Replay::map, 0},
    {"vconfig", &Replay::vconfig, 0},
    {"hwdiff", &Replay::hwdiff, 0},
    {"state", &Replay::state, 0},
    {"perms", &Replay::perms, 0},
};

Replay::Replay(config::Policy policy, std::ostream& out)
    : policy_(policy)
    , out_(out)
    , machine_(std::make_unique<Machine>(out)) {}

Replay::~Replay() = default;

int Replay::run(std::istream& script, std::ostream& errors, const std::string& folder) {
    folder_ = folder;
    std::string line;
    for (unsigned count = 1; std::getline(script, line); ++count) {
        if (!line.starts_with("echo"))
            line.erase(std::min(line.find('#'), line.size()));
        std::istringstream stream(line);
        Words words;
        for (std::string word; stream >> word;)
            words.push_back(word);
        if (words.empty())
            continue;
        if (words[0] == "echo")
            words = {"echo", line.size() > 5 ? line.substr(5) : ""};
        try {
            execute(words);
        } catch (const Failure& failure) {
            out_.flush();
            errors << "error line " << count << ": " << failure.reason << '\n';
            return 2;
        }
        out_.flush();
    }
    return 0;
}

void Replay::execute(const Words& words) {
    machine_->lines.new_command();
    for (const Entry& entry : commands) {
        if (entry.name != words[0])
            continue;
        if (words.size() < entry.least + 1)
            throw Failure{words[0] + " wants more words"};
        return (this->*entry.run)(words);
    }
    throw Failure{"no command is called " + words[0]};
}

std::uint64_t Replay::number(const std::string& word) {
    std::size_t used = 0;
    try {
        const unsigned long long value = std::stoull(word, &used, 0);
        if (used == word.size())
            return value;
    } catch (const std::exception&) {
        used = 0;
    }
    throw Failure{word + " is not a number"};
}

std::vector<std::uint8_t> Replay::bytes(const Words& words, std::size_t from) {
    std::string digits;
    for (std::size_t index = from; index < words.size(); ++index)
        digits += words[index];
    std::vector<std::uint8_t> data(digits.size() / 2);
    for (std::size_t index = 0; index < data.size(); ++index) {
        const char* first = digits.data() + 2 * index;
        if (std::from_chars(first, first + 2, data[index], 16).ptr != first + 2)
            throw Failure{digits + " is not pairs of hexadecimal digits"};
    }
    if (digits.empty() || digits.size() % 2 != 0)
        throw Failure{"bytes are pairs of hexadecimal digits"};
    return data;
}

bool Replay::flag(const Words& words) {
    return number(words[1]) != 0;
}

std::string Replay::file(const std::string& name) const {
    return folder_.empty() || name.starts_with('/') ? name : folder_ + "/" + name;
}

config::Space& Replay::space() {
    auto& space = machine_->space;
    if (!space)
        throw Failure{"there is no space: init comes first"};
    return *space;
}

void Replay::make_new(const Words&) {
    machine_ = std::make_unique<Machine>(out_);
}

void Replay::echo(const Words& words) {
    out_ << words[1] << '\n';
}

void Replay::image(const Words& words) {
    auto loaded = config::Image::load(file(words[1]));
    if (!loaded)
        throw Failure{loaded.error().message()};
    std::copy(loaded->bytes().begin(), loaded->bytes().end(), machine_->hardware.bytes().begin());
    std::copy(loaded->bytes().begin(), loaded->bytes().end(), machine_->original.begin());
    machine_->hardware.resize(loaded->size());
}

void Replay::hex(const Words& words) {
    hwset(words);
    const auto offset = number(words[1]);
    const auto data = bytes(words, 2);
    std::copy(data.begin(), data.end(), machine_->original.begin() + static_cast<std::ptrdiff_t>(offset));
}

void Replay::cfgsize(const Words& words) {
    const auto size = number(words[1]);
    if (size != config::conventional_size && size != config::extended_size)
        throw Failure{"configuration space has 256 or 4096 bytes"};
    machine_->hardware.resize(static_cast<std::uint32_t>(size));
}

void Replay::mask(const Words& words, std::span<std::uint8_t> target, std::uint8_t all) {
    if (words[1] == "all" || words[1] == "none") {
        std::fill(target.begin(), target.end(), words[1] == "all" ? all : std::uint8_t{0});
        return;
    }
    if (words.size() == 2) {
        std::ifstream stream(file(words[1]), std::ios::binary);
        if (!stream)
            throw Failure{words[1] + " cannot be opened"};
        stream.read(reinterpret_cast<char*>(target.data()), static_cast<std::streamsize>(target.size()));
        return;
    }
    const auto offset = number(words[1]);
    const auto data = bytes(words, 2);
    if (offset > target.size() || data.size() > target.size() - offset)
        throw Failure{"the mask does not lie inside configuration space"};
    std::copy(data.begin(), data.end(), target.begin() + static_cast<std::ptrdiff_t>(offset));
}

void Replay::wmask(const Words& words) {
    mask(words, machine_->hardware.write_mask(), 0xff);
}

void Replay::w1c(const Words& words) {
    mask(words, machine_->hardware.clear_mask(), 0xff);
}

void Replay::vf(const Words& words) {
    machine_->facts.is_vf = flag(words);
}

void Replay::ids(const Words& words) {
    machine_->ids = {static_cast<std::uint16_t>(number(words[1])),
                     static_cast<std::uint16_t>(number(words[2]))};
}

void Replay::nocmdmem(const Words& words) {
    machine_->no_command_memory = flag(words);
}

void Replay::irq(const Words& words) {
    machine_->facts.irq =
        words[1] == "notconnected" ? config::irq_not_connected : static_cast<std::uint32_t>(number(words[1]));
}

void Replay::nointx(const Words& words) {
    machine_->facts.nointx = flag(words);
}

void Replay::config_intx(const Words& words) {
    machine_->facts.intx_supported = flag(words);
}

void Replay::res(const Words& words) {
    const auto index = number(words[1]);
    if (index >= machine_->facts.resources.size())
        throw Failure{"resources are 0 to 6"};
    machine_->facts.resources[index] = {number(words[2]), number(words[3]),
                                        static_cast<std::uint32_t>(number(words[4]))};
}

void Replay::pci23(const Words& words) {
    machine_->pci_2_3 = words[1] == "auto" ? std::nullopt : std::optional<bool>(flag(words));
}

void Replay::vpd(const Words& words) {
    constexpr std::uint64_t largest = 0x8000;
    const auto length = number(words[1]);
    if (length > largest)
        throw Failure{"vital product data has at most 32768 bytes"};
    std::vector<std::uint8_t> data(length);
    for (std::size_t index = 0; index < data.size(); ++index)
        data[index] = static_cast<std::uint8_t>(37 * index + 11);
    machine_->system.options().vpd = data;
}

void Replay::reset_supported(const Words& words) {
    machine_->system.options().reset_supported = flag(words);
}

void Replay::no_d3(const Words& words) {
    machine_->system.options().no_d3 = flag(words);
}

void Replay::pcie_perf(const Words& words) {
    machine_->system.options().read_request_to_payload = flag(words);
}

void Replay::sriov_active(const Words& words) {
    machine_->system.options().vfs_enabled = flag(words);
}

void Replay::power(const Words& words) {
    const auto state = number(words[1]);
    if (state > 4)
        throw Failure{"power states are 0 to 4"};
    machine_->system.set_power_now(static_cast<config::PowerState>(state));
}

void Replay::hwerr(const Words& words) {
    const auto direction = number(words[4]);
    const bool negative = words[3].starts_with('-');
    const auto size = static_cast<std::int64_t>(number(negative ? words[3].substr(1) : words[3]));
    const std::int64_t status = negative ? -size : size;
    machine_->hardware.inject_errors(static_cast<std::uint32_t>(number(words[1])),
                                     static_cast<std::uint32_t>(number(words[2])), static_cast<int>(status),
                                     (direction & 1) != 0, (direction & 2) != 0);
}

void Replay::trace(const Words& words) {
    const std::string& what = words[1];
    if (what != "w" && what != "r" && what != "wr" && what != "none")
        throw Failure{"trace takes w, r, wr or none"};
    machine_->lines.reads = what == "r" || what == "wr";
    machine_->lines.writes = what == "w" || what == "wr";
}

void Replay::init(const Words&) {
    constexpr std::size_t disable_byte = 5;
    constexpr std::uint8_t disable_bit = 0x04;
    Machine& machine = *machine_;
    const auto hardware = machine.hardware.bytes();
    machine.facts.vendor = static_cast<std::uint16_t>(hardware[0] | hardware[1] << 8);
    machine.facts.device = static_cast<std::uint16_t>(hardware[2] | hardware[3] << 8);
    if (machine.ids)
        std::tie(machine.facts.vendor, machine.facts.device) = *machine.ids;
    machine.facts.no_command_memory = machine.no_command_memory.value_or(machine.facts.is_vf);
    machine.facts.pci_2_3 =
        machine.pci_2_3.value_or((machine.hardware.write_mask()[disable_byte] & disable_bit) != 0);
    // The kernel scanned the device before anything went wrong with it.
    config::Image scanned = machine.hardware;
    scanned.inject_errors(0, 0, 0, false, false);
    (void)machine.facts.scan(scanned);
    const bool writes = machine.lines.writes;
    const bool reads = machine.lines.reads;
    machine.lines.writes = machine.lines.reads = false;
    machine.system.scan();
    machine.lines.writes = writes;
    machine.lines.reads = reads;
    auto made = config::Space::create(machine.recorder, machine.system, machine.facts, policy_);
    machine.space.reset();
    if (made) {
        machine.space.emplace(std::move(*made));
        machine.space->set_irq_type(machine.irq_type);
        machine.space->set_msi_vectors(1U << machine.msi_limit);
    }
    out_ << fmt::format("init ret={}\n", made ? 0 : -made.error().code());
}

void Replay::irqtype(const Words& words) {
    using config::IrqType;
    static constexpr std::pair<std::string_view, IrqType> names[] = {
        {"none", IrqType::none}, {"intx", IrqType::intx}, {"msi", IrqType::msi}, {"msix", IrqType::msix}};
    const auto* found = std::find_if(std::begin(names), std::end(names),
                                     [&](const auto& name) { return name.first == words[1]; });
    if (found == std::end(names))
        throw Failure{"irqtype takes none, intx, msi or msix"};
    machine_->irq_type = found->second;
    machine_->system.set_irq_type(found->second);
    if (auto& space = machine_->space)
        space->set_irq_type(found->second);
}

void Replay::qmax(const Words& words) {
    const auto limit = number(words[1]);
    if (limit > 5)
        throw Failure{"qmax is 0 to 5"};
    machine_->msi_limit = static_cast<unsigned>(limit);
    if (auto& space = machine_->space)
        space->set_msi_vectors(1U << limit);
}

void Replay::hwset(const Words& words) {
    const auto offset = number(words[1]);
    const auto data = bytes(words, 2);
    const auto hardware = machine_->hardware.bytes();
    if (offset > hardware.size() || data.size() > hardware.size() - offset)
        throw Failure{"the bytes do not lie inside configuration space"};
    std::copy(data.begin(), data.end(), hardware.begin() + static_cast<std::ptrdiff_t>(offset));
}

void Replay::hwget(const Words& words) {
    const auto offset = number(words[1]);
    const auto length = number(words[2]);
    const auto hardware = machine_->hardware.bytes();
    if (offset > hardware.size() || length > hardware.size() - offset)
        throw Failure{"the bytes do not lie inside configuration space"};
    out_ << fmt::format("hwget {:03x} {} data=", offset, length);
    for (std::uint64_t index = 0; index < length; ++index)
        out_ << fmt::format("{:02x}", hardware[offset + index]);
    out_ << '\n';
}

void Replay::mapset(const Words& words) {
    auto set = space().assign(static_cast<std::uint32_t>(number(words[1])),
                              static_cast<std::uint32_t>(number(words[2])),
                              static_cast<std::uint8_t>(number(words[3])));
    if (!set)
        throw Failure{set.error().message()};
}

} // namespace sluice::cfgspace
