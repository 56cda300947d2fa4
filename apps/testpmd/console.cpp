// SPDX-License-Identifier: BSD-3-Clause
#include "console.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include <unistd.h>

#include <cmdline_rdline.h>

#include "commands.hpp"

namespace sluice::testpmd {
namespace {

constexpr const char* prompt = "testpmd> ";

int put_character(rdline*, char character) {
    return std::fputc(character, stdout);
}

void take_no_line(rdline*, const char*, unsigned) {}

/// rdline's protocol: with `*state` 0 it wants what can be added at once (2) or the first of several
/// choices (1); then, for each further choice, 1 again; 0 ends them.
int complete(rdline*, const char* line, char* to, unsigned size, int* state) {
    const auto choices = completions(line);
    if (size == 0 || *state < 0)
        *state = std::max(*state, 0);
    const auto at = static_cast<std::size_t>(*state);
    if (at >= choices.size())
        return 0;
    std::string text = choices[at];
    int answer = 1;
    if (choices.size() == 1) {
        const std::string_view typed(line);
        const auto blank = typed.find_last_of(" \t");
        text.erase(0, blank == typed.npos ? typed.size() : typed.size() - blank - 1);
        text += ' ';
        answer = RDLINE_RES_COMPLETE;
    }
    ++*state;
    std::snprintf(to, size, "%s", text.c_str());
    return answer;
}

} // namespace

Console::Console(Handler handler)
    : handler_(std::move(handler))
    , editor_(rdline_new(put_character, take_no_line, complete, this))
    , terminal_(tcgetattr(STDIN_FILENO, &before_) == 0) {
    if (terminal_) {
        termios raw = before_;
        raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
        tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    if (editor_ != nullptr)
        rdline_newline(editor_, prompt);
    flush_output();
}

Console::~Console() {
    if (terminal_)
        tcsetattr(STDIN_FILENO, TCSANOW, &before_);
    if (editor_ != nullptr)
        rdline_free(editor_);
}

bool Console::feed() {
    char bytes[256];
    const ssize_t got = read(STDIN_FILENO, bytes, sizeof bytes);
    if (got < 0)
        return errno == EINTR || errno == EAGAIN;
    const bool more = got > 0 && editor_ != nullptr &&
                      std::all_of(bytes, bytes + got, [this](char byte) { return take(byte); });
    flush_output();
    return more;
}

bool Console::take(char character) {
    const int answer = rdline_char_in(editor_, character);
    if (answer == RDLINE_RES_EOF || answer == RDLINE_RES_EXITED)
        return false;
    if (answer != RDLINE_RES_VALIDATED)
        return true;
    std::string line = rdline_get_buffer(editor_);
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r'))
        line.pop_back();
    if (!line.empty())
        rdline_add_history(editor_, line.c_str());
    handler_(line);
    if (stopped_)
        return false;
    rdline_newline(editor_, prompt);
    return true;
}

void flush_output() {
    static_cast<void>(std::fflush(stdout));
}

} // namespace sluice::testpmd
