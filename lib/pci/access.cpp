// SPDX-License-Identifier: BSD-3-Clause
#include "access.hpp"

#include <algorithm>
#include <array>

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sluice::inline v1::pci {

bool may_use(const std::string& path, const Environment& environment) {
    if (environment.uid == ::geteuid())
        return ::faccessat(AT_FDCWD, path.c_str(), R_OK | W_OK, AT_EACCESS) == 0;
    struct stat info;
    if (::stat(path.c_str(), &info) != 0)
        return false;
    if (environment.uid == 0)
        return true;
    mode_t wanted = S_IROTH | S_IWOTH;
    if (info.st_uid == environment.uid)
        wanted = S_IRUSR | S_IWUSR;
    else if (std::ranges::find(environment.gids, info.st_gid) != environment.gids.end())
        wanted = S_IRGRP | S_IWGRP;
    return (info.st_mode & wanted) == wanted;
}

std::string describe_access(const std::string& path) {
    struct stat info;
    if (::stat(path.c_str(), &info) != 0)
        return "not there";
    std::array<char, 4096> room;
    passwd user{};
    passwd* owner = nullptr;
    std::string text = "owner ";
    bool named = ::getpwuid_r(info.st_uid, &user, room.data(), room.size(), &owner) == 0 && owner != nullptr;
    text += named ? owner->pw_name : std::to_string(info.st_uid);
    group users{};
    group* owners = nullptr;
    named = ::getgrgid_r(info.st_gid, &users, room.data(), room.size(), &owners) == 0 && owners != nullptr;
    text += ':';
    text += named ? owners->gr_name : std::to_string(info.st_gid);
    return text + fmt::format(", mode {:04o}", info.st_mode & 07777);
}

} // namespace sluice::inline v1::pci
