// SPDX-License-Identifier: BSD-3-Clause
// Opens report.html in headless Chromium: no script error, no request to any host, at two widths, light and dark.
//   report.mjs CHROMIUM REPORT FOLDER-FOR-SCREENSHOTS
import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [executablePath, report, shots] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND"] });
const own = pathToFileURL(report).href;

function text(locator) {
  return locator.evaluate((node) => node.textContent);
}

async function look(width, height, scheme) {
  const page = await browser.newPage({ viewport: { width, height }, colorScheme: scheme });
  const errors = [], requests = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("request", (request) => request.url() !== own && !request.url().startsWith("data:") && requests.push(request.url()));
  await page.goto(own);
  // Charts are drawn when they come into sight.
  for (const canvas of await page.locator("canvas").all()) {
    await canvas.scrollIntoViewIfNeeded();
    // Not waitForFunction: it evaluates text, which the page's policy forbids.
    await canvas.evaluate((node) => new Promise((done) => {
      const look = () => (window.Chart.getChart(node) ? done() : requestAnimationFrame(look));
      look();
    }));
  }
  await page.evaluate(() => window.scrollTo(0, 0));
  await page.screenshot({ path: `${shots}/report-${width}-${scheme}.png`, fullPage: true });

  assert.deepEqual(errors, [], "script errors");
  assert.deepEqual(requests, [], "requests");
  const sizes = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(sizes[0] <= sizes[1], `${sizes[0]} px of content in ${sizes[1]}`);
  assert.equal(await page.locator("main > section").first().getAttribute("id"), "verdicts");
  const verdicts = await page.locator(".verdict").allTextContents();
  assert.deepEqual(verdicts, ["could-not-run", "regressed", "regressed", "too-noisy", "improved", "same"], "worst first, and what moved nothing folded away");
  assert.ok(!(await page.locator(".result.same").isVisible()));
  await page.getByText("1 same", { exact: true }).click();
  assert.ok(await page.locator(".result.same").isVisible());
  assert.match(await text(page.locator("#history")), /changed at c{10}: 73.2 → 76.2 \(\+4.10%\)/);
  assert.match(await text(page.locator("#history")), /pending at/);
  const drawn = await page.evaluate(() => [...document.querySelectorAll("canvas")].map((node) => {
    const chart = window.Chart.getChart(node);
    return { sets: chart.data.datasets.length, x: chart.scales.x.type, y: chart.scales.y.type,
      ticks: [chart.scales.x, chart.scales.y].map((axis) => axis.ticks.map((tick) => tick.label)), changes: (chart.options.plugins.changes?.list || []).length };
  }));
  assert.ok(drawn.some((one) => one.sets === 3 && one.changes === 1), "a band and a change point");
  const logarithmic = drawn.filter((one) => one.x === "logarithmic");
  const percentiles = logarithmic.filter((one) => one.y === "logarithmic");
  assert.equal(percentiles.length, 4, "percentiles of times and latencies, on log axes");
  assert.deepEqual(percentiles[0].ticks, [["p50", "p90", "p99", "p99.9", "max"], ["10", "20", "50"]], "round figures on both");
  assert.equal(logarithmic.filter((one) => one.y === "linear").length, 3, "histograms of latencies, by a log axis");
  assert.match(await text(page.locator("#rates")), /ndr5,100,0005,120,00093%/);
  assert.match(await text(page.locator("#rates")), /latency-pdr-90ns/);
  const commands = await page.locator("article, #rates, #history figure, #distributions figure").evaluateAll((nodes) => nodes.map((node) => node.querySelectorAll("code").length));
  assert.ok(commands.length > 6 && commands.every((count) => count > 0), "a command behind each figure");
  const page_colour = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = page_colour.match(/\d+/g).map(Number).reduce((x, y) => x + y) > 384;
  assert.equal(light, scheme === "light", page_colour);
  await page.close();
}

try {
  for (const [width, height] of [[1280, 900], [390, 844]])
    for (const scheme of ["light", "dark"]) {
      await look(width, height, scheme);
      console.log(`report.html at ${width} px, ${scheme}: as it should be`);
    }
} finally {
  await browser.close();
}
