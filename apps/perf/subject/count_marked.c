// SPDX-License-Identifier: BSD-3-Clause
// A plugin of QEMU 7.2 (its plugin interface, version 1; system and user emulation) that counts what a
// program does between two marks: instructions of user space, loads, stores, distinct 64-byte lines, and
// accesses to devices. Exact, and the same in each run.
//
// A mark is an instruction that does nothing, nopl disp32(%rax) with disp32 = 0x5a5a0000 | CODE; it is not
// counted. CODE: 1 to 0x7c begins a region of that number, | 0x80 ends it; 0x7f writes the regions to the
// file and begins anew; 0x7e begins anew; 0x7d has the address of the next load watched: stores to it are
// counted. One virtual CPU only, and nothing may take it from the program
// between two marks (SCHED_FIFO).
//
// With lines=on each line of memory is reported too, as `line ADDRESS touched=… read=… written=… stores=…`:
// in how many turns it was touched, read and written, and the stores to it.
//
// arguments: out=FILE[,lines=on]
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

// The interface, as far as it is used here.
typedef uint64_t plugin_id;
typedef uint32_t mem_info;
struct block;
struct instruction;
struct hardware_address;
#define EXPORTED __attribute__((visibility("default")))
EXPORTED int qemu_plugin_version = 1;
EXPORTED int qemu_plugin_install(plugin_id id, const void* info, int argc, char** argv);
size_t qemu_plugin_tb_n_insns(const struct block*);
struct instruction* qemu_plugin_tb_get_insn(const struct block*, size_t);
const void* qemu_plugin_insn_data(const struct instruction*);
size_t qemu_plugin_insn_size(const struct instruction*);
uint64_t qemu_plugin_insn_vaddr(const struct instruction*);
unsigned qemu_plugin_mem_size_shift(mem_info);
bool qemu_plugin_mem_is_store(mem_info);
struct hardware_address* qemu_plugin_get_hwaddr(mem_info, uint64_t);
bool qemu_plugin_hwaddr_is_io(const struct hardware_address*);
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct block*));
void qemu_plugin_register_vcpu_insn_exec_cb(struct instruction*, void (*)(unsigned, void*), int, void*);
void qemu_plugin_register_vcpu_insn_exec_inline(struct instruction*, int, void*, uint64_t);
void qemu_plugin_register_vcpu_mem_cb(struct instruction*, void (*)(unsigned, mem_info, uint64_t, void*), int,
                                      int, void*);
enum { no_registers = 0, add_u64 = 0, reads_and_writes = 3 };

enum { code_watch = 0x7d, code_restart = 0x7e, code_report = 0x7f, code_end = 0x80, regions = 0x7d };
enum counter { instructions, wide, loads, stores, lines, device_reads, device_writes, watched, counters };
static const char* const names[counters] = {"instructions", "wide",         "loads",         "stores",
                                            "lines",        "device_reads", "device_writes", "watched"};

static struct region {
    uint64_t begun[counters], sum[counters];
    uint64_t times, least, most;
} table[regions];
static uint64_t now[counters];
static unsigned open_region; // 0: none
static FILE* out;

// Each line that was touched since the beginning, and whether it was in this turn.
enum { line_slots = 1 << 16 };
static struct seen {
    uint64_t line, turn; // turn 0: nothing
    bool is_read, is_written;
    uint64_t touched, read, written, stores;
} seen[line_slots];
static uint64_t turn;
static bool report_lines;

static void see(uint64_t line, bool store) {
    uint64_t slot = (line * 0x9e3779b97f4a7c15u) >> 48;
    for (unsigned tries = 0; tries < line_slots; ++tries, slot = (slot + 1) % line_slots) {
        struct seen* entry = &seen[slot];
        if (entry->turn != 0 && entry->line != line)
            continue;
        if (entry->turn != turn) {
            entry->line = line;
            entry->turn = turn;
            entry->is_read = entry->is_written = false;
            ++entry->touched;
            ++now[lines];
        }
        entry->read += !store && !entry->is_read;
        entry->written += store && !entry->is_written;
        entry->is_read |= !store;
        entry->is_written |= store;
        entry->stores += store;
        return;
    }
}

// Addresses whose stores are counted.
enum { watches = 8 };
static uint64_t watch[watches];
static unsigned watch_count;
static bool watch_next;

static void report(void) {
    for (unsigned number = 0; number < regions; ++number) {
        const struct region* region = &table[number];
        if (region->times == 0)
            continue;
        fprintf(out, "region=%u times=%lu", number, region->times);
        for (int i = 0; i < counters; ++i)
            fprintf(out, " %s=%lu", names[i], region->sum[i]);
        fprintf(out, " least=%lu most=%lu\n", region->least, region->most);
    }
    for (unsigned slot = 0; report_lines && slot < line_slots; ++slot)
        if (seen[slot].turn != 0)
            fprintf(out, "line %lx touched=%lu read=%lu written=%lu stores=%lu\n", seen[slot].line * 64,
                    seen[slot].touched, seen[slot].read, seen[slot].written, seen[slot].stores);
    fflush(out);
}

