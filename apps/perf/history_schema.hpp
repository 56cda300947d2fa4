// SPDX-License-Identifier: BSD-3-Clause
// The tables of the history, and the way from one format to the next.
#pragma once

namespace sluice::perf {

/// "slpf": marks a file as ours.
inline constexpr int history_id = 0x736c7066;

/// Format 1: runs and values alone.
inline constexpr const char* history_format_1 = R"(
CREATE TABLE run (
  id INTEGER PRIMARY KEY, started TEXT NOT NULL, kind TEXT NOT NULL, commit_id TEXT NOT NULL, parent TEXT NOT NULL,
  dirty INTEGER NOT NULL, toolchain TEXT NOT NULL, dpdk TEXT NOT NULL, kernel TEXT NOT NULL, cpu TEXT NOT NULL,
  governor TEXT NOT NULL, load_before REAL NOT NULL);
CREATE TABLE scenario (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE metric (id INTEGER PRIMARY KEY, name TEXT NOT NULL, unit TEXT NOT NULL, UNIQUE (name, unit));
CREATE TABLE sample (
  run INTEGER NOT NULL REFERENCES run, scenario INTEGER NOT NULL REFERENCES scenario,
  metric INTEGER NOT NULL REFERENCES metric, value REAL NOT NULL);
CREATE INDEX sample_run ON sample (run);
)";

/// From 1 to 2: arms and rounds, the command, the load afterwards, functions and comparisons. What was there
/// stays; its runs count as finished.
inline constexpr const char* history_1_to_2 = R"(
ALTER TABLE run ADD COLUMN command TEXT NOT NULL DEFAULT '';
ALTER TABLE run ADD COLUMN load_after REAL;
ALTER TABLE run ADD COLUMN finished INTEGER NOT NULL DEFAULT 0;
UPDATE run SET finished = 1;
ALTER TABLE sample ADD COLUMN arm TEXT NOT NULL DEFAULT '';
ALTER TABLE sample ADD COLUMN round INTEGER NOT NULL DEFAULT 0;
CREATE TABLE function (
  run INTEGER NOT NULL REFERENCES run, scenario INTEGER NOT NULL REFERENCES scenario,
  metric INTEGER NOT NULL REFERENCES metric, name TEXT NOT NULL, value REAL NOT NULL);
CREATE INDEX function_run ON function (run);
CREATE TABLE comparison (
  run INTEGER NOT NULL REFERENCES run, scenario INTEGER NOT NULL REFERENCES scenario,
  metric INTEGER NOT NULL REFERENCES metric, verdict TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX comparison_run ON comparison (run);
)";

} // namespace sluice::perf
