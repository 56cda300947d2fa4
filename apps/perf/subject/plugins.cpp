// SPDX-License-Identifier: BSD-3-Clause
// EAL opens each of DPDK's hundred plugins when it finds itself to be a shared library, which it asks
// dlopen() for. This program is linked with the three that it uses: half of the work of a count would be the
// others'.
#include <dlfcn.h>

extern "C" void* dlopen(const char* file, int mode) {
    using Open = void* (*)(const char*, int);
    static const auto next = reinterpret_cast<Open>(::dlsym(RTLD_NEXT, "dlopen"));
    return (mode & RTLD_NOLOAD) != 0 ? nullptr : next(file, mode);
}
