// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>

#include "commands.hpp"
#include "decode.hpp"
#include "json.hpp"
#include "paint.hpp"
#include "target.hpp"

namespace sluice::cfgspace {

namespace {

constexpr std::string_view letters = "HabcdefghijklmnopqrstuvwxyzABCDEFGIJKLMNOPQRSTUVWXYZ";

/// A run of bytes that one capability owns, or that none does.
struct Extent {
    std::uint32_t first;
    std::uint32_t last;
    const Placed* owner; ///< null: none
    bool hidden;         ///< none, and reads as zero
};

/// Which of the capabilities each byte belongs to.
class Owners {
  public:
    explicit Owners(config::Space& space)
        : space_(space)
        , placed_(capabilities(space))
        , index_(space.size(), none) {
        for (std::size_t number = 0; number < placed_.size(); ++number)
            for (std::uint32_t offset = placed_[number].start;
                 offset < space.size() && space.owners()[offset] == space.owners()[placed_[number].start];
                 ++offset)
                index_[offset] = static_cast<std::uint16_t>(number);
    }

    static constexpr std::uint16_t none = 0xffff;

    const std::vector<Placed>& placed() const noexcept { return placed_; }
    std::uint16_t at(std::uint32_t offset) const { return index_[offset]; }
    bool hidden(std::uint32_t offset) const {
        return index_[offset] == none && space_.access(offset).virt == 0xff &&
               space_.access(offset).write == 0;
    }
    char letter(std::uint32_t offset) const {
        if (index_[offset] != none)
            return letters[index_[offset] % letters.size()];
        if (space_.owners()[offset] != config::owner_none)
            return '?';
        if (hidden(offset))
            return '0';
        return space_.access(offset).write != 0 ? '.' : '-';
    }
    std::vector<Extent> runs() const {
        std::vector<Extent> list;
        for (std::uint32_t offset = 0; offset < index_.size(); ++offset) {
            const Placed* owner = index_[offset] != none ? &placed_[index_[offset]] : nullptr;
            if (list.empty() || list.back().owner != owner || list.back().hidden != hidden(offset))
                list.push_back({offset, offset, owner, hidden(offset)});
            list.back().last = offset;
        }
        return list;
    }

  private:
    config::Space& space_;
    std::vector<Placed> placed_;
    std::vector<std::uint16_t> index_;
};

void map_json(const Context& context, config::Space& space, const Owners& owners) {
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    for (const Extent& run : owners.runs()) {
        std::string virt;
        std::string write;
        for (std::uint32_t offset = run.first; run.owner != nullptr && offset <= run.last; ++offset) {
            virt += fmt::format("{:02x}", space.access(offset).virt);
            write += fmt::format("{:02x}", space.access(offset).write);
        }
        nlohmann::ordered_json row = {{"first", run.first}, {"last", run.last}};
        row["capability"] = run.owner != nullptr ? nlohmann::ordered_json(run.owner->table->name) : nullptr;
        row["hidden"] = run.hidden;
        row["virt"] = virt;
        row["write"] = write;
        rows.push_back(std::move(row));
    }
    print_json(context.out, std::move(rows));
}

/// One letter a bit: hardware or shadow, and capitals where the user may write.
std::string bits_of(const config::BitAccess& access) {
    std::string text;
    for (unsigned bit = 8; bit-- != 0;) {
        const bool virt = (access.virt >> bit & 1) != 0;
        const bool write = (access.write >> bit & 1) != 0;
        text += virt ? (write ? 'S' : 's') : (write ? 'W' : '-');
    }
    return text;
}

/// Lines of `width` bytes; lines in which nothing is owned stand together as one.
template <typename Body>
void print_lines(const Context& context, const Owners& owners, std::uint32_t size, std::uint32_t width,
                 Body body) {
    for (std::uint32_t line = 0; line < size;) {
        const char filler = owners.letter(line);
        std::uint32_t end = line;
        const auto plain = [&](std::uint32_t from) {
            for (std::uint32_t offset = from; offset < from + width; ++offset)
                if (owners.at(offset) != Owners::none || owners.letter(offset) != filler)
                    return false;
            return true;
        };
        while (end < size && plain(end))
            end += width;
        if (end > line + width) {
            context.out << fmt::format("{:03x}  {} to {:03x}\n", line, filler, end - 1);
            line = end;
            continue;
        }
        context.out << fmt::format("{:03x} ", line) << body(line) << '\n';
        line += width;
    }
}

} // namespace

int map(const Context& context, const std::string& name, bool bits) {
    auto target = Target::open(name, context.policy, context.sysfs);
    if (!target)
        return complain(context, target.error().message());
    config::Space& space = (*target)->space();
    const Owners owners(space);
    if (context.form == Form::json) {
        map_json(context, space, owners);
        return exit_done;
    }
    const Paint paint(context.color);
    context.out << paint.bold((*target)->title()) << '\n'
                << fmt::format("policy {}\n\n", config::name(space.policy()));
    if (bits) {
        print_lines(context, owners, space.size(), 8, [&](std::uint32_t line) {
            std::string text;
            for (std::uint32_t offset = line; offset < line + 8; ++offset)
                text += ' ' + paint.nth(owners.at(offset), bits_of(space.access(offset)));
            return text;
        });
        context.out
            << "\n- hardware, read-only   W hardware, writable   s shadow, read-only   S shadow, writable\n";
        return exit_done;
    }
    print_lines(context, owners, space.size(), 16, [&](std::uint32_t line) {
        std::string text;
        std::string virt;
        std::string write;
        for (std::uint32_t offset = line; offset < line + 16; ++offset) {
            const std::string letter(1, owners.letter(offset));
            text += ' ' + (owners.at(offset) != Owners::none ? paint.nth(owners.at(offset), letter) : letter);
            virt += fmt::format("{:02x}", space.access(offset).virt);
            write += fmt::format("{:02x}", space.access(offset).write);
        }
        return text + "  " + virt + "  " + write;
    });
    context.out << "\n     owner of each byte, then its virt and its write bits\n";
    for (std::size_t number = 0; number < owners.placed().size(); ++number) {
        const Placed& placed = owners.placed()[number];
        context.out << fmt::format("  {}  {:02x}  {}\n",
                                   paint.nth(number, std::string(1, letters[number % letters.size()])),
                                   placed.start, placed.table->name);
    }
    context.out << "  -  nobody's, read-only   .  nobody's, passed raw   0  hidden, reads as zero\n";
    return exit_done;
}

} // namespace sluice::cfgspace