static void begin(unsigned code) {
    memcpy(table[code].begun, now, sizeof now);
    open_region = code;
    ++turn;
}

static void end(struct region* region) {
    for (int i = 0; i < counters; ++i)
        region->sum[i] += now[i] - region->begun[i];
    const uint64_t count = now[instructions] - region->begun[instructions];
    if (region->times == 0 || count < region->least)
        region->least = count;
    if (count > region->most)
        region->most = count;
    ++region->times;
    open_region = 0;
}

static void on_mark(unsigned cpu, void* argument) {
    (void)cpu;
    const unsigned code = (unsigned)(uintptr_t)argument;
    if (code == code_report || code == code_restart) {
        if (code == code_report)
            report();
        memset(table, 0, sizeof table);
        memset(seen, 0, sizeof seen);
        open_region = 0;
        watch_count = code == code_report ? 0 : watch_count;
    } else if (code == code_watch) {
        watch_next = watch_count < watches;
    } else if (code & code_end) {
        if (open_region == (code & (code_end - 1u)))
            end(&table[open_region]);
    } else if (code < regions) {
        begin(code);
    }
}

static void on_access(unsigned cpu, mem_info info, uint64_t address, void* argument) {
    (void)cpu, (void)argument;
    if (watch_next) {
        watch[watch_count++] = address;
        watch_next = false;
    }
    if (open_region == 0)
        return;
    const bool store = qemu_plugin_mem_is_store(info);
    const struct hardware_address* where = qemu_plugin_get_hwaddr(info, address);
    if (where != NULL && qemu_plugin_hwaddr_is_io(where)) {
        ++now[store ? device_writes : device_reads];
        return;
    }
    ++now[store ? stores : loads];
    for (unsigned i = 0; store && i < watch_count; ++i)
        now[watched] += watch[i] == address;
    const uint64_t last = address + (1u << qemu_plugin_mem_size_shift(info)) - 1;
    see(address / 64, store);
    if (last / 64 != address / 64)
        see(last / 64, store);
}

/// The code of a mark, 0 for any other instruction.
static unsigned mark_of(const uint8_t* bytes, size_t size) {
    static const uint8_t nop[] = {0x0f, 0x1f, 0x80}, sign[] = {0x00, 0x5a, 0x5a};
    const bool is_mark =
        size == 7 && memcmp(bytes, nop, sizeof nop) == 0 && memcmp(bytes + 4, sign, sizeof sign) == 0;
    return is_mark ? bytes[3] : 0;
}

/// Encoded with VEX or EVEX, as AVX's and AVX2's instructions are (and BMI's). In 64-bit code these bytes
/// mean nothing else.
static bool is_wide(const uint8_t* bytes) {
    return bytes[0] == 0xc4 || bytes[0] == 0xc5 || bytes[0] == 0x62;
}

static void on_translation(plugin_id id, struct block* block) {
    (void)id;
    const size_t count = qemu_plugin_tb_n_insns(block);
    for (size_t i = 0; i < count; ++i) {
        struct instruction* instruction = qemu_plugin_tb_get_insn(block, i);
        if (qemu_plugin_insn_vaddr(instruction) >> 63)
            continue; // the kernel's
        const uint8_t* bytes = qemu_plugin_insn_data(instruction);
        const unsigned code = mark_of(bytes, qemu_plugin_insn_size(instruction));
        if (code != 0) {
            qemu_plugin_register_vcpu_insn_exec_cb(instruction, on_mark, no_registers,
                                                   (void*)(uintptr_t)code);
            continue;
        }
        qemu_plugin_register_vcpu_insn_exec_inline(instruction, add_u64, &now[instructions], 1);
        if (is_wide(bytes))
            qemu_plugin_register_vcpu_insn_exec_inline(instruction, add_u64, &now[wide], 1);
        qemu_plugin_register_vcpu_mem_cb(instruction, on_access, no_registers, reads_and_writes, NULL);
    }
}

int qemu_plugin_install(plugin_id id, const void* info, int argc, char** argv) {
    (void)info;
    for (int i = 0; i < argc; ++i) {
        if (strncmp(argv[i], "out=", 4) == 0)
            out = fopen(argv[i] + 4, "w");
        report_lines |= strcmp(argv[i], "lines=on") == 0;
    }
    if (out == NULL)
        return fprintf(stderr, "count_marked: out=FILE is missing, or cannot be written\n"), 1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    return 0;
}
