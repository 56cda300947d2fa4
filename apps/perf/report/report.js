"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const most = 80; // charts of a kind; the rest stays in `sluice-perf show --history`
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const element = (name, text, kind) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (kind) made.className = kind;
    return made;
  };
  // null: an infinite one
  const percent = (ratio) => ratio === null ? "from nothing" : (ratio >= 1 ? "+" : "−") + Math.abs((ratio - 1) * 100).toFixed(2) + "%";
  const short = (value) => Number(value.toPrecision(5)).toString();

  function command(text, kind) {
    const line = element("p", undefined, "why");
    line.append(element("span", kind + " ", "soft"), element("code", text));
    return line;
  }

  const results = data.results.filter((one) => one.verdict);
  const counts = data.results.filter((one) => one.value !== undefined);

  function summary() {
    const tally = {};
    for (const one of results) tally[one.verdict] = (tally[one.verdict] || 0) + 1;
    const words = Object.entries(tally).map(([verdict, count]) => count + " " + verdict);
    const line = document.getElementById("summary");
    line.append(element("b", words.join(", ") || "no verdicts in this run"));
    const commit = data.environment.commit ? data.environment.commit.slice(0, 10) : "no commit";
    line.append(` · commit ${commit}${data.environment.dirty ? " with changes" : ""} · ${data.started}`);
    if (!data.finished) line.append(" · this run was ended before its end");
  }

  function verdicts() {
    const section = document.getElementById("verdicts");
    if (!results.length) section.append(element("p", "This run compared nothing.", "soft"));
    const same = element("details");
    same.append(element("summary", results.filter((one) => one.verdict === "same").length + " same"));
    for (const one of results) {
      const card = element("article", undefined, "result " + one.verdict);
      const top = element("div", undefined, "top");
      top.append(element("span", one.verdict, "verdict"), element("h3", one.scenario), element("span", one.metric, "soft"));
      if (one.a > 0) {
        top.append(element("span", `${short(one.a)} → ${short(one.b)} ${one.unit}`, "figure"));
        const range = one.interval ? ` [${percent(one.interval[0])}, ${percent(one.interval[1])}]` : " exact";
        top.append(element("span", percent(one.ratio) + range, "figure"));
      }
      card.append(top);
      if (one.reason) card.append(element("p", one.reason, "why"));
      if (one.more_rounds) card.append(element("p", `${one.more_rounds} more rounds would decide, after ${one.rounds}.`, "why"));
      if (one.moved.length) {
        const table = element("table");
        for (const moved of one.moved) {
          const row = element("tr");
          row.append(element("td", (moved.value > 0 ? "+" : "") + short(moved.value), "number"));
          const name = element("td");
          name.append(element("code", moved.name));
          row.append(name);
          table.append(row);
        }
        const scroll = element("div", undefined, "scroll");
        scroll.append(table);
        card.append(scroll);
      }
      const more = element("details");
      more.append(element("summary", "how it was found"));
      if (one.interval) {
        const control = one.control ? `; A against itself ${percent(one.control[0])} to ${percent(one.control[1])} at 99%` : "";
        more.append(element("p", `${one.rounds} rounds, margin ${(one.margin * 100).toFixed(1)}%, p ${one.p.toPrecision(2)}, ` +
          `Hodges–Lehmann ${percent(one.hodges_lehmann)}, ${one.outliers} outliers kept, seed ${one.seed}${control}.`, "why"));
      }
      more.append(command(one.command || data.command, "again:"));
      card.append(more);
      (one.verdict === "same" ? same : section).append(card);
    }
    if (same.children.length > 1) section.append(same);
  }

  function countTable() {
    const section = document.getElementById("counts");
    if (!counts.length) {
      section.remove();
      return;
    }
    const fold = element("details");
    fold.open = counts.length <= 20;
    fold.append(element("summary", `${counts.length} counts`),
      table(["Scenario", "Metric", "A packet"], counts.map((one) => [one.scenario, one.metric, one.value.toFixed(2)]), 2));
    section.append(fold, command(data.command, "again:"));
  }

  function table(head, rows, words) {
    const made = element("table");
    const line = element("tr");
    head.forEach((one, i) => line.append(element("th", one, i < words ? "" : "number")));
    made.append(line);
    for (const cells of rows) {
      const row = element("tr");
      cells.forEach((one, i) => row.append(element("td", one, i < words ? "" : "number")));
      made.append(row);
    }
    const scroll = element("div", undefined, "scroll");
    scroll.append(made);
    return scroll;
  }

  function rates() {
    const section = document.getElementById("rates");
    if (!data.rates.length) {
      section.remove();
      return;
    }
    const number = (value) => Math.round(value).toLocaleString("en");
    section.append(table(["Scenario", "Rate", "Frames a second", "Lost from", "Wire late"], data.rates.map((one) =>
      [one.scenario, one.metric, number(one.lower), number(one.upper), Math.round(100 * one.late) + "%"]), 2));
    const at = (one, p) => short(one.percentiles.find((pair) => pair[0] === p)[1]);
    const latencies = data.distributions.filter((one) => one.metric.startsWith("latency"));
    if (latencies.length)
      section.append(table(["Scenario", "At", "Unit", "p50", "p90", "p99", "p99.9", "max"], latencies.map((one) =>
        [one.scenario, one.metric, one.unit, ...[50, 90, 99, 99.9, 100].map((p) => at(one, p))]), 3));
    section.append(command(data.command, "again:"));
  }

  // Vertical lines where the series changed.
  const changeLines = {
    id: "changes",
    afterDatasetsDraw(chart, _, options) {
      const { ctx, chartArea, scales } = chart;
      ctx.save();
      ctx.lineWidth = 1.5;
      for (const change of options.list || []) {
        const x = scales.x.getPixelForValue(change.at);
        ctx.strokeStyle = change.pending ? options.soft : options.bad;
        ctx.setLineDash(change.pending ? [3, 4] : [6, 3]);
        ctx.beginPath();
        ctx.moveTo(x, chartArea.top);
        ctx.lineTo(x, chartArea.bottom);
        ctx.stroke();
      }
      ctx.restore();
    },
  };

  function axes(extra) {
    const grid = { color: colour("line") }, ticks = { color: colour("soft"), maxRotation: 0, autoSkipPadding: 12 };
    return { x: { grid, ticks: { ...ticks }, ...extra.x }, y: { grid, ticks: { ...ticks }, ...extra.y } };
  }

  const charts = [];
  function draw(canvas, make) {
    const watcher = new IntersectionObserver((entries) => {
      if (!entries.some((one) => one.isIntersecting)) return;
      watcher.disconnect();
      const entry = { canvas, make, chart: new Chart(canvas, make()) };
      charts.push(entry);
    }, { rootMargin: "200px" });
    watcher.observe(canvas);
  }

  function figure(title, note) {
    const made = element("figure");
    const plot = element("div", undefined, "plot");
    const canvas = element("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", title);
    plot.append(canvas);
    const caption = element("figcaption");
    caption.append(element("h3", title));
    for (const line of note) caption.append(line, element("br"));
    made.append(caption, plot);
    return [made, canvas];
  }

  function seriesChart(one) {
    const values = one.points.map((point) => point.value);
    const band = (at) => one.points.map((point) => (point.interval ? point.interval[at] : null));
    const sets = [{ label: one.exact ? "count" : "ratio", data: values, borderColor: colour("series"), borderWidth: 1.5,
      pointRadius: values.length > 80 ? 0 : 2.5, pointBackgroundColor: colour("series"), stepped: one.exact ? "before" : false }];
    if (one.points.some((point) => point.interval)) {
      const edge = { borderColor: "transparent", pointRadius: 0, backgroundColor: colour("series") + "33" };
      sets.push({ ...edge, label: "low", data: band(0), fill: false }, { ...edge, label: "high", data: band(1), fill: "-1" });
    }
    return {
      type: "line",
      data: { labels: one.points.map((point) => point.commit || point.started), datasets: sets },
      plugins: [changeLines],
      options: {
        animation: false, maintainAspectRatio: false, scales: axes({ x: {}, y: {} }),
        interaction: { mode: "index", intersect: false },
        plugins: { legend: { display: false }, changes: { list: one.changes, bad: colour("bad"), soft: colour("soft") } },
      },
    };
  }

  function history() {
    const section = document.getElementById("history");
    if (!data.series.length) section.append(element("p", "No earlier runs.", "soft"));
    const grid = element("div", undefined, "charts");
    const changed = (one) => -one.changes.length;
    for (const one of [...data.series].sort((x, y) => changed(x) - changed(y)).slice(0, most)) {
      const last = one.points[one.points.length - 1];
      const note = [`${one.metric}, ${one.exact ? "exact" : "ratio to the control arm, 95% band"}, ${one.points.length} run${one.points.length === 1 ? "" : "s"}`];
      for (const change of one.changes.slice(-3))
        note.push(element("span", `${change.pending ? "pending" : "changed"} at ${one.points[change.at].commit || one.points[change.at].started}: ` +
          `${short(change.before)} → ${short(change.after)} (${percent(change.after / change.before)})`, "changed"));
      const [made, canvas] = figure(one.scenario, note);
      draw(canvas, () => seriesChart(one));
      made.append(command(last.command || data.command, "last:"));
      grid.append(made);
    }
    section.append(grid);
    if (data.series.length > most)
      section.append(element("p", `${data.series.length - most} more series: sluice-perf show --history`, "soft"));
  }

  // 1, 2 and 5 of each decade; where there is one of them at most, the ends too.
  function logTicks(axis) {
    const round = [];
    for (let decade = 10 ** Math.floor(Math.log10(axis.min)); decade <= axis.max; decade *= 10)
      for (const one of [1, 2, 5])
        if (one * decade >= axis.min && one * decade <= axis.max) round.push(one * decade);
    axis.ticks = (round.length > 1 ? round : [axis.min, ...round, axis.max]).map((value) => ({ value }));
  }

  // x is 1/(1-p) on a log axis, so that 99 and 99.9 stand apart; the maximum stands at ten times the last.
  const nines = (p, count) => 1 / Math.max(1 - p / 100, 1 / (10 * Math.max(count, 100)));
  function percentileChart(arms) {
    const tints = ["series", "third", "other"];
    const last = Math.max(...arms.map((arm) => nines(100, arm.samples)));
    return {
      type: "line",
      data: { datasets: arms.map((arm, i) => ({ label: arm.arm || arm.metric, borderColor: colour(tints[i % 3]), borderWidth: 1.5,
        backgroundColor: colour(tints[i % 3]), pointRadius: 2.5,
        data: arm.percentiles.filter((one) => one[1] > 0).map(([p, value]) => ({ x: nines(p, arm.samples), y: value, p })) })) },
      options: {
        animation: false, maintainAspectRatio: false,
        scales: axes({
          x: { type: "logarithmic", min: 1, max: last, afterBuildTicks: (axis) => {
            axis.ticks = [...[2, 10, 100, 1000].filter((one) => 2 * one < last), last].map((value) => ({ value }));
          }, ticks: { color: colour("soft"), maxRotation: 0, callback: (value) => value === last ? "max" : "p" + short(100 - 100 / value) } },
          y: { type: "logarithmic", afterBuildTicks: logTicks, min: 0.9 * Math.min(...arms.map((arm) => arm.percentiles[0][1]).filter((value) => value > 0)),
               title: { display: true, text: arms[0].unit, color: colour("soft") },
               ticks: { color: colour("soft"), callback: (value) => Number(value.toPrecision(3)).toString() } },
        }),
        plugins: { legend: { labels: { color: colour("text"), boxWidth: 12 } },
          tooltip: { callbacks: { title: (items) => "p" + items[0].raw.p, label: (item) => `${item.dataset.label}: ${short(item.raw.y)}` } } },
      },
    };
  }

  // Counts by bins of equal width on a log axis, as steps.
  function histogramChart(arms) {
    const tints = ["series", "third", "other"];
    return {
      type: "line",
      data: { datasets: arms.map((arm, i) => ({ label: arm.arm || arm.metric, borderColor: colour(tints[i % 3]), borderWidth: 1.5,
        backgroundColor: colour(tints[i % 3]) + "33", pointRadius: 0, stepped: "before", fill: "origin",
        data: arm.histogram.flatMap(([low, high, count], at, bins) => [
          ...(at === 0 || bins[at - 1][1] < low * 0.999 ? [{ x: at === 0 ? low : bins[at - 1][1], y: 0 }, { x: low, y: 0 }] : []),
          { x: high, y: count }, ...(at === bins.length - 1 ? [{ x: high, y: 0 }] : [])]) })) },
      options: {
        animation: false, maintainAspectRatio: false,
        scales: axes({ x: { type: "logarithmic", title: { display: true, text: arms[0].unit, color: colour("soft") },
                            ticks: { color: colour("soft"), callback: (value) => short(value), maxTicksLimit: 7 } },
                       y: { title: { display: true, text: "samples", color: colour("soft") } } }),
        plugins: { legend: { labels: { color: colour("text"), boxWidth: 12 } }, tooltip: { enabled: false } },
      },
    };
  }

  function distributions() {
    const section = document.getElementById("distributions");
    const groups = new Map();
    for (const one of data.distributions) {
      const key = one.scenario + " " + one.metric;
      groups.set(key, [...(groups.get(key) || []), one]);
    }
    if (!groups.size) {
      section.remove();
      return;
    }
    const grid = element("div", undefined, "charts");
    for (const [key, arms] of [...groups].slice(0, most)) {
      const [made, canvas] = figure(key, [`${arms.reduce((sum, one) => sum + one.samples, 0)} samples, both axes logarithmic`]);
      draw(canvas, () => percentileChart(arms));
      if (arms[0].metric.startsWith("latency")) {
        const [, bars] = figure(key, []);
        bars.setAttribute("aria-label", `${key}: histogram`);
        made.append(bars.parentElement);
        draw(bars, () => histogramChart(arms));
      }
      const own = results.find((one) => one.scenario === arms[0].scenario && one.metric === arms[0].metric);
      made.append(command((own && own.command) || data.command, "again:"));
      grid.append(made);
    }
    section.append(grid);
  }

  function environment() {
    const section = document.getElementById("environment");
    const table = element("table");
    const rows = { ...data.environment, command: data.command };
    for (const [name, value] of Object.entries(rows)) {
      const row = element("tr");
      row.append(element("th", name.replace("_", " ")), element("td", value === "" ? "unknown" : String(value)));
      table.append(row);
    }
    section.append(table);
  }

  summary();
  verdicts();
  countTable();
  rates();
  history();
  distributions();
  environment();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const entry of charts) {
      entry.chart.destroy();
      entry.chart = new Chart(entry.canvas, entry.make());
    }
  });
})();
