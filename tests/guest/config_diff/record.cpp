// SPDX-License-Identifier: BSD-3-Clause
#include "record.hpp"

#include <cerrno>
#include <fstream>
#include <iterator>

namespace sluice::configdiff {

namespace {

constexpr std::uint32_t magic = 0x46445343; // "CSDF", little-endian as all numbers of the file

void put(std::string& out, std::uint64_t value, unsigned bytes) {
    for (unsigned index = 0; index < bytes; ++index)
        out += static_cast<char>(value >> (8 * index));
}

void put(std::string& out, const std::vector<std::uint8_t>& bytes) {
    put(out, bytes.size(), 4);
    out.append(bytes.begin(), bytes.end());
}

class Reader {
  public:
    explicit Reader(const std::string& text)
        : text_(text) {}
    bool good() const { return good_; }
    bool at_end() const { return at_ == text_.size(); }

    std::uint64_t number(unsigned bytes) {
        std::uint64_t value = 0;
        for (unsigned index = 0; index < bytes && take(1); ++index)
            value |= std::uint64_t{static_cast<std::uint8_t>(text_[at_++])} << (8 * index);
        return value;
    }
    std::vector<std::uint8_t> bytes() {
        const auto size = static_cast<std::size_t>(number(4));
        if (!take(size))
            return {};
        at_ += size;
        return {text_.begin() + static_cast<std::ptrdiff_t>(at_ - size),
                text_.begin() + static_cast<std::ptrdiff_t>(at_)};
    }

  private:
    bool take(std::size_t size) { return good_ = good_ && size <= text_.size() - at_; }

    const std::string& text_;
    std::size_t at_ = 0;
    bool good_ = true;
};

} // namespace

Result<Record> run(Subject& subject, Route route, const Plan& plan, std::vector<std::uint8_t> image) {
    Record record{route, plan, std::move(image), subject.floor(), {}};
    const std::vector<Operation> list = operations(plan, record.image);
    record.answers.reserve(list.size());
    for (const Operation& operation : list) {
        Answer answer;
        int error = 0;
        switch (operation.kind) {
        case Kind::read:
            error = subject.read(operation.offset, operation.width, answer.value);
            break;
        case Kind::write:
            error = subject.write(operation.offset, operation.width, operation.value);
            break;
        case Kind::interrupts:
            error = subject.interrupts(static_cast<device::Irq>(operation.offset), operation.value);
            break;
        }
        answer.error = static_cast<std::uint16_t>(error);
        record.answers.push_back(answer);
    }
    return record;
}

Result<void> save(const Record& record, const std::string& path) {
    std::string out;
    out.reserve(record.answers.size() * 6 + 2 * record.image.size() + 64);
    put(out, magic, 4);
    put(out, static_cast<std::uint64_t>(record.route), 1);
    put(out, record.plan.seed, 8);
    put(out, record.plan.percent, 1);
    put(out, record.image);
    put(out, record.floor);
    for (const Answer& answer : record.answers) {
        put(out, answer.value, 4);
        put(out, answer.error, 2);
    }
    std::ofstream file(path, std::ios::binary);
    if (!file.write(out.data(), static_cast<std::streamsize>(out.size())).flush())
        return fail(EIO, "cannot write the answers", path);
    return {};
}

Result<Record> load(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    Reader reader(text);
    const bool ours = reader.number(4) == magic;
    Record record;
    record.route = static_cast<Route>(reader.number(1));
    record.plan.seed = reader.number(8);
    record.plan.percent = static_cast<unsigned>(reader.number(1));
    record.image = reader.bytes();
    record.floor = reader.bytes();
    while (reader.good() && !reader.at_end()) {
        Answer answer;
        answer.value = static_cast<std::uint32_t>(reader.number(4));
        answer.error = static_cast<std::uint16_t>(reader.number(2));
        record.answers.push_back(answer);
    }
    if (!ours || !reader.good() || record.image.size() < 256)
        return fail(EINVAL, "is not a file of answers that this program wrote", path);
    return record;
}

} // namespace sluice::configdiff
