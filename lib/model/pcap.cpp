// SPDX-License-Identifier: BSD-3-Clause
// Frames from one capture file, and to another.
#include <sys/time.h>

#include <cerrno>

#include <pcap/pcap.h>

#include "backends.hpp"

namespace sluice::inline v1::model {

namespace {

struct CloseCapture {
    void operator()(pcap_t* capture) const noexcept { pcap_close(capture); }
};
struct CloseDump {
    void operator()(pcap_dumper_t* dump) const noexcept { pcap_dump_close(dump); }
};
using Capture = std::unique_ptr<pcap_t, CloseCapture>;
using Dump = std::unique_ptr<pcap_dumper_t, CloseDump>;

constexpr int snapshot = static_cast<int>(max_frame);

class Pcap final : public Backend {
  public:
    Pcap(Capture in, Capture out, Dump dump)
        : in_(std::move(in))
        , out_(std::move(out))
        , dump_(std::move(dump))
        , copy_(max_frame) {}

    Takes takes() const noexcept override { return {}; }

    std::size_t send(unsigned, std::span<const Frame> frames) noexcept override {
        if (!dump_)
            return frames.size();
        for (const Frame& frame : frames) {
            pcap_pkthdr header{};
            gettimeofday(&header.ts, nullptr);
            header.caplen = header.len = static_cast<bpf_u_int32>(copy_frame(frame, copy_));
            pcap_dump(reinterpret_cast<u_char*>(dump_.get()), &header,
                      reinterpret_cast<const u_char*>(copy_.data()));
        }
        pcap_dump_flush(dump_.get());
        written_.add(frames.size());
        return frames.size();
    }

    std::span<const Frame> receive(unsigned) noexcept override {
        if (frame_.length != 0)
            return {&frame_, 1};
        if (!in_ || !running_)
            return {};
        pcap_pkthdr* header = nullptr;
        const u_char* bytes = nullptr;
        const int got = pcap_next_ex(in_.get(), &header, &bytes);
        if (got != 1) {
            ended_.store(true, std::memory_order_relaxed);
            return {};
        }
        if (header->caplen != header->len || header->len < min_frame || header->len > max_frame) {
            unusable_.add(1);
            return {};
        }
        // The library's memory, of which nothing is changed.
        piece_ = {const_cast<std::byte*>(reinterpret_cast<const std::byte*>(bytes)), header->len, false};
        frame_ = {{}, header->len, {&piece_, 1}};
        return {&frame_, 1};
    }

    void consume(unsigned, std::size_t count) noexcept override {
        if (count == 0)
            return;
        frame_ = {};
        read_.add(1);
    }

    void run(unsigned pairs) noexcept override { running_ = pairs != 0; }

    std::vector<device::Statistic> statistics() const override {
        return {{"pcap_read", read_.get()},
                {"pcap_written", written_.get()},
                {"pcap_unusable", unusable_.get()},
                {"pcap_ended", ended_.load(std::memory_order_relaxed) ? 1U : 0U}};
    }

  private:
    Capture in_;
    Capture out_;
    Dump dump_;
    std::vector<std::byte> copy_;
    Buffer piece_{};
    Frame frame_;
    bool running_ = false;
    Count read_;
    Count written_;
    Count unusable_;
    std::atomic<bool> ended_{false};
};

} // namespace

Result<std::unique_ptr<Backend>> make_pcap(const BackendSetup& setup) {
    if (setup.rx.empty() && setup.tx.empty())
        return fail(EINVAL, "a pcap back-end needs rx=FILE, tx=FILE or both", setup.device);
    char reason[PCAP_ERRBUF_SIZE] = "";
    Capture in;
    if (!setup.rx.empty()) {
        in.reset(pcap_open_offline(setup.rx.c_str(), reason));
        if (!in)
            return fail(EIO, "cannot read frames from a capture file", setup.rx + ": " + reason);
        if (pcap_datalink(in.get()) != DLT_EN10MB)
            return fail(EINVAL, "the capture file does not hold Ethernet frames", setup.rx);
    }
    Capture out;
    Dump dump;
    if (!setup.tx.empty()) {
        out.reset(pcap_open_dead(DLT_EN10MB, snapshot));
        dump.reset(out ? pcap_dump_open(out.get(), setup.tx.c_str()) : nullptr);
        if (!dump)
            return fail(EIO, "cannot write frames to a capture file",
                        setup.tx + ": " + (out ? pcap_geterr(out.get()) : "no memory"));
    }
    return std::make_unique<Pcap>(std::move(in), std::move(out), std::move(dump));
}

} // namespace sluice::inline v1::model
