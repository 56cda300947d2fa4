#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Breaks the permission engine one decision and one mask bit at a time, and counts the breaks that the tests see.

usage: mutation.py BUILD [--bits N] [--seed N] [--limit PERCENT] [--only PATTERN] [--list]

BUILD holds the built tests. The engine's sources are compiled once more with a switch in each operand of each
condition and in the function that hands out masks; the variable SLUICE_MUTANT turns one of them. A mutant that makes
the tests fail, crash or run out of time is caught. All are tried; --bits takes that many of the mask bits, in random
order; --only takes the mutants whose text, as --list prints it, matches a regular expression such as
'command:(44|51):', for work on a test. mutation-survivors.txt says of each that is known to survive why it does; one
that it does not name fails the run, as does a share of caught ones below the limit.
"""
import argparse
import concurrent.futures
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCES = ['access', 'build', 'command', 'flatten', 'handlers', 'lengths', 'space', 'walk_kernel', 'walk_strict', 'tables']
SWITCH = '''
#include <cstdlib>
#include <type_traits>
static bool chosen_mutant(int number) {
    static const int chosen = std::getenv("SLUICE_MUTANT") ? std::atoi(std::getenv("SLUICE_MUTANT")) : 0;
    return chosen == number;
}
[[maybe_unused]] static constexpr bool mutant(int number) {
    return !std::is_constant_evaluated() && chosen_mutant(number);
}
'''
COUNT = '''
#include <cstdio>
#include <sluice/config/tables.hpp>
int main() {
    using namespace sluice::config;
    unsigned total = 0;
    for (const Capability* one : all_tables())
        for (const Row& row : one->rows) {
            if (one->read != ReadKind::direct && one->read != ReadKind::zero)
                total += 8U * row.width;
            if (one->write != WriteKind::none && one->write != WriteKind::raw)
                total += 8U * row.width;
        }
    std::printf("%u", total);
}
'''
MASKS = '''
    static const int chosen_bit = std::getenv("SLUICE_MUTANT") ? -std::atoi(std::getenv("SLUICE_MUTANT")) - 1 : -1;
    if (chosen_bit >= 0) {
        static const auto target = [] {
            struct { const Capability* table = nullptr; std::uint32_t offset = 0; bool virt = false; std::uint8_t bit = 0; } found;
            int left = chosen_bit;
            for (const Capability* one : all_tables())
                for (const Row& row : one->rows)
                    for (unsigned bit = 0; bit < 16U * row.width; ++bit) {
                        const bool is_virt = bit < 8U * row.width;
                        const bool counts = is_virt ? one->read != ReadKind::direct && one->read != ReadKind::zero
                                                    : one->write != WriteKind::none && one->write != WriteKind::raw;
                        if (counts && left-- == 0) {
                            const unsigned at = bit % (8U * row.width);
                            found = {one, row.offset + at / 8, is_virt, static_cast<std::uint8_t>(1U << at % 8)};
                        }
                    }
            return found;
        }();
        if (target.table == &table && target.offset == offset)
            (target.virt ? masks.virt : masks.write) ^= target.bit;
    }
'''


def closing(text, at):
    """Index of the parenthesis that closes the one at `at`."""
    depth = 0
    for index in range(at, len(text)):
        depth += {'(': 1, ')': -1}.get(text[index], 0)
        if depth == 0:
            return index
    raise ValueError('unbalanced')


def operands(text):
    """(start, end) of the operands of && and || outside all brackets."""
    depth, begin, index = 0, 0, 0
    while index < len(text):
        depth += {'(': 1, '[': 1, '{': 1, ')': -1, ']': -1, '}': -1}.get(text[index], 0)
        if depth == 0 and text[index:index + 2] in ('&&', '||'):
            yield begin, index
            begin, index = index + 2, index + 1
        index += 1
    yield begin, len(text)


def instrument(text, name, mutants):
    out, at = [], 0
    for match in re.finditer(r'\bif \(', text):
        if match.start() < at:
            continue
        begin, end = match.end(), closing(text, match.end() - 1)
        condition, offset = text[begin:end], 0
        if ';' in condition:
            offset = condition.rindex(';') + 1
        elif re.match(r'(const )?auto\b', condition):
            continue
        parts, last = [condition[:offset]], offset
        for first, stop in operands(condition[offset:]):
            first, stop = first + offset, stop + offset
            mutants.append(f'{name}:{text.count(chr(10), 0, begin) + 1}: {condition[first:stop].strip()}')
            parts += [condition[last:first], f' (mutant({len(mutants)}) != static_cast<bool>({condition[first:stop]})) ']
            last = stop
        out += [text[at:begin], ''.join(parts)]
        at = end
    out.append(text[at:])
    text = ''.join(out)
    if name == 'tables':
        text = re.sub(r'return \{(static_cast<std::uint8_t>\(row\.virt_under.*?)\};',
                      lambda found: 'ByteMasks masks{' + found[1] + '};' + MASKS + 'return masks;', text, flags=re.S)
        text = text.replace('    return {};\n}', '    ByteMasks masks{};\n    return masks;\n}')
    anchor = text.index('namespace sluice')
    return text[:anchor] + SWITCH + text[anchor:]


def build_program(build, folder, program, objects):
    tests = sorted((build / f'tests/unit/config/{program}.p').glob('*.o'))
    archives = ['apps/cfgspace/libcfgspace_replay.a', 'lib/config/libsluice_config.a', 'lib/base/libsluice_base.a']
    target = folder / program
    subprocess.run(['g++', '-o', target, *tests, *objects, '-Wl,--allow-multiple-definition',
                    *(build / archive for archive in archives), '-lgtest_main', '-lgtest', '-lfmt'], check=True)
    return target


def count_bits(build, folder):
    source = folder / 'count.cpp'
    source.write_text(COUNT, encoding='utf-8')
    subprocess.run(['g++', '-std=c++20', '-w', '-I', ROOT / 'lib/config/include', '-I', ROOT / 'lib/base/include', source,
                    '-o', folder / 'count', build / 'lib/config/libsluice_config.a', build / 'lib/base/libsluice_base.a'],
                   check=True)
    return int(subprocess.run([folder / 'count'], capture_output=True, text=True, check=True).stdout)


def caught(programs, number):
    environment = dict(os.environ, SLUICE_MUTANT=str(number), SLUICE_CONFIG_CASES='/nonexistent')
    for program in programs:
        try:
            run = subprocess.run([program, '--gtest_fail_fast', '--gtest_brief=1', '--gtest_filter=-Generated.*:Generated/*'],
                                 env=environment, timeout=60, capture_output=True, check=False)
        except subprocess.TimeoutExpired:
            return True
        if run.returncode != 0:
            return True
    return False


def without_line(mutant):
    return re.sub(r':\d+:', ':', mutant)


def reasons():
    """What survives by its text, without the line, and why."""
    known = {}
    for line in (ROOT / 'tests/mutation-survivors.txt').read_text(encoding='utf-8').splitlines():
        if line and not line.startswith('#'):
            mutant, reason = line.split(' -- ')
            known[mutant.strip()] = reason.strip()
    return known


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('build', type=pathlib.Path)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--bits', type=int)
    parser.add_argument('--limit', type=float, default=95)
    parser.add_argument('--only', type=re.compile, default='')
    parser.add_argument('--list', action='store_true')
    options = parser.parse_args()
    build, mutants = options.build.resolve(), []
    with tempfile.TemporaryDirectory() as name, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        folder, texts = pathlib.Path(name), {}
        for source in SOURCES:
            texts[source] = instrument((ROOT / f'lib/config/{source}.cpp').read_text(encoding='utf-8'), source, mutants)
        if options.list:
            print('\n'.join(mutants))
            return 0

        def compile_one(source):
            path, target = folder / f'{source}.cpp', folder / f'{source}.o'
            path.write_text(texts[source], encoding='utf-8')
            subprocess.run(['g++', '-std=c++20', '-O1', '-c', '-w', '-I', ROOT / 'lib/config', '-I', ROOT / 'lib/config/include',
                            '-I', ROOT / 'lib/base/include', path, '-o', target], check=True)
            return target

        objects = list(pool.map(compile_one, SOURCES))
        programs = [build_program(build, folder, program, objects) for program in ('test_config_cases', 'test_config')]
        if caught(programs, 0):
            print('the tests fail with nothing broken')
            return 2
        total = count_bits(build, folder)
        bits = range(1, total + 1)
        if options.bits:
            bits = random.Random(options.seed).sample(bits, min(options.bits, total))
        names = dict(enumerate(mutants, 1)) | {-bit: f'mask bit {bit}' for bit in bits}
        names = {number: text for number, text in names.items() if re.search(options.only, text)}
        survivors = [text for text, seen in zip(names.values(), pool.map(lambda number: caught(programs, number), names)) if not seen]
    known = reasons()
    for text in survivors:
        print('survived', text, '--', known.get(without_line(text), 'NO REASON IS KNOWN'))
    share = 100 * (1 - len(survivors) / len(names))
    decisions = sum(number > 0 for number in names)
    print(f'{len(names)} mutants ({decisions} of {len(mutants)} decisions, {len(names) - decisions} of {total} mask bits), '
          f'{len(names) - len(survivors)} caught, {share:.1f}%, limit {options.limit:.0f}%')
    unexplained = sum(without_line(text) not in known for text in survivors)
    print(f'survivors without a reason: {unexplained}')
    return 0 if share >= options.limit and not unexplained else 1


sys.exit(main())
